//! SSH host keys: trusted on first use, changed ones wait for a person.

use ctops_base::Role;
use ctops_fleet::host_keys::HostKeyEvents;
use ctops_proto::queue::{AgentEvent, SshHostKey, SshHostKeys};
use ctops_slice::AgentEvents;
use ctops_testkit::{a_host, a_organisation};
use serde_json::json;
use uuid::Uuid;

use crate::support::App;

fn report(app: &App, host_id: Uuid, fingerprints: &[&str]) -> AgentEvent {
    let key = |fingerprint: &&str| SshHostKey {
        algorithm: "ssh-ed25519".into(),
        fingerprint_sha256: (*fingerprint).to_owned(),
    };
    AgentEvent {
        host_id: host_id.to_string(),
        org_id: app.org.to_string(),
        agent_id: "a".repeat(24),
        received_at_ms: app.clock.now_ms(),
        ssh_host_keys: Some(SshHostKeys { keys: fingerprints.iter().map(key).collect() }),
        ..AgentEvent::default()
    }
}

async fn apply(app: &App, events: &[AgentEvent]) {
    let mut tx = app.pool().begin().await.unwrap();
    HostKeyEvents.apply(&mut tx, events).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn host_keys_are_trusted_on_first_use_and_changed_ones_wait_for_an_administrator() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await.id;
    let path = format!("/hosts/{host}/ssh-host-keys");
    let (engineer, admin) = (app.person(Role::Engineer).await, app.person(Role::OrgAdmin).await);
    let status = async || app.get(&engineer, &path).await.expect(200)["status"].as_str().unwrap().to_owned();
    assert_eq!(status().await, "none");
    // Both arrive in one batch, and one of a host that is gone.
    let gone = report(&app, Uuid::from_u128(9), &["SHA256:z"]);
    apply(&app, &[report(&app, host, &["SHA256:a"]), gone, report(&app, host, &["SHA256:b"])]).await;
    let shown = app.get(&engineer, &path).await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["trusted"][0]["fingerprint_sha256"]),
        (&json!("changed"), &json!("SHA256:a"))
    );
    assert_eq!(shown["pending"][0]["fingerprint_sha256"], "SHA256:b");
    assert_eq!(app.audited(&host.to_string()).await, ["ssh_host_key.changed"]);

    let accept = format!("{path}/accept");
    let body = |fingerprint: &str| Some(json!({"fingerprints": [fingerprint]}));
    app.post(&engineer, &accept, body("SHA256:b")).await.code(403);
    let other = app.post(&admin, &accept, body("SHA256:c")).await;
    assert_eq!(other.code(409), "conflict", "only what was seen can be accepted");
    let accepted = app.post(&admin, &accept, body("SHA256:b")).await.expect(200);
    assert_eq!(
        (&accepted["status"], &accepted["trusted"][0]["fingerprint_sha256"]),
        (&json!("trusted"), &json!("SHA256:b"))
    );
    assert_eq!(app.post(&admin, &accept, body("SHA256:b")).await.code(409), "wrong_state");
    apply(&app, &[report(&app, host, &["SHA256:a"])]).await;
    assert_eq!(status().await, "changed");
    apply(&app, &[report(&app, host, &["SHA256:b"])]).await;
    assert_eq!(status().await, "trusted", "the host went back to the trusted keys");
    let trail = app.audited(&host.to_string()).await;
    assert_eq!(trail, ["ssh_host_key.changed", "ssh_host_key.trusted", "ssh_host_key.changed"]);

    let stranger = app.person_of(a_organisation(app.pool()).await, Role::SuperAdmin).await;
    app.get(&stranger, &path).await.code(404);
    app.post(&stranger, &accept, body("SHA256:b")).await.code(404);
}
