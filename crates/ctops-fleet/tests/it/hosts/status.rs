use ctops_fleet::hosts::StatusConsumer;
use ctops_proto::queue::StatusChange;
use ctops_testkit::{TestHost, a_host, start_time};
use prost::Message;
use uuid::Uuid;

use super::support::{Consumer, a_beginning, an_end, apply};
use crate::support::App;

async fn statuses(app: &App, host: &TestHost) -> (String, String) {
    sqlx::query_as(
        "SELECT v.status, a.status FROM host_vitals v JOIN agents a ON a.host_id = v.host_id WHERE v.host_id = $1",
    )
    .bind(host.id)
    .fetch_one(app.pool())
    .await
    .unwrap()
}

fn pair(host: &str, agent: &str) -> (String, String) {
    (host.to_owned(), agent.to_owned())
}

/// Two sessions, the second one later.
fn sessions() -> (Uuid, Uuid) {
    let mut both = [Uuid::now_v7(), Uuid::now_v7()];
    both.sort();
    (both[0], both[1])
}

/// Spec: hosts 1, 3
#[tokio::test]
async fn leases_through_the_queue_make_a_host_online_and_offline() {
    let app = App::new().await;
    let host = a_host(app.org).with_status("unknown").insert(app.pool()).await;
    let events = Consumer::start(&app, StatusConsumer).await;
    let begin = a_beginning(app.org, &host, Uuid::now_v7());
    events.deliver(&app, vec![begin.encode_to_vec()]).await;
    assert_eq!(statuses(&app, &host).await, pair("online", "active"));
    events.deliver(&app, vec![an_end(&begin, "closed").encode_to_vec(), b"\xff".to_vec()]).await;
    assert_eq!(statuses(&app, &host).await, pair("offline", "offline"));
    let letters: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE group_name = 'events'")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(letters, 1, "what cannot be read is parked");
}

/// Spec: hosts 4
#[tokio::test]
async fn older_lease_that_ends_after_a_newer_one_began_changes_nothing() {
    let app = App::new().await;
    let host = a_host(app.org).with_status("offline").with_agent("offline").insert(app.pool()).await;
    let (older, newer) = sessions();
    let first = a_beginning(app.org, &host, older);
    let second = a_beginning(app.org, &host, newer);
    apply(&app, StatusConsumer, &[first.clone(), second.clone(), an_end(&first, "superseded")]).await;
    assert_eq!(statuses(&app, &host).await, pair("online", "active"));
    apply(&app, StatusConsumer, &[an_end(&first, "closed")]).await;
    assert_eq!(statuses(&app, &host).await, pair("online", "active"));
    apply(&app, StatusConsumer, &[an_end(&second, "silent")]).await;
    assert_eq!(statuses(&app, &host).await, pair("offline", "offline"));
}

#[tokio::test]
async fn same_status_batch_twice_changes_nothing() {
    let app = App::new().await;
    let host = a_host(app.org).with_status("unknown").insert(app.pool()).await;
    let begin = a_beginning(app.org, &host, Uuid::now_v7());
    let state = async || -> String {
        sqlx::query_scalar(
            "SELECT concat((SELECT jsonb_agg(v) FROM host_vitals v), (SELECT jsonb_agg(l) FROM agent_leases l),
                           (SELECT jsonb_agg(h ORDER BY h.id) FROM agent_status_history h))",
        )
        .fetch_one(app.pool())
        .await
        .unwrap()
    };
    for batch in [vec![begin.clone()], vec![begin.clone(), an_end(&begin, "closed")]] {
        apply(&app, StatusConsumer, &batch).await;
        let once = state().await;
        let last: Vec<StatusChange> = batch.last().cloned().into_iter().collect();
        apply(&app, StatusConsumer, &last).await;
        assert_eq!(state().await, once);
    }
    assert_eq!(statuses(&app, &host).await, pair("offline", "offline"));
}

/// Spec: hosts 6
#[tokio::test]
async fn lease_of_a_revoked_or_pending_agent_never_makes_its_host_online() {
    let app = App::new().await;
    for (agent, status) in [("revoked", "offline"), ("pending", "pending")] {
        let host = a_host(app.org).with_agent(agent).with_status(status).insert(app.pool()).await;
        apply(&app, StatusConsumer, &[a_beginning(app.org, &host, Uuid::now_v7())]).await;
        assert_eq!(statuses(&app, &host).await, pair(status, agent));
    }
}

/// Spec: hosts 6
#[tokio::test]
async fn lease_of_a_deleted_host_brings_nothing_back() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let mut tx = app.pool().begin().await.unwrap();
    ctops_fleet::hosts::soft_delete(&mut tx, host.id, None, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(apply(&app, StatusConsumer, &[a_beginning(app.org, &host, Uuid::now_v7())]).await, []);
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM host_vitals").fetch_one(app.pool()).await.unwrap();
    assert_eq!(rows, 0);
}
