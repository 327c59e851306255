//! When an agent counts as connected.

use ctops_fleet::agents::{NODE_LEASE_TTL, end_lost_leases, revoke_agent};
use ctops_testkit::wait_until;
use tokio::time::Instant;
use tonic::Code;

use crate::support::{SOON, TestNode, beat};

/// How fast a revocation must take effect (hosts 6).
const REVOKED_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Spec: hosts 3
#[tokio::test]
async fn lease_begins_with_the_first_heartbeat_and_ends_when_the_agent_closes() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut first = beat(&agent.jwt);
    first.interval_seconds = 45;
    let mut stream = node.client().connect(Some(&agent)).await.heartbeat(first).await.unwrap();
    stream.acked().await;
    let began = node.queue.leases(1).await.remove(0);
    assert_eq!((began.agent_id.as_str(), began.host_id), (agent.id.as_str(), agent.host_id.to_string()));
    assert_eq!((began.interval_seconds, began.org_id), (45, node.org_id.to_string()));
    let owner: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM ingest_nodes").fetch_one(node.pool()).await.unwrap();
    assert_eq!(began.node_id, owner.to_string());
    let closing = Instant::now();
    stream.half_close();
    assert_eq!(stream.next().await.unwrap(), None);
    let ended = node.queue.leases(2).await.remove(1);
    assert!(closing.elapsed().as_secs() < 2);
    assert_eq!((ended.reason.as_str(), ended.session_id), ("closed", began.session_id));
}

#[tokio::test]
async fn lease_ends_when_the_connection_breaks() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    stream.cut();
    assert_eq!(node.queue.lease_story(2).await, ["began", "closed"]);
}

/// Spec: hosts 4
#[tokio::test]
async fn second_stream_takes_over_and_the_end_of_the_first_changes_nothing() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut older = node.client().stream(&agent).await;
    older.acked().await;
    let mut newer = node.client().stream(&agent).await;
    newer.acked().await;
    assert_eq!(older.next().await.unwrap_err().code(), Code::Aborted);
    drop(older);
    newer.send(beat(&agent.id)).await;
    newer.acked().await;
    let leases = node.queue.leases(2).await;
    assert_eq!(node.queue.lease_story(2).await, ["began", "began"]);
    assert!(leases[0].session_id < leases[1].session_id, "sessions of later streams are greater");
    newer.half_close();
    assert_eq!(newer.next().await.unwrap(), None);
    let ended = node.queue.leases(3).await.remove(2);
    assert_eq!((ended.reason.as_str(), &ended.session_id), ("closed", &leases[1].session_id));
}

#[tokio::test]
async fn streams_of_one_agent_that_open_at_once_leave_exactly_one_alive() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let client = node.client();
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(client.connect(Some(&agent)).await);
    }
    let opening = streams.into_iter().map(|connection| connection.heartbeat(beat(&agent.jwt)));
    let mut streams: Vec<_> =
        futures_util::future::join_all(opening).await.into_iter().map(Result::unwrap).collect();
    let leases = node.queue.leases(6).await;
    let newest = leases.iter().map(|lease| lease.session_id.clone()).max().unwrap();
    assert_eq!(leases.last().unwrap().session_id, newest, "announced in the order of their sessions");
    let mut aborted = 0;
    for stream in &mut streams {
        stream.half_close();
        loop {
            match stream.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(status) => {
                    assert_eq!(status.code(), Code::Aborted);
                    aborted += 1;
                    break;
                }
            }
        }
    }
    assert_eq!(aborted, 5);
    let ended = node.queue.leases(7).await.remove(6);
    assert_eq!((ended.reason.as_str(), ended.session_id), ("closed", newest));
}

/// Spec: hosts 6; agents-enrolment 16; security 19
#[tokio::test]
async fn stream_of_a_revoked_agent_ends_when_notified() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let mut bystander = node.client().stream(&other).await;
    bystander.acked().await;
    let revoked = Instant::now();
    revoke_agent(&node.agents, &node.administrator(), &agent.id).await.unwrap();
    assert_eq!(stream.next().await.unwrap_err().code(), Code::PermissionDenied);
    assert!(revoked.elapsed() < REVOKED_WITHIN);
    assert_eq!(node.queue.lease_story(3).await, ["began", "began", "revoked"]);
    bystander.send(beat(&other.id)).await;
    bystander.acked().await;
}

/// A lost notification costs seconds, not the revocation.
///
/// Spec: hosts 6; security 19
#[tokio::test]
async fn stream_of_a_revoked_agent_ends_in_time_even_without_notification() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let revoked = Instant::now();
    node.revoke(&agent).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::PermissionDenied);
    assert!(revoked.elapsed() < REVOKED_WITHIN, "{:?}", revoked.elapsed());
}

/// Spec: hosts 1, 2
#[tokio::test]
async fn lease_of_a_silent_agent_ends_after_two_intervals_and_begins_again_with_its_next_heartbeat() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut first = beat(&agent.jwt);
    first.interval_seconds = 5;
    let mut stream = node.client().connect(Some(&agent)).await.heartbeat(first).await.unwrap();
    stream.acked().await;
    let last_heard = Instant::now();
    assert_eq!(node.queue.lease_story(2).await, ["began", "silent"]);
    let silence = last_heard.elapsed().as_secs_f32();
    assert!(silence > 9.0, "{silence} s");
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
    let leases = node.queue.leases(3).await;
    assert_eq!(node.queue.lease_story(3).await, ["began", "silent", "began"]);
    assert_ne!(leases[0].session_id, leases[2].session_id);
}

#[tokio::test]
async fn streams_when_the_node_stops_get_their_last_answers_and_announce_their_end() {
    let mut node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let mut stream = node.client().stream(&agent).await;
    let mut second = node.client().stream(&other).await;
    stream.acked().await;
    second.acked().await;
    node.queue.close_door();
    stream.send(beat(&agent.id)).await;
    wait_until(SOON, || async { node.queue.waiting() == 1 }).await;
    node.shutdown.cancel();
    node.queue.open_door();
    stream.acked().await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(second.next().await.unwrap_err().code(), Code::Unavailable);
    node.stop().await;
    assert_eq!(node.queue.lease_story(4).await[2..], ["shutdown", "shutdown"]);
    let until: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT lease_until FROM ingest_nodes").fetch_one(node.pool()).await.unwrap();
    assert!(until < node.clock.now() + NODE_LEASE_TTL, "the node gave its own lease up");
}

/// After a long loss of the database another node may have declared our agents lost.
///
/// Spec: hosts 2
#[tokio::test]
async fn streams_announce_themselves_again_when_the_node_regains_its_lease() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let after_the_loss = node.clock.now() + NODE_LEASE_TTL * 2;
    end_lost_leases(node.pool(), after_the_loss).await.unwrap();
    let leases = node.queue.leases(2).await;
    assert_eq!(node.queue.lease_story(2).await, ["began", "began"]);
    assert!(leases[0].session_id < leases[1].session_id);
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
    assert_eq!(node.queue.reports(2).await[1].session_id, leases[1].session_id);
}
