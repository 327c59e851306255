//! The policy for outgoing connections, written here and obeyed by the client.

use std::time::Duration;

use ctops_base::Role;
use ctops_egress::{EgressError, Purpose, Refusal};
use serde_json::{Value, json};

use crate::support::App;

/// Spec: security 8
#[tokio::test]
async fn what_a_super_administrator_opens_is_open_at_once_and_only_there() {
    let app = App::new().await;
    let (root, _) = app.person_of(app.org, Role::SuperAdmin).await;
    let refusal = async || {
        let timeout = Duration::from_millis(50);
        let host = "10.255.255.1";
        match app.state.egress.connect(Some(app.org), Purpose::Webhook, host, 8443, timeout).await {
            Err(EgressError::Refused { why, .. }) => Some(why),
            _ => None,
        }
    };
    assert_eq!(app.ok("GET", "/settings/egress", None).await, json!({"mode": "internal", "targets": []}));
    assert_eq!(refusal().await, Some(Refusal::NeedsEntry));
    let opened = json!({"mode": "internal", "targets": [{"target": "10.255.0.0/16", "note": "hooks"}]});
    assert_eq!(app.send(&app.admin, "PUT", "/settings/egress", Some(opened.clone())).await.0, 403);
    let (status, body) = app.send(&root, "PUT", "/settings/egress", Some(opened.clone())).await;
    assert_eq!((status.as_u16(), &body), (200, &opened));
    assert_eq!(refusal().await, None);
    let closed = json!({"mode": "public-only", "targets": [{"target": "10.255.0.0/16", "note": "hooks"}]});
    app.send(&root, "PUT", "/settings/egress", Some(closed)).await;
    assert_eq!(refusal().await, Some(Refusal::PublicOnly));
    let everything = json!({"mode": "internal", "targets": [{"target": "0.0.0.0/0"}]});
    let (status, body) = app.send(&root, "PUT", "/settings/egress", Some(everything)).await;
    assert_eq!((status.as_u16(), &body["fields"][0]["code"]), (422, &json!("too_wide")));
    let written: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_events WHERE action = 'egress.changed'")
            .fetch_all(app.pool())
            .await
            .unwrap();
    assert_eq!(written.len(), 2);
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let (stranger, _) = app.person_of(other, Role::SuperAdmin).await;
    let (_, theirs) = app.send(&stranger, "GET", "/settings/egress", None).await;
    assert_eq!(theirs["targets"], json!([]));
}

/// Spec: security 8
#[tokio::test]
async fn one_entry_is_added_and_removed_and_the_others_stay() {
    let app = App::new().await;
    let (root, _) = app.person_of(app.org, Role::SuperAdmin).await;
    let add = async |target: &str, note: &str| {
        let body = json!({"target": target, "note": note});
        app.send(&root, "POST", "/settings/egress/targets", Some(body)).await
    };
    let remove = async |target: &str| {
        app.send(&root, "DELETE", &format!("/settings/egress/targets/{target}"), None).await.0.as_u16()
    };
    assert_eq!(add("Mail.Corp.Example", " relay ").await.0, 200);
    let (_, policy) = add("10.1.0.0/16", "").await;
    let relay = json!({"target": "mail.corp.example", "note": "relay"});
    assert_eq!(policy["targets"], json!([{"target": "10.1.0.0/16", "note": ""}, relay]));
    assert_eq!(add("mail.corp.example", "").await.1["targets"][1], relay, "adding again loses no note");
    for (target, code) in
        [("0.0.0.0/0", "too_wide"), ("127.0.0.1", "forbidden_target"), ("10.1.2.3/16", "not_a_network")]
    {
        let (status, refused) = add(target, "").await;
        assert_eq!((status.as_u16(), &refused["fields"][0]["path"]), (422, &json!("target")), "{target}");
        assert_eq!(refused["fields"][0]["code"], code);
    }
    let (status, refused) = add("a.example", &"x".repeat(201)).await;
    assert_eq!((status.as_u16(), &refused["fields"][0]["path"]), (422, &json!("note")));
    assert_eq!(remove("10.1.0.0%2F16").await, 204);
    assert_eq!(remove("10.1.0.0%2F16").await, 404);
    let (_, left) = app.send(&root, "GET", "/settings/egress", None).await;
    assert_eq!(left["targets"], json!([relay]));
    let administrator = app.send(&app.admin, "POST", "/settings/egress/targets", Some(relay)).await;
    assert_eq!(administrator.0, 403, "only a super_admin opens the way in");
    let written: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE action = 'egress.changed'")
            .fetch_one(app.pool())
            .await
            .unwrap();
    assert_eq!(written, 3, "what changes nothing is not written down");
}

/// Spec: security 8
#[tokio::test]
async fn entries_added_at_the_same_time_are_all_kept_up_to_the_limit() {
    let app = App::new().await;
    let (root, _) = app.person_of(app.org, Role::SuperAdmin).await;
    let entry = |n: usize| json!({"target": format!("host{n}.example"), "note": ""});
    let many: Vec<Value> = (0..195).map(entry).collect();
    let filled = json!({"mode": "internal", "targets": many});
    assert_eq!(app.send(&root, "PUT", "/settings/egress", Some(filled)).await.0, 200);
    let add = |n: usize| app.send(&root, "POST", "/settings/egress/targets", Some(entry(n)));
    let answers = futures_util::future::join_all((195..205).map(add)).await;
    let added = answers.iter().filter(|(status, _)| status.as_u16() == 200).count();
    let refused = answers.iter().filter(|(_, body)| body["code"] == "limit_reached").count();
    assert_eq!((added, refused), (5, 5));
    let (_, policy) = app.send(&root, "GET", "/settings/egress", None).await;
    assert_eq!(policy["targets"].as_array().unwrap().len(), 200);
}
