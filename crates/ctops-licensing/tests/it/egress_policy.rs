//! The policy for outgoing connections, written here and obeyed by the client.

use std::time::Duration;

use ctops_base::Role;
use ctops_egress::{EgressError, Purpose, Refusal};
use serde_json::json;

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
