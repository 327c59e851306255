#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_proto::agent::{DockerContainerInventory, DockerContainerMetricSample, DockerTelemetryBatch};
use ctops_testkit::{TestDb, TestHost, a_clock, a_host, a_organisation};
use uuid::Uuid;

use super::model::{BatchOutcome, TelemetrySource};
use super::telemetry::{complete_inventory, store_batch};

mod keeping;

/// An organisation with one host.
struct Fixture {
    db: TestDb,
    clock: Clock,
    org: Uuid,
    host: TestHost,
}

impl Fixture {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let host = a_host(org).insert(db.pool()).await;
        Self { db, clock: a_clock(), org, host }
    }

    fn pool(&self) -> &Pool {
        self.db.pool()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn source(&self) -> TelemetrySource {
        TelemetrySource { host_id: self.host.id, org_id: self.org }
    }

    async fn store(&self, batch: &DockerTelemetryBatch) -> BatchOutcome {
        store_batch(self.pool(), self.source(), batch, "call", self.now()).await.unwrap()
    }

    /// A complete inventory of these containers, all running, 30 s after the one before.
    async fn inventory(&self, id: &str, containers: &[&str]) -> BatchOutcome {
        self.clock.advance(TimeDelta::seconds(30));
        let inventory: Vec<_> = containers.iter().map(|name| running(name)).collect();
        let batch = DockerTelemetryBatch {
            batch_id: format!("batch-{id}"),
            inventory_id: id.to_owned(),
            inventory_total: u32::try_from(inventory.len()).unwrap(),
            inventory,
            ..DockerTelemetryBatch::default()
        };
        self.store(&batch).await
    }

    async fn present(&self) -> String {
        let sql = "SELECT COALESCE(string_agg(container_id, ' ' ORDER BY container_id), '') FROM containers WHERE is_present";
        self.one(sql).await
    }

    /// Events as `container:kind`, in the order in which they were written.
    async fn events(&self) -> String {
        let sql = "SELECT COALESCE(string_agg(c.container_id || ':' || e.kind, ' ' ORDER BY e.id), '')
                   FROM container_events e JOIN containers c ON c.id = e.container_id";
        self.one(sql).await
    }

    async fn one<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql)
            .bind(self.org)
            .bind(self.host.id)
            .bind(self.now())
            .execute(self.pool())
            .await
            .unwrap();
    }
}

fn running(id: &str) -> DockerContainerInventory {
    DockerContainerInventory {
        docker_container_id: id.to_owned(),
        names: vec![format!("name-{id}")],
        image: "nginx:1".into(),
        state: "running".into(),
        status: "Up 1 minute".into(),
        started_at_unix: 1_780_000_000,
        ..DockerContainerInventory::default()
    }
}

fn a_sample(id: &str, at: DateTime<Utc>, rx: u64) -> DockerContainerMetricSample {
    DockerContainerMetricSample {
        docker_container_id: id.to_owned(),
        recorded_at_unix: at.timestamp(),
        cpu_percent: 150.0,
        memory_usage_bytes: 10,
        memory_limit_bytes: 100,
        memory_percent: 10.0,
        network_rx_bytes: rx,
        ..DockerContainerMetricSample::default()
    }
}

fn samples(id: &str, samples: Vec<DockerContainerMetricSample>) -> DockerTelemetryBatch {
    DockerTelemetryBatch { batch_id: id.to_owned(), samples, ..DockerTelemetryBatch::default() }
}

/// Spec: containers 13, 15
#[tokio::test]
async fn complete_inventory_marks_what_it_does_not_have_as_gone_also_when_it_is_empty() {
    let it = Fixture::new().await;
    it.inventory("1", &["a", "b"]).await;
    assert_eq!(
        (it.present().await.as_str(), it.events().await.as_str()),
        ("a b", ""),
        "the first is no news"
    );
    it.inventory("2", &["b", "c"]).await;
    assert_eq!(it.present().await, "b c");
    assert_eq!(it.events().await, "c:appeared c:started a:disappeared");
    it.inventory("3", &[]).await;
    assert_eq!(it.present().await, "");
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_events WHERE kind = 'disappeared'").await, 3);
    it.inventory("4", &["a"]).await;
    assert_eq!(it.present().await, "a");
    assert!(it.events().await.ends_with("a:appeared"), "it came back");
}

/// Spec: containers 13
#[tokio::test]
async fn inventory_in_parts_is_complete_only_with_the_last_of_them() {
    let it = Fixture::new().await;
    it.inventory("1", &["a", "b", "c"]).await;
    let part = |batch: &str, names: &[&str]| DockerTelemetryBatch {
        batch_id: batch.to_owned(),
        inventory_id: "2".into(),
        inventory_total: 3,
        inventory: names.iter().map(|name| running(name)).collect(),
        ..DockerTelemetryBatch::default()
    };
    it.store(&part("p1", &["d", "e"])).await;
    assert_eq!(it.present().await, "a b c d e");
    it.store(&part("p1", &["d", "e"])).await;
    assert_eq!(it.present().await, "a b c d e", "a repeated part does not count twice");
    it.store(&part("p2", &["a"])).await;
    assert_eq!(it.present().await, "a d e");
}

/// Spec: containers 13
#[tokio::test]
async fn samples_alone_never_change_presence() {
    let it = Fixture::new().await;
    it.inventory("1", &["a", "b"]).await;
    let stored = it.store(&samples("s1", vec![a_sample("a", it.now(), 1)])).await;
    assert_eq!((stored.samples, stored.items), (1, 0));
    complete_inventory(it.pool(), it.source(), "call", it.now()).await.unwrap();
    assert_eq!((it.present().await.as_str(), it.events().await.as_str()), ("a b", ""));
}

/// Spec: containers 12
#[tokio::test]
async fn batch_that_is_repeated_is_acknowledged_and_stored_once() {
    let it = Fixture::new().await;
    it.inventory("1", &["a"]).await;
    let mut batch = samples("s1", vec![a_sample("a", it.now(), 1), a_sample("a", it.now(), 1)]);
    batch.dropped_sample_count = 7;
    assert!(!it.store(&batch).await.repeated);
    let again = it.store(&batch).await;
    assert_eq!(again, BatchOutcome { repeated: true, items: 0, samples: 0 });
    assert_eq!(
        it.one::<i64>("SELECT count(*) FROM container_samples").await,
        1,
        "unique by container and time"
    );
    assert_eq!(it.one::<i64>("SELECT lost_samples FROM container_runtimes").await, 7);
    // Another host may use the same id.
    let other = a_host(it.org).insert(it.pool()).await;
    let source = TelemetrySource { host_id: other.id, org_id: it.org };
    assert!(!store_batch(it.pool(), source, &batch, "call", it.now()).await.unwrap().repeated);
}

/// Spec: containers 14
#[tokio::test]
async fn samples_of_impossible_times_or_unknown_containers_are_counted_and_left_out() {
    let it = Fixture::new().await;
    it.inventory("1", &["a"]).await;
    let future = it.now() + TimeDelta::hours(1);
    let batch =
        samples("s1", vec![a_sample("a", future, 1), a_sample("x", it.now(), 1), a_sample("a", it.now(), 1)]);
    assert_eq!(it.store(&batch).await.samples, 1);
    assert_eq!(it.one::<i64>("SELECT rejected_samples FROM container_runtimes").await, 2);
}

/// Spec: containers 8, 9
#[tokio::test]
async fn rates_go_over_batches_and_have_a_gap_at_a_restart() {
    let it = Fixture::new().await;
    it.inventory("1", &["a"]).await;
    let at = |seconds| it.now() + TimeDelta::seconds(seconds);
    it.store(&samples("s1", vec![a_sample("a", at(10), 2_000), a_sample("a", at(0), 1_000)])).await;
    it.store(&samples("s2", vec![a_sample("a", at(20), 2_500), a_sample("a", at(30), 100)])).await;
    let rates: Vec<Option<f32>> =
        sqlx::query_scalar("SELECT rx_bps FROM container_samples ORDER BY recorded_at")
            .fetch_all(it.pool())
            .await
            .unwrap();
    assert_eq!(rates, [None, Some(100.0), Some(50.0), None]);
    assert_eq!(it.one::<f32>("SELECT max(cpu_percent) FROM container_samples").await, 150.0);
}

/// Spec: containers 5, 11
#[tokio::test]
async fn labels_are_kept_by_the_organisations_policy_and_nothing_at_all_while_collection_is_off() {
    let it = Fixture::new().await;
    it.execute(
        "INSERT INTO container_settings (org_id, label_prefixes, updated_at)
         SELECT $1, '{team.}', $3 WHERE $2::uuid IS NOT NULL",
    )
    .await;
    let label = |key: &str| ctops_proto::agent::DockerContainerLabel { key: key.into(), value: "v".into() };
    let mut item = running("a");
    item.labels = ["team.name", "team.api_token", "other", "com.docker.compose.project"].map(label).to_vec();
    let batch = |id: &str| DockerTelemetryBatch {
        batch_id: id.to_owned(),
        inventory: vec![item.clone()],
        ..DockerTelemetryBatch::default()
    };
    it.store(&batch("1")).await;
    let labels: serde_json::Value = it.one("SELECT labels FROM containers").await;
    let kept = serde_json::json!({ "team.name": "v", "team.api_token": "hidden", "com.docker.compose.project": "v" });
    assert_eq!(labels, kept);
    assert_eq!(it.one::<String>("SELECT project FROM containers").await, "v");
    it.execute(
        "INSERT INTO container_host_settings (host_id, org_id, enabled, updated_at) VALUES ($2, $1, false, $3)",
    )
    .await;
    assert_eq!(it.store(&samples("2", vec![a_sample("a", it.now(), 1)])).await, BatchOutcome::default());
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_samples").await, 0);
    assert_eq!(it.one::<i64>("SELECT count(*) FROM containers").await, 1, "what is stored stays");
}
