//! Work of features on its way to agents, and results on their way to features.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_ingest::Limits;
use ctops_pg::notify;
use ctops_proto::agent::{
    AgentQueryResult, AgentTaskProgress, CheckResult, HeartbeatRequest, HeartbeatResponse, SshHostKey,
};
use ctops_slice::{AgentWork, Capabilities, ConnectedAgent, announce_work, announce_work_for_org};
use ctops_testkit::wait_until;
use uuid::Uuid;

use crate::support::{SOON, TestNode, beat};

/// A feature whose work a test puts down and takes away.
#[derive(Default)]
struct Shelf {
    waiting: Mutex<HashMap<Uuid, Vec<HeartbeatResponse>>>,
    asked: Mutex<Vec<Vec<ConnectedAgent>>>,
    failures: AtomicUsize,
    repeats: bool,
}

impl Shelf {
    fn put(&self, host_id: Uuid, versions: &[&str]) {
        let response = |version: &&str| HeartbeatResponse {
            latest_version: (*version).to_owned(),
            ..Default::default()
        };
        self.waiting.lock().unwrap().insert(host_id, versions.iter().map(response).collect());
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl AgentWork for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn repeats(&self) -> bool {
        self.repeats
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        self.asked.lock().unwrap().push(agents.to_vec());
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(Problem::internal("the shelf fell down"));
        }
        let waiting = self.waiting.lock().unwrap();
        let of = |agent: &ConnectedAgent| {
            let host_id = agent.host_id;
            waiting
                .get(&host_id)
                .into_iter()
                .flatten()
                .map(move |response| (host_id, response.clone()))
                .collect::<Vec<_>>()
        };
        Ok(agents.iter().flat_map(of).collect())
    }
}

async fn node_with(shelf: &Arc<Shelf>) -> TestNode {
    let work: Arc<dyn AgentWork> = shelf.clone();
    TestNode::with_work(Limits::default(), move |_| vec![work]).await
}

async fn announce(node: &TestNode, hosts: &[Uuid]) {
    let mut tx = node.pool().begin().await.unwrap();
    announce_work(&mut tx, hosts).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn work_that_waits_when_a_stream_opens_is_sent_after_the_first_acknowledgement() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    shelf.put(agent.host_id, &["1", "2"]);
    let mut first = beat(&agent.jwt);
    first.capabilities = vec!["tasks".into(), "config".into()];
    (first.config_revision, first.arch) = (7, "amd64".into());
    first.pinned_server_cert_fingerprint = "ab".repeat(32);
    let mut stream = node.client().connect(Some(&agent)).await.heartbeat(first).await.unwrap();
    let answers = [stream.next().await, stream.next().await, stream.next().await];
    let versions: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert!(versions.iter().all(|answer| answer.ok));
    assert_eq!(versions.iter().map(|answer| answer.is_push).collect::<Vec<_>>(), [false, true, true]);
    let versions: Vec<_> = versions.iter().map(|answer| answer.latest_version.as_str()).collect();
    assert_eq!(
        versions,
        ["", "1", "2"],
        "the acknowledgement comes first, then each piece in a message of its own"
    );
    let asked = shelf.asked.lock().unwrap()[0][0].clone();
    assert_eq!((asked.host_id, asked.org_id, &asked.agent_id), (agent.host_id, node.org_id, &agent.id));
    assert_eq!((asked.config_revision, asked.arch.as_str()), (7, "amd64"));
    assert_eq!(asked.pinned_certificate, "ab".repeat(32));
    assert_eq!(asked.capabilities, Capabilities::TASKS.and(Capabilities::CONFIG));
}

/// Spec: monitoring 18, hosts 27
#[tokio::test]
async fn work_that_is_announced_is_pushed_without_a_heartbeat_and_only_once() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let mut stream = node.client().stream(&agent).await;
    let mut quiet = node.client().stream(&other).await;
    stream.acked().await;
    quiet.acked().await;
    shelf.put(agent.host_id, &["new"]);
    announce(&node, &[agent.host_id]).await;
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "new");
    announce(&node, &[agent.host_id]).await;
    assert!(stream.is_quiet().await, "the stream lost nothing, so the same is not sent again");
    assert!(quiet.is_quiet().await, "others are left alone");
    shelf.put(agent.host_id, &["newer"]);
    let mut tx = node.pool().begin().await.unwrap();
    announce_work_for_org(&mut tx, node.org_id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "newer");
    stream.send(beat(&agent.id)).await;
    let ack = stream.next().await.unwrap().unwrap();
    assert!(ack.ok && ack.latest_version.is_empty(), "pushes take nothing away from acknowledgements");
    let mut again = node.client().stream(&agent).await;
    again.acked().await;
    assert_eq!(again.next().await.unwrap().unwrap().latest_version, "newer", "a new stream gets everything");
}

#[tokio::test]
async fn work_that_may_repeat_is_sent_again() {
    let shelf = Arc::new(Shelf { repeats: true, ..Shelf::default() });
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    shelf.put(agent.host_id, &["run"]);
    for _ in 0..2 {
        announce(&node, &[agent.host_id]).await;
        assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "run");
    }
}

#[tokio::test]
async fn announcements_of_many_hosts_are_asked_about_together() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let agent = node.agent().await;
        let mut stream = node.client().stream(&agent).await;
        stream.acked().await;
        streams.push((agent.host_id, stream));
    }
    wait_until(SOON, || async { shelf.asked.lock().unwrap().iter().map(Vec::len).sum::<usize>() == 20 })
        .await;
    let before = shelf.times_asked();
    let mut hosts: Vec<_> = streams.iter().map(|(host_id, _)| *host_id).collect();
    hosts.extend((0..2_000).map(Uuid::from_u128));
    hosts.iter().for_each(|host_id| shelf.put(*host_id, &["all"]));
    announce(&node, &hosts).await;
    for (_, stream) in &mut streams {
        assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "all");
    }
    assert!(shelf.times_asked() - before <= 3, "asked {} times", shelf.times_asked() - before);
}

#[tokio::test]
async fn feature_that_cannot_answer_is_asked_again() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    shelf.put(agent.host_id, &["late"]);
    shelf.failures.store(1, Ordering::SeqCst);
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "late");
}

#[tokio::test]
async fn work_that_was_announced_while_nobody_listened_is_found_when_listening_again() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    wait_until(SOON, || async { shelf.times_asked() == 1 }).await;
    shelf.put(agent.host_id, &["missed"]);
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pg_terminate_backend(pid)",
    )
    .fetch_one(node.pool())
    .await
    .unwrap();
    assert_eq!(ended, 1, "one connection listens");
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "missed");
}

/// Trap 8 of the wire contract, appendix B.1: one reply per request, each below 4 MiB.
#[tokio::test]
async fn work_above_four_mebibytes_is_never_sent() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let large = "x".repeat(4 * 1024 * 1024);
    shelf.put(agent.host_id, &[&large, "small"]);
    announce(&node, &[agent.host_id]).await;
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "small");
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
}

fn delivering(agent_id: &str) -> HeartbeatRequest {
    let id = Uuid::from_u128(5).to_string();
    let key = SshHostKey {
        algorithm: "ssh-ed25519".into(),
        fingerprint_sha256: format!("SHA256:{}", "k".repeat(43)),
    };
    HeartbeatRequest {
        check_results: vec![
            CheckResult { check_id: id.clone(), status: "pass".into(), ..Default::default() },
            CheckResult { check_id: id, status: "perhaps".into(), ..Default::default() },
        ],
        ssh_host_keys: vec![key],
        ..beat(agent_id)
    }
}

#[tokio::test]
async fn results_are_durable_before_they_are_acknowledged() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    node.queue.close_door();
    stream.send(delivering(&agent.id)).await;
    wait_until(SOON, || async { node.queue.waiting() == 2 }).await;
    assert!(stream.is_quiet().await, "neither report nor results are durable");
    node.queue.open_door();
    stream.acked().await;
    let event = node.queue.events(1).await.remove(0);
    assert_eq!((event.host_id, event.agent_id), (agent.host_id.to_string(), agent.id.clone()));
    assert_eq!(
        (event.org_id, event.received_at_ms),
        (node.org_id.to_string(), node.queue.reports(2).await[1].received_at_ms)
    );
    assert_eq!(event.check_results.len(), 1, "unknown statuses are dropped");
    assert!(event.ssh_host_keys.is_some());
    stream.send(delivering(&agent.id)).await;
    stream.acked().await;
    assert!(node.queue.events(2).await[1].ssh_host_keys.is_none(), "unchanged keys travel once");
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
    assert_eq!(node.queue.events(2).await.len(), 2, "a report without results makes no event");
}

/// Spec: monitoring 3
#[tokio::test]
async fn messages_that_only_deliver_are_no_samples() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let stream = node.client().stream(&agent).await;
    let progress = AgentTaskProgress { task_id: Uuid::from_u128(1).to_string(), output_chunk: "x".into() };
    let query = AgentQueryResult { query_id: Uuid::from_u128(1).to_string(), ..Default::default() };
    let ours = vec!["tasks".to_owned()];
    for message in [
        HeartbeatRequest { task_progress: vec![progress.clone()], ..beat(&agent.id) },
        HeartbeatRequest { query_results: vec![query], ..beat(&agent.id) },
        HeartbeatRequest { results_only: true, capabilities: ours.clone(), ..beat(&agent.id) },
        HeartbeatRequest { task_progress: vec![progress], capabilities: ours, ..beat(&agent.id) },
    ] {
        stream.send(message).await;
    }
    let samples: Vec<_> = node.queue.reports(5).await.iter().map(|report| report.is_sample).collect();
    assert_eq!(samples, [true, false, false, false, true]);
}

#[tokio::test]
async fn announcement_of_an_unknown_form_is_ignored() {
    let shelf = Arc::new(Shelf::default());
    let node = node_with(&shelf).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    wait_until(SOON, || async { shelf.times_asked() == 1 }).await;
    shelf.put(agent.host_id, &["after"]);
    for odd in ["work:", "work:x", "work:org:x", "nonsense"] {
        notify::notify(node.pool(), notify::AGENTS, odd).await.unwrap();
    }
    assert!(stream.is_quiet().await);
    notify::notify(node.pool(), notify::AGENTS, "work:all").await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().latest_version, "after");
}
