//! An installation moves from the embedded log to brokers and back.

use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_queue::Topic;
use ctops_server::migrate_profile::{Profile, run};
use ctops_server::queue::{ServerQueue, open};
use ctops_server::queue_claim::QueueClaim;
use ctops_server::settings::Settings;
use ctops_testkit::TestDb;
use rdkafka::mocking::MockCluster;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const READS: [(Topic, &str); 1] = [(Topic::METRICS_RAW, "metrics")];

fn settings(state_dir: &TempDir, brokers: Option<&str>) -> Settings {
    let state_dir = state_dir.path().to_str().unwrap().to_owned();
    let brokers = brokers.map(|brokers| ("CT_OPS_QUEUE_BROKERS".to_owned(), brokers.to_owned()));
    Settings::load([("CT_OPS_STATE_DIR".to_owned(), state_dir)].into_iter().chain(brokers)).unwrap()
}

async fn publish(queue: &ServerQueue, count: usize) {
    let records = (0..count).map(|number| ("host".into(), number.to_string().into())).collect();
    queue.handle().publish_many(Topic::METRICS_RAW, records).await.unwrap();
}

async fn offsets(pool: &Pool) -> Vec<(i32, i64)> {
    sqlx::query_as(
        "SELECT partition, next_offset FROM consumer_offsets WHERE group_name = 'metrics' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Spec: deployment 3
#[tokio::test]
async fn installation_moves_to_brokers_and_back_with_everything_that_waits() {
    let (db, state_dir, clock) = (TestDb::new().await, tempfile::tempdir().unwrap(), Clock::system());
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(Topic::METRICS_RAW.name(), 2, 1).unwrap();
    let addresses = brokers.bootstrap_servers();
    let embedded = settings(&state_dir, None);
    let queue = open(&embedded, &READS, clock.clone()).await.unwrap();
    publish(&queue, 30).await;
    queue.close().await;
    drop(queue);

    let migrate = |settings, to, brokers| run(settings, db.pool(), &clock, &READS, to, brokers);
    migrate(&embedded, Profile::Kafka, None).await.expect_err("no brokers are named");
    let text = migrate(&embedded, Profile::Kafka, Some(&addresses)).await.unwrap();
    assert!(text.starts_with("metrics.raw: moved 30 records\n"), "{text}");
    assert!(text.contains(&format!("CT_OPS_QUEUE_BROKERS={addresses}")), "{text}");
    assert!(state_dir.path().join("queue.moved").is_dir() && !state_dir.path().join("queue").exists());
    assert_eq!(offsets(db.pool()).await, [(0, 0), (1, 0)], "the consumers continue on the brokers");

    let shared = settings(&state_dir, Some(&addresses));
    let queue = open(&shared, &READS, clock.clone()).await.unwrap();
    publish(&queue, 5).await;
    queue.close().await;
    let text = migrate(&shared, Profile::Embedded, None).await.unwrap();
    assert!(text.starts_with("metrics.raw: moved 35 records\n"), "{text}");
    assert!(text.contains("Remove CT_OPS_QUEUE_BROKERS"), "{text}");
    assert_eq!(offsets(db.pool()).await, [(0, 0)]);
}

/// Spec: deployment 3
#[tokio::test]
async fn installation_whose_server_runs_is_not_touched() {
    let (db, state_dir) = (TestDb::new().await, tempfile::tempdir().unwrap());
    let embedded = settings(&state_dir, None);
    let queue = open(&embedded, &READS, Clock::system()).await.unwrap();
    let claim = QueueClaim::take(db.pool(), &queue, "ct-ops serve".into()).await.unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(claim.keep(stop.clone()));
    let clock = Clock::system();
    let refusal = run(&embedded, db.pool(), &clock, &READS, Profile::Kafka, Some("127.0.0.1:1")).await;
    let refusal = format!("{:#}", refusal.unwrap_err());
    assert!(refusal.contains("stop the server first") && refusal.contains("ct-ops serve"), "{refusal}");
    stop.cancel();
    server.await.unwrap();
}
