//! Mail that waits.

use ctops_base::Role;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use crate::support::App;

const LINK: &str = "https://ops.example.com/reset?token=canary";

async fn pending(app: &App, who: &str) -> Vec<Value> {
    app.get(who, "/mail/pending").await.expect(200)["items"].as_array().unwrap().clone()
}

fn reveal(mail: &Value) -> String {
    format!("/mail/pending/{}/reveal", mail["id"].as_str().unwrap())
}

/// Spec: auth 8
/// Spec: settings 12
#[tokio::test]
async fn mail_that_waits_is_listed_and_its_link_shown_on_demand_and_audited() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let engineer = app.person(Role::Engineer).await;
    let address = app.email_of(&engineer).await;
    app.mail(Some(app.org), &address, Some(LINK)).await;
    app.deliver().await;
    let list = pending(&app, &admin).await;
    assert_eq!(
        (&list[0]["to"], &list[0]["has_link"], &list[0]["state"]),
        (&json!(address), &json!(true), &json!("queued"))
    );
    assert_eq!(list[0]["last_error"], "there is no mail relay");
    assert!(!list[0].to_string().contains("canary"), "the list holds no links");
    let link = app.post(&admin, &reveal(&list[0]), json!({})).await.expect(200);
    assert_eq!(link["link"], LINK);
    let id = list[0]["id"].as_str().unwrap();
    let audited = app.audited(id).await;
    assert_eq!(audited[0].0, "mail.link_revealed");
    assert!(!format!("{audited:?}").contains("canary"));
    for role in [Role::Engineer, Role::ReadOnly] {
        let other = app.person(role).await;
        assert_eq!(app.get(&other, "/mail/pending").await.code(403), "forbidden");
        assert_eq!(app.post(&other, &reveal(&list[0]), json!({})).await.code(403), "forbidden");
    }
    app.send(&admin, "DELETE", &format!("/mail/pending/{id}"), None, None).await.expect(204);
    assert!(pending(&app, &admin).await.is_empty());
    assert_eq!(app.audited(id).await.last().unwrap().0, "mail.discarded");
    assert_eq!(app.post(&admin, &reveal(&list[0]), json!({})).await.code(404), "not_found");
}

/// Otherwise an org_admin could take a super_admin's account over.
#[tokio::test]
async fn link_for_a_super_admin_is_shown_to_super_admins_only() {
    let app = App::new().await;
    let (admin, boss) = (app.person(Role::OrgAdmin).await, app.person(Role::SuperAdmin).await);
    let address = app.email_of(&boss).await.to_uppercase();
    app.mail(Some(app.org), &address, Some(LINK)).await;
    let list = pending(&app, &admin).await;
    assert_eq!(list[0]["has_link"], false);
    assert_eq!(app.post(&admin, &reveal(&list[0]), json!({})).await.code(403), "forbidden");
    assert_eq!(app.post(&boss, &reveal(&list[0]), json!({})).await.expect(200)["link"], LINK);
}

#[tokio::test]
async fn mail_of_other_organisations_is_not_there() {
    let app = App::new().await;
    let elsewhere = a_organisation(app.pool()).await;
    let (admin, neighbour) =
        (app.person(Role::SuperAdmin).await, app.person_of(elsewhere, Role::SuperAdmin).await);
    app.mail(Some(elsewhere), "ada@example.com", Some(LINK)).await;
    let theirs = pending(&app, &neighbour).await;
    assert!(pending(&app, &admin).await.is_empty());
    assert_eq!(app.post(&admin, &reveal(&theirs[0]), json!({})).await.code(404), "not_found");
    let path = format!("/mail/pending/{}", theirs[0]["id"].as_str().unwrap());
    assert_eq!(app.send(&admin, "DELETE", &path, None, None).await.code(404), "not_found");
    // Mail of the installation belongs to the organisations of its recipient.
    let address = app.email_of(&admin).await;
    app.mail(None, &address, Some(LINK)).await;
    assert_eq!((pending(&app, &admin).await.len(), pending(&app, &neighbour).await.len()), (1, 1));
}
