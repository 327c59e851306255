//! Container telemetry over the real wire.

use ctops_ingest::Limits;
use ctops_proto::agent::{
    DockerContainerInventory, DockerContainerLabel, DockerContainerMetricSample, DockerTelemetryAck,
    DockerTelemetryBatch,
};
use ctops_slice::announce_work;
use tonic::{Code, Status};

use crate::support::{TestAgent, TestNode, beat};

fn item(id: &str) -> DockerContainerInventory {
    DockerContainerInventory {
        docker_container_id: id.to_owned(),
        names: vec![format!("name-{id}")],
        image: "nginx:1".into(),
        state: "running".into(),
        status: "Up 1 minute".into(),
        ..DockerContainerInventory::default()
    }
}

fn sample(id: &str, recorded_at_unix: i64) -> DockerContainerMetricSample {
    DockerContainerMetricSample {
        docker_container_id: id.to_owned(),
        recorded_at_unix,
        cpu_percent: 5.0,
        ..DockerContainerMetricSample::default()
    }
}

/// A batch as agents of the original product send it.
fn batch(id: &str, containers: &[&str], samples: Vec<DockerContainerMetricSample>) -> DockerTelemetryBatch {
    DockerTelemetryBatch {
        batch_id: id.to_owned(),
        inventory: containers.iter().map(|id| item(id)).collect(),
        samples,
        ..DockerTelemetryBatch::default()
    }
}

async fn send(
    node: &TestNode,
    agent: &TestAgent,
    batches: Vec<DockerTelemetryBatch>,
) -> Result<DockerTelemetryAck, Status> {
    let connection = node.client().connect(Some(agent)).await;
    let answer = connection.rpc().submit_docker_telemetry(tokio_stream::iter(batches)).await?;
    Ok(answer.into_inner())
}

async fn present(node: &TestNode, agent: &TestAgent) -> String {
    sqlx::query_scalar(
        "SELECT COALESCE(string_agg(container_id, ' ' ORDER BY container_id), '')
         FROM containers WHERE host_id = $1 AND is_present",
    )
    .bind(agent.host_id)
    .fetch_one(node.pool())
    .await
    .unwrap()
}

async fn count(node: &TestNode, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(node.pool()).await.unwrap()
}

const SAMPLES: &str = "SELECT count(*) FROM container_samples";
const GONE: &str = "SELECT count(*) FROM container_events WHERE kind = 'disappeared'";

/// Spec: containers 7, 12
#[tokio::test]
async fn upload_is_stored_before_it_is_acknowledged_with_the_sums_of_its_batches() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let now = node.clock.now().timestamp();
    let batches = vec![
        batch("1", &["a", "b"], vec![sample("a", now - 20), sample("b", now - 20)]),
        batch("2", &[], vec![sample("a", now - 10)]),
    ];
    let ack = send(&node, &agent, batches.clone()).await.unwrap();
    assert!(ack.ok && ack.error.is_empty());
    assert_eq!((ack.accepted_inventory_count, ack.accepted_sample_count, ack.batch_id.as_str()), (2, 3, "2"));
    assert_eq!((count(&node, SAMPLES).await, present(&node, &agent).await.as_str()), (3, "a b"));
    // A repetition is acknowledged and not stored again.
    let again = send(&node, &agent, batches).await.unwrap();
    assert_eq!((again.ok, again.accepted_inventory_count, again.accepted_sample_count), (true, 0, 0));
    assert_eq!(count(&node, SAMPLES).await, 3);
}

/// An agent of the original product sends samples alone with `dropped_inventory_count` 0 when its list call failed, and
/// splits a large inventory over several batches; the original server then takes all other containers for gone.
///
/// Spec: containers 13
#[tokio::test]
async fn upload_of_samples_alone_or_of_an_inventory_in_parts_makes_nothing_disappear() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let now = node.clock.now().timestamp();
    send(&node, &agent, vec![batch("1", &["a", "b"], vec![]), batch("2", &["c"], vec![])]).await.unwrap();
    assert_eq!(present(&node, &agent).await, "a b c");
    send(&node, &agent, vec![batch("3", &[], vec![sample("a", now)])]).await.unwrap();
    let incomplete = DockerTelemetryBatch { dropped_inventory_count: 2, ..batch("4", &["a"], vec![]) };
    send(&node, &agent, vec![incomplete]).await.unwrap();
    let counted = DockerTelemetryBatch { dropped_sample_count: 9, ..batch("5", &[], vec![]) };
    send(&node, &agent, vec![counted]).await.unwrap();
    // An old inventory that is sent again says nothing about now.
    send(&node, &agent, vec![batch("6", &["a", "b", "c", "d"], vec![])]).await.unwrap();
    send(&node, &agent, vec![batch("2", &["c"], vec![])]).await.unwrap();
    assert_eq!((present(&node, &agent).await.as_str(), count(&node, GONE).await), ("a b c d", 0));
    // A whole inventory does.
    send(&node, &agent, vec![batch("7", &["a"], vec![]), batch("8", &[], vec![sample("a", now)])])
        .await
        .unwrap();
    assert_eq!((present(&node, &agent).await.as_str(), count(&node, GONE).await), ("a", 3));
}

/// Spec: containers 13
#[tokio::test]
async fn upload_of_a_named_inventory_is_complete_when_all_of_it_arrived_also_when_it_is_empty() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let part = |id: &str, inventory: &str, total, containers: &[&str]| DockerTelemetryBatch {
        inventory_id: inventory.to_owned(),
        inventory_total: total,
        dropped_inventory_count: total - containers.len() as u32,
        ..batch(id, containers, vec![])
    };
    send(&node, &agent, vec![part("1", "i1", 2, &["a", "b"])]).await.unwrap();
    send(&node, &agent, vec![part("2", "i2", 2, &["b"])]).await.unwrap();
    assert_eq!(present(&node, &agent).await, "a b");
    send(&node, &agent, vec![part("3", "i2", 2, &["c"])]).await.unwrap();
    assert_eq!(present(&node, &agent).await, "b c");
    send(&node, &agent, vec![part("4", "i3", 0, &[])]).await.unwrap();
    assert_eq!(present(&node, &agent).await, "");
}

/// The original refuses the whole stream for one such sample, and its agent sends it again for ever.
///
/// Spec: containers 14
#[tokio::test]
async fn upload_with_samples_of_impossible_times_or_values_keeps_the_others() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let now = node.clock.now().timestamp();
    let day = 86_400;
    let bad_value = DockerContainerMetricSample { cpu_percent: f64::NAN, ..sample("a", now) };
    let samples = vec![
        sample("a", now + 301),
        sample("a", now - 35 * day - 1),
        sample("a", 0),
        sample("nobody", now),
        bad_value,
        sample("a", now - 1),
    ];
    let ack = send(&node, &agent, vec![batch("1", &["a"], samples)]).await.unwrap();
    assert_eq!((ack.ok, ack.accepted_sample_count, count(&node, SAMPLES).await), (true, 1, 1));
    assert_eq!(count(&node, "SELECT rejected_samples FROM container_runtimes").await, 5);
}

/// Spec: containers 12
#[tokio::test]
async fn upload_beyond_a_limit_is_invalid_and_nothing_of_the_batch_is_stored() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let now = node.clock.now().timestamp();
    let names: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let large =
        DockerContainerLabel { key: "com.docker.compose.x".into(), value: "x".repeat(5 * 1024 * 1024) };
    let mut heavy = batch("heavy", &["a"], vec![]);
    heavy.inventory[0].labels = vec![large];
    let cases = [
        batch("items", &names, vec![]),
        batch("samples", &["a"], vec![sample("a", now); 5_001]),
        DockerTelemetryBatch { payload_bytes: 6_000_000, ..batch("said", &["a"], vec![]) },
        heavy,
        batch("", &["a"], vec![]),
        DockerTelemetryBatch { runtime: "lxc".into(), ..batch("runtime", &["a"], vec![]) },
    ];
    for case in cases {
        let id = case.batch_id.clone();
        let refused = send(&node, &agent, vec![case]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{id}: {refused:?}");
    }
    assert_eq!(send(&node, &agent, vec![]).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!((present(&node, &agent).await.as_str(), count(&node, SAMPLES).await), ("", 0));
    // What came before the bad batch of a call is stored; without its end it is no complete inventory.
    send(&node, &agent, vec![batch("1", &["a", "b"], vec![])]).await.unwrap();
    let bad = DockerTelemetryBatch { payload_bytes: u32::MAX, ..batch("3", &["c"], vec![]) };
    send(&node, &agent, vec![batch("2", &["a"], vec![]), bad]).await.unwrap_err();
    assert_eq!(present(&node, &agent).await, "a b");
    send(&node, &agent, vec![batch("4", &names[..1_000], vec![sample("0", now); 5_000])]).await.unwrap();
    assert_eq!(count(&node, "SELECT count(*) FROM containers WHERE is_present").await, 1_000);
}

/// Spec: containers 12; security 19
#[tokio::test]
async fn upload_for_another_agent_or_of_one_that_is_not_approved_is_refused() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let stolen = DockerTelemetryBatch { agent_id: other.id.clone(), ..batch("1", &["a"], vec![]) };
    assert_eq!(send(&node, &agent, vec![stolen]).await.unwrap_err().code(), Code::PermissionDenied);
    let own = DockerTelemetryBatch { agent_id: agent.id.clone(), ..batch("1", &["a"], vec![]) };
    assert!(send(&node, &agent, vec![own]).await.unwrap().ok);
    for status in ["pending", "revoked"] {
        let agent = node.agent_with_status(status).await;
        let refused = send(&node, &agent, vec![batch("1", &["a"], vec![])]).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{status}");
    }
    let unknown = node.unknown_agent();
    let refused = send(&node, &unknown, vec![batch("1", &["a"], vec![])]).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!((present(&node, &agent).await.as_str(), present(&node, &other).await.as_str()), ("a", ""));
}

/// Spec: containers 11
#[tokio::test]
async fn upload_with_all_labels_keeps_those_of_the_policy_and_hides_what_may_be_secret() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let label = |key: &str| DockerContainerLabel { key: key.to_owned(), value: "value".into() };
    let mut upload = batch("1", &["a"], vec![]);
    let keys = ["com.docker.compose.service", "com.docker.compose.secret-file", "DB_PASSWORD", "maintainer"];
    upload.inventory[0].labels = keys.map(label).to_vec();
    send(&node, &agent, vec![upload]).await.unwrap();
    let labels: String =
        sqlx::query_scalar("SELECT labels::text FROM containers").fetch_one(node.pool()).await.unwrap();
    assert_eq!(
        labels,
        r#"{"com.docker.compose.service": "value", "com.docker.compose.secret-file": "hidden"}"#
    );
}

/// Agents of the original product obey this as well, so it goes to every agent (containers 6).
///
/// Spec: containers 5, 6
#[tokio::test]
async fn agent_is_told_within_a_moment_that_its_containers_are_not_to_be_watched() {
    let node = TestNode::with_work(Limits::default(), |pool| {
        ctops_fleet::containers::slice(pool, &ctops_base::Clock::system()).works().to_vec()
    })
    .await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    assert!(stream.is_quiet().await, "nobody chose anything");
    let mut tx = node.pool().begin().await.unwrap();
    sqlx::query(
        "INSERT INTO container_host_settings (host_id, org_id, enabled, updated_at) VALUES ($1, $2, false, $3)",
    )
    .bind(agent.host_id)
    .bind(node.org_id)
    .bind(node.clock.now())
    .execute(&mut *tx)
    .await
    .unwrap();
    announce_work(&mut tx, &[agent.host_id]).await.unwrap();
    tx.commit().await.unwrap();
    let config = stream.next().await.unwrap().unwrap().docker_telemetry_config.unwrap();
    assert!(!config.enabled && config.sample_interval_seconds == 10);
    let ack = send(&node, &agent, vec![batch("1", &["a"], vec![])]).await.unwrap();
    assert!(ack.ok && ack.accepted_inventory_count == 0, "what still comes is not stored");
    assert_eq!(present(&node, &agent).await, "");
    // A new stream is told again.
    drop(stream);
    let mut again = node.client().stream(&agent).await;
    again.send(beat(&agent.id)).await;
    let mut configs = 0;
    for _ in 0..3 {
        configs += usize::from(again.next().await.unwrap().unwrap().docker_telemetry_config.is_some());
    }
    assert_eq!(configs, 1);
}
