//! Agents through the API.

use ctops_base::Role;
use serde_json::json;

use crate::support::{App, Key};

/// Spec: hosts 19
#[tokio::test]
async fn list_of_pending_agents_shows_what_an_administrator_compares() {
    let app = App::new().await;
    let secret = app.token(|new| new.max_uses = None).await;
    let key = Key::new();
    let mut call = crate::support::a_call(&secret, &key, "web-1");
    call.ip_addresses = vec!["10.0.0.7".into(), "10.0.0.7".into(), "junk".into()];
    let id = ctops_fleet::agents::register(&app.deps, call).await.unwrap().agent_id;
    let reader = app.person(Role::ReadOnly).await;
    let page = app.get(&reader, "/agents?status=pending&page=1&page_size=25").await.expect(200);
    assert_eq!((&page["total"], &page["page_size"]), (&json!(1), &json!(25)));
    let mut item = page["items"][0].clone();
    assert!(item["host_id"].is_string() && item["token"]["id"].is_string());
    let fingerprint =
        ctops_fleet::agents::key_fingerprint(&ctops_crypto::secret::sha256(key.public_pem().as_bytes()));
    item["host_id"] = json!("host");
    item["token"]["id"] = json!("token");
    assert_eq!(
        item,
        json!({
            "id": id,
            "host_id": "host",
            "hostname": "web-1",
            "status": "pending",
            "version": "1.0.0",
            "os": "linux",
            "arch": "amd64",
            "ip_addresses": ["10.0.0.7"],
            "key_fingerprint": fingerprint,
            "token": {"id": "token", "label": "test token"},
            "registered_at": "2026-06-03T12:00:00.000Z",
            "approved_at": null,
            "pending_reason": null,
            "collision": null,
            "certificate": null,
            "last_heartbeat_at": null,
        })
    );
    assert_eq!(app.get(&reader, "/agents?status=active").await.expect(200)["total"], 0);
    assert_eq!(app.get(&reader, "/agents?status=online").await.code(422), "validation_failed");
    assert_eq!(app.get(&reader, "/agents?org_id=1").await.code(422), "unknown_field");
    assert_eq!(app.get(&reader, "/agents?page=2").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn decisions_when_the_role_is_too_small_or_the_agent_is_foreign_are_refused() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let id = app.register(&secret, &Key::new(), "web-1").await.unwrap().agent_id;
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::SuperAdmin).await;
    for action in ["approve", "reject", "revoke"] {
        let path = format!("/agents/{id}/{action}");
        for role in [Role::ReadOnly, Role::Engineer] {
            let person = app.person(role).await;
            assert_eq!(app.post(&person, &path, None).await.code(403), "forbidden", "{action}");
        }
        assert_eq!(app.send(None, "POST", &path, None, [127, 0, 0, 1]).await.code(401), "unauthenticated");
        assert_eq!(app.post(&stranger, &path, None).await.code(404), "not_found", "{action}");
        for junk in ["x", "..%2f", "aaaaaaaaaaaaaaaaaaaaaaaa", "%27%20OR%201=1"] {
            let path = format!("/agents/{junk}/{action}");
            assert_eq!(app.post(&stranger, &path, None).await.code(404), "not_found", "{path}");
        }
    }
    assert_eq!(app.get(&stranger, "/agents").await.expect(200)["total"], 0);
    for path in [format!("/agents/{id}"), format!("/agents/{id}/history")] {
        assert_eq!(app.get(&stranger, &path).await.code(404), "not_found");
    }
    let admin = app.person(Role::OrgAdmin).await;
    assert_eq!(app.get(&admin, &format!("/agents/{id}")).await.expect(200)["status"], "pending");
    assert_eq!(
        app.post(&admin, &format!("/agents/{id}/reject"), None).await.expect(200)["status"],
        "revoked"
    );
    assert_eq!(app.post(&admin, &format!("/agents/{id}/approve"), None).await.code(409), "wrong_state");
}

#[tokio::test]
async fn approve_through_the_api_answers_the_active_agent_with_its_certificate() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let id = app.register(&secret, &Key::new(), "web-1").await.unwrap().agent_id;
    let admin = app.person(Role::OrgAdmin).await;
    let agent = app.post(&admin, &format!("/agents/{id}/approve"), None).await.expect(200);
    assert_eq!(
        (&agent["status"], &agent["approved_at"]),
        (&json!("active"), &json!("2026-06-03T12:00:00.000Z"))
    );
    assert_eq!(agent["certificate"]["not_after"], "2026-09-01T12:00:00.000Z");
    let revoked = app.post(&admin, &format!("/agents/{id}/revoke"), None).await.expect(200);
    assert_eq!(revoked["status"], "revoked");
}

#[tokio::test]
async fn history_when_longer_than_the_limit_continues_at_the_cursor() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let id = app.register(&secret, &Key::new(), "web-1").await.unwrap().agent_id;
    let admin = app.person(Role::OrgAdmin).await;
    app.post(&admin, &format!("/agents/{id}/approve"), None).await.expect(200);
    app.post(&admin, &format!("/agents/{id}/revoke"), None).await.expect(200);
    let mut seen = Vec::new();
    let mut query = "limit=1".to_owned();
    loop {
        let part = app.get(&admin, &format!("/agents/{id}/history?{query}")).await.expect(200);
        assert_eq!(part["items"].as_array().unwrap().len(), 1);
        seen.push((part["items"][0]["status"].clone(), part["items"][0]["actor"]["id"].clone()));
        match part["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=1&cursor={cursor}"),
            None => break,
        }
    }
    let me = json!(admin.actor.user_id.to_string());
    assert_eq!(
        seen,
        [(json!("revoked"), me.clone()), (json!("active"), me), (json!("pending"), json!(null))]
    );
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=1.2.3"] {
        assert_eq!(
            app.get(&admin, &format!("/agents/{id}/history?{bad}")).await.code(422),
            "validation_failed",
            "{bad}"
        );
    }
}
