//! Who is offered what, and what is remembered of the outcome.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_crypto::signing::is_signed;
use ctops_slice::Capabilities;
use serde_json::{Value, json};

use super::{an_agent, heard, heard_by, offered, publish, report};
use crate::support::{App, release_key};

/// Spec: agents-enrolment 27, 28
#[tokio::test]
async fn agent_when_told_to_update_then_is_offered_the_signed_manifest_until_it_reports() {
    let app = App::new().await;
    publish(&app, "v1.1.0", "v0.0.0").await;
    let (host, id) = an_agent(&app, "v1.0.0").await;
    assert_eq!(heard(&app, &host, "v1.0.0").await, None, "nobody said anything");
    let admin = app.person(Role::OrgAdmin).await;
    let path = format!("/agents/{id}/update");
    for role in [Role::ReadOnly, Role::Engineer] {
        let person = app.person(role).await;
        assert_eq!(app.post(&person, &path, Some(json!({}))).await.code(403), "forbidden");
    }
    let update = app.post(&admin, &path, Some(json!({}))).await.expect(202);
    assert_eq!(update["requested_version"], "v1.1.0");
    let offer = heard(&app, &host, "v1.0.0").await.unwrap().update.unwrap();
    assert!(is_signed(&release_key().public_key(), &offer.manifest_json, &offer.signature));
    assert_eq!((offer.version.as_str(), offer.pinned), ("v1.1.0", false));
    assert!(heard(&app, &host, "v1.0.0").await.is_some(), "until it reports");
    assert_eq!(
        heard_by(&app, &host, "v1.0.0", Capabilities::TASKS).await,
        None,
        "it does not understand updates"
    );
    assert_eq!(heard(&app, &host, "dev").await, None, "such builds never update");

    report(&app, &host, "v1.1.0", "updated").await;
    let confirmation = heard(&app, &host, "v1.1.0").await.unwrap();
    assert!(confirmation.update_outcome_stored && confirmation.update.is_none());
    assert_eq!(heard(&app, &host, "v1.1.0").await, None);
    report(&app, &host, "v1.1.0", "updated").await;
    assert!(heard(&app, &host, "v1.1.0").await.is_some(), "repeated until it hears of it");
    let update = app.get(&app.person(Role::ReadOnly).await, &path).await.expect(200);
    assert_eq!(update["requested_version"], Value::Null);
    let result = &update["last_update_result"];
    assert_eq!((&result["outcome"], &result["detail"]), (&json!("updated"), &json!("why")));
    assert_eq!(app.audited(&id).await, ["agent.update_requested"]);
}

/// Spec: agents-enrolment 29
#[tokio::test]
async fn version_when_rolled_back_then_is_offered_again_only_after_a_new_decision() {
    let app = App::new().await;
    let (host, id) = an_agent(&app, "v1.0.0").await;
    publish(&app, "v1.1.0", "v0.0.0").await;
    let (admin, path) = (app.person(Role::OrgAdmin).await, format!("/agents/{id}/update"));
    app.post(&admin, &path, Some(json!({"version": "v1.1.0"}))).await.expect(202);
    app.clock.advance(TimeDelta::minutes(1));
    report(&app, &host, "v1.1.0", "rolled_back").await;
    assert!(heard(&app, &host, "v1.0.0").await.unwrap().update_outcome_stored);
    assert_eq!(heard(&app, &host, "v1.0.0").await, None);
    app.clock.advance(TimeDelta::minutes(1));
    app.post(&admin, &path, Some(json!({"version": "v1.1.0"}))).await.expect(202);
    assert_eq!(offered(&app, &host, "v1.0.0").await.as_deref(), Some("v1.1.0"));
}

/// Spec: agents-enrolment 30
#[tokio::test]
async fn agent_when_pinned_then_is_offered_that_version_only_even_an_older_one() {
    let app = App::new().await;
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        publish(&app, version, "v0.0.0").await;
    }
    let (host, id) = an_agent(&app, "v1.1.0").await;
    let (admin, path) = (app.person(Role::OrgAdmin).await, format!("/agents/{id}/update"));
    let older = app.post(&admin, &path, Some(json!({"version": "v1.0.0"}))).await;
    assert_eq!(older.code(409), "wrong_state");
    let pin = |version: Value| {
        app.send(Some(&admin), "PATCH", &path, Some(json!({"pinned_version": version})), [127, 0, 0, 1])
    };
    assert_eq!(pin(json!("v1.0.0")).await.expect(200)["pinned_version"], "v1.0.0");
    let offer = heard(&app, &host, "v1.1.0").await.unwrap().update.unwrap();
    assert_eq!((offer.version.as_str(), offer.pinned), ("v1.0.0", true));
    assert_eq!(heard(&app, &host, "v1.0.0").await, None);
    assert_eq!(app.post(&admin, &path, Some(json!({}))).await.code(409), "wrong_state", "it is pinned");
    assert_eq!(pin(Value::Null).await.expect(200)["pinned_version"], Value::Null);
    assert_eq!(heard(&app, &host, "v1.1.0").await, None);
    assert_eq!(pin(json!("newest")).await.code(422), "validation_failed");
    let patch = json!({"channel": "Beta!"});
    let answer = app.send(Some(&admin), "PATCH", &path, Some(patch), [127, 0, 0, 1]).await;
    assert_eq!(answer.code(422), "validation_failed");
}

#[tokio::test]
async fn agent_when_of_another_organisation_or_not_updatable_then_nothing_is_decided() {
    let app = App::new().await;
    publish(&app, "v1.1.0", "v0.0.0").await;
    let (_, id) = an_agent(&app, "v1.0.0").await;
    let (_, built_by_hand) = an_agent(&app, "dev").await;
    let admin = app.person(Role::OrgAdmin).await;
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::SuperAdmin).await;
    let path = format!("/agents/{id}/update");
    assert_eq!(app.get(&stranger, &path).await.code(404), "not_found");
    assert_eq!(app.post(&stranger, &path, Some(json!({}))).await.code(404), "not_found");
    let patch = Some(json!({"pinned_version": "v1.1.0"}));
    assert_eq!(app.send(Some(&stranger), "PATCH", &path, patch, [127, 0, 0, 1]).await.code(404), "not_found");
    let dev = format!("/agents/{built_by_hand}/update");
    assert_eq!(app.post(&admin, &dev, Some(json!({}))).await.code(409), "wrong_state");
    let absent = json!({"version": "v7.0.0"});
    assert_eq!(app.post(&admin, &path, Some(absent)).await.code(409), "wrong_state");
    assert_eq!(app.get(&admin, &path).await.expect(200)["requested_version"], Value::Null);
}

/// The wire contract's checklist, B.1 11: they run whatever the address serves.
#[tokio::test]
async fn agent_of_the_original_when_nobody_allowed_it_then_hears_of_no_update() {
    let app = App::new().await;
    publish(&app, "v1.1.0", "v1.1.0").await;
    let (host, _) = an_agent(&app, "v0.38.1").await;
    let original = Capabilities::default();
    assert_eq!(heard_by(&app, &host, "v0.38.1", original).await, None);
    let admin = app.person(Role::OrgAdmin).await;
    let allow = json!({"update_originals": true});
    app.send(Some(&admin), "PATCH", "/settings/agent-updates", Some(allow), [127, 0, 0, 1]).await.expect(200);
    let response = heard_by(&app, &host, "v0.38.1", original).await.unwrap();
    assert!(response.update_available && response.update.is_none());
    assert_eq!(response.latest_version, "v1.1.0");
    assert_eq!(response.download_url, "https://ops.example.com/api/v1/agent/binary");
    for quiet in ["dev", "", "v1.1.0"] {
        assert_eq!(heard_by(&app, &host, quiet, original).await, None, "{quiet}");
    }
}
