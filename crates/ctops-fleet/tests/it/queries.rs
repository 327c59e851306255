//! Queries: asked, delivered, answered, expired.

use chrono::TimeDelta;

use ctops_base::Role;
use ctops_fleet::queries::{QueryEvents, QueryWork};
use ctops_proto::queue::{AgentEvent, QueryResult};
use ctops_slice::{AgentEvents, AgentWork, Capabilities, ConnectedAgent};
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::json;
use uuid::Uuid;

use crate::support::App;

fn agent(app: &App, host: &TestHost) -> ConnectedAgent {
    ConnectedAgent {
        host_id: host.id,
        org_id: app.org,
        agent_id: host.agent_id.clone().unwrap(),
        version: String::new(),
        os: String::new(),
        arch: String::new(),
        capabilities: Capabilities::default(),
        config_revision: 0,
        pinned_certificate: String::new(),
    }
}

async fn open(app: &App, host: &TestHost) -> Vec<(String, String)> {
    let work = QueryWork::new(app.pool().clone(), app.clock.clone());
    let sent = work.pending(&[agent(app, host)]).await.unwrap();
    let queries = sent.into_iter().flat_map(|(_, response)| response.pending_queries);
    queries.map(|query| (query.query_id, query.query_type)).collect()
}

async fn answers(app: &App, host: &TestHost, query_id: &str, status: &str, result_json: &str) {
    let result = QueryResult {
        query_id: query_id.to_owned(),
        query_type: "list_ports".into(),
        status: status.to_owned(),
        error: if status == "ok" { String::new() } else { "no ss".into() },
        result_json: result_json.to_owned(),
    };
    let event = AgentEvent {
        host_id: host.id.to_string(),
        org_id: app.org.to_string(),
        agent_id: host.agent_id.clone().unwrap(),
        received_at_ms: app.clock.now_ms(),
        query_results: vec![result],
        ..AgentEvent::default()
    };
    let mut tx = app.pool().begin().await.unwrap();
    QueryEvents.apply(&mut tx, &[event]).await.unwrap();
    tx.commit().await.unwrap();
}

/// Spec: hosts 27
#[tokio::test]
async fn query_is_delivered_until_it_is_answered() {
    let app = App::new().await;
    let (host, other) = (a_host(app.org).insert(app.pool()).await, a_host(app.org).insert(app.pool()).await);
    let engineer = app.person(Role::Engineer).await;
    let path = format!("/hosts/{}/queries", host.id);
    let asked = app.post(&engineer, &path, Some(json!({"kind": "list_ports"}))).await.expect(202);
    assert_eq!((&asked["status"], &asked["result"]), (&json!("pending"), &json!(null)));
    let id = asked["id"].as_str().unwrap().to_owned();
    assert_eq!(open(&app, &host).await, [(id.clone(), "list_ports".to_owned())]);
    assert!(open(&app, &other).await.is_empty());
    answers(&app, &other, &id, "ok", r#"{"ports":[]}"#).await;
    let status = app.get(&engineer, &format!("{path}/{id}")).await.expect(200)["status"].clone();
    assert_eq!(status, "pending", "only the host that was asked may answer");
    answers(&app, &host, &id, "ok", r#"{"ports":[{"port":22}]}"#).await;
    let shown = app.get(&engineer, &format!("{path}/{id}")).await.expect(200);
    assert_eq!((&shown["status"], &shown["result"]), (&json!("complete"), &json!({"ports": [{"port": 22}]})));
    assert!(open(&app, &host).await.is_empty());
    answers(&app, &host, &id, "error", "").await;
    let status = app.get(&engineer, &format!("{path}/{id}")).await.expect(200)["status"].clone();
    assert_eq!(status, "complete", "the first answer counts");
}

/// Spec: hosts 27
#[tokio::test]
async fn query_when_nobody_answers_within_two_minutes_has_failed() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let engineer = app.person(Role::Engineer).await;
    let path = format!("/hosts/{}/queries", host.id);
    let asked = app.post(&engineer, &path, Some(json!({"kind": "list_services"}))).await.expect(202);
    let id = asked["id"].as_str().unwrap().to_owned();
    app.clock.advance(TimeDelta::seconds(119));
    assert_eq!(open(&app, &host).await.len(), 1);
    app.clock.advance(TimeDelta::seconds(1));
    assert!(open(&app, &host).await.is_empty());
    answers(&app, &host, &id, "ok", "{}").await;
    let shown = app.get(&engineer, &format!("{path}/{id}")).await.expect(200);
    assert_eq!(
        (shown["status"].as_str(), shown["error"].as_str()),
        (Some("error"), Some("the host did not answer within 120 s"))
    );
    let purge = ctops_fleet::queries::slice(app.pool(), &app.clock);
    app.clock.advance(TimeDelta::seconds(24 * 3600 + 1));
    purge.jobs()[0].run().await.unwrap();
    app.get(&engineer, &format!("{path}/{id}")).await.code(404);
}

/// Spec: hosts 27
#[tokio::test]
async fn query_needs_an_engineer_a_known_kind_and_a_host_of_the_organisation() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let path = format!("/hosts/{}/queries", host.id);
    let body = || Some(json!({"kind": "list_ports"}));
    let reader = app.person(Role::ReadOnly).await;
    app.post(&reader, &path, body()).await.code(403);
    let engineer = app.person(Role::Engineer).await;
    let strange = app.post(&engineer, &path, Some(json!({"kind": "list_users"}))).await.expect(422);
    assert_eq!(strange["fields"][0]["path"], "kind");
    app.post(&engineer, &format!("/hosts/{}/queries", Uuid::from_u128(1)), body()).await.code(404);
    let elsewhere = a_organisation(app.pool()).await;
    let stranger = app.person_of(elsewhere, Role::SuperAdmin).await;
    app.post(&stranger, &path, body()).await.code(404);
    let asked = app.post(&engineer, &path, body()).await.expect(202);
    app.get(&stranger, &format!("{path}/{}", asked["id"].as_str().unwrap())).await.code(404);
}
