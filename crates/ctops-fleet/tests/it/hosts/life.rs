use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_fleet::hosts::{HostIdentity, HostStatus, NewHost, create, reidentify, set_status, soft_delete};
use ctops_testkit::{a_host, a_organisation, start_time};
use serde_json::json;
use uuid::Uuid;

use crate::support::App;

fn a_new_host(org_id: Uuid, hostname: &str) -> NewHost {
    NewHost {
        id: new_id(),
        org_id,
        identity: HostIdentity {
            hostname: hostname.to_owned(),
            os: Some("linux".into()),
            os_version: Some("Debian 12".into()),
            arch: Some("amd64".into()),
            machine_id: Some("m-1".into()),
            ip_addresses: vec!["192.0.2.7".into()],
            identity_ips: vec!["192.0.2.7".into()],
            agent_version: Some("1.0.0".into()),
        },
        status: HostStatus::Pending,
    }
}

/// Spec: hosts 1, 20
#[tokio::test]
async fn create_host_appears_pending_and_keeps_its_name_to_itself() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_new_host(app.org, "Web-1");
    let other = a_organisation(app.pool()).await;
    let mut tx = app.pool().begin().await.unwrap();
    create(&mut tx, &host, start_time()).await.unwrap();
    let taken = create(&mut tx, &a_new_host(app.org, "WEB-1"), start_time()).await.unwrap_err();
    assert_eq!(taken.code(), "already_exists");
    create(&mut tx, &a_new_host(other, "web-1"), start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let page = app.get(&viewer, "/hosts?search=192.0.2.7").await.expect(200);
    let item = &page["items"][0];
    assert_eq!(
        (&page["total"], &item["id"], &item["status"]),
        (&json!(1), &json!(host.id), &json!("pending"))
    );
    assert_eq!((&item["os_version"], &item["stale"]), (&json!("Debian 12"), &json!(true)));
}

#[tokio::test]
async fn reidentify_host_takes_the_new_name_unless_another_has_it() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).named("old").insert(app.pool()).await.id;
    a_host(app.org).named("other").insert(app.pool()).await;
    let identity = |name: &str| a_new_host(app.org, name).identity;
    let mut tx = app.pool().begin().await.unwrap();
    reidentify(&mut tx, host, &identity("New"), start_time()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.get(&viewer, "/hosts?search=new").await.expect(200)["items"][0]["id"], json!(host));
    let mut tx = app.pool().begin().await.unwrap();
    let taken = reidentify(&mut tx, host, &identity("OTHER"), start_time()).await.unwrap_err();
    assert_eq!(taken.code(), "already_exists");
    drop(tx);
    let mut tx = app.pool().begin().await.unwrap();
    let absent = reidentify(&mut tx, new_id(), &identity("x"), start_time()).await.unwrap_err();
    assert_eq!(absent.code(), "not_found");
}

/// Spec: hosts 6
#[tokio::test]
async fn set_status_changes_what_differs_and_refuses_online_without_approval() {
    let app = App::new().await;
    let approved = a_host(app.org).with_status("pending").insert(app.pool()).await.id;
    let revoked = a_host(app.org).with_status("online").with_agent("revoked").insert(app.pool()).await.id;
    let ids = [approved, revoked, approved, new_id()];
    for (status, changed) in [
        (HostStatus::Unknown, 2),
        (HostStatus::Unknown, 0),
        (HostStatus::Online, 1),
        (HostStatus::Offline, 2),
    ] {
        let mut tx = app.pool().begin().await.unwrap();
        assert_eq!(set_status(&mut tx, &ids, status, start_time()).await.unwrap(), changed, "{status:?}");
        tx.commit().await.unwrap();
    }
}

/// Spec: hosts 29
#[tokio::test]
async fn soft_delete_takes_a_host_out_of_every_answer_and_frees_its_name() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).named("web-1").insert(app.pool()).await.id;
    let mut tx = app.pool().begin().await.unwrap();
    assert!(soft_delete(&mut tx, host, None, start_time()).await.unwrap());
    assert!(!soft_delete(&mut tx, host, None, start_time()).await.unwrap(), "it is gone already");
    create(&mut tx, &a_new_host(app.org, "web-1"), start_time()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.get(&viewer, &format!("/hosts/{host}")).await.code(404), "not_found");
    let page = app.get(&viewer, "/hosts").await.expect(200);
    assert_eq!(page["total"], 1);
    assert_ne!(page["items"][0]["id"], json!(host));
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM hosts WHERE id = $1 AND deleted_at = $2")
        .bind(host)
        .bind(start_time())
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(kept, 1, "the record stays");
}
