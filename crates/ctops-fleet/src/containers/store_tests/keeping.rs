use ctops_pg::partitions::list_days;
use ctops_proto::queue::{AgentEvent, ContainerRuntime};
use ctops_slice::agents::Capabilities;
use ctops_slice::{AgentEvents, AgentWork, ConnectedAgent, Job};

use super::*;
use crate::containers::consume::RuntimeEvents;
use crate::containers::jobs::KeepTelemetry;
use crate::containers::work::TelemetryWork;

impl Fixture {
    async fn keep(&self) {
        KeepTelemetry::new(self.pool().clone(), self.clock.clone()).run().await.unwrap();
    }

    async fn report(&self, at: DateTime<Utc>, runtime: ContainerRuntime) {
        let event = AgentEvent {
            host_id: self.host.id.to_string(),
            org_id: self.org.to_string(),
            received_at_ms: at.timestamp_millis(),
            container_runtime: Some(runtime),
            ..AgentEvent::default()
        };
        let mut tx = self.pool().begin().await.unwrap();
        RuntimeEvents.apply(&mut tx, &[event]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn told(&self) -> Vec<(bool, i32)> {
        let agent = ConnectedAgent {
            host_id: self.host.id,
            org_id: self.org,
            agent_id: self.host.agent_id.clone().unwrap(),
            version: String::new(),
            os: "linux".into(),
            arch: "amd64".into(),
            capabilities: Capabilities::default(),
            config_revision: 0,
            pinned_certificate: String::new(),
        };
        let responses = TelemetryWork::new(self.pool().clone()).pending(&[agent]).await.unwrap();
        let config = |(_, response): (Uuid, ctops_proto::agent::HeartbeatResponse)| {
            let config = response.docker_telemetry_config.unwrap();
            (config.enabled, config.sample_interval_seconds)
        };
        responses.into_iter().map(config).collect()
    }
}

fn a_runtime(status: &str) -> ContainerRuntime {
    ContainerRuntime { status: status.into(), runtime_version: "27.1".into(), ..ContainerRuntime::default() }
}

/// Spec: containers 1, 2
#[tokio::test]
async fn newest_state_of_the_runtime_is_kept_with_a_bounded_error() {
    let it = Fixture::new().await;
    it.report(it.now(), a_runtime("installed")).await;
    let error = ContainerRuntime { error: "e".repeat(2_000), ..a_runtime("unreachable") };
    it.report(it.now() + TimeDelta::seconds(30), error).await;
    it.report(it.now(), a_runtime("installed")).await;
    it.report(it.now() + TimeDelta::seconds(60), a_runtime("melted")).await;
    let kept: String =
        it.one("SELECT status || ' ' || version || ' ' || length(error) FROM container_runtimes").await;
    assert_eq!(kept, "unreachable 27.1 512");
    let ahead = ContainerRuntime { checked_at_ms: i64::MAX, ..a_runtime("installed") };
    it.report(it.now() + TimeDelta::seconds(90), ahead).await;
    let checked: DateTime<Utc> = it.one("SELECT checked_at FROM container_runtimes").await;
    assert_eq!(checked, it.now() + TimeDelta::seconds(90), "a clock far ahead is not believed");
}

/// Spec: containers 5, 6
#[tokio::test]
async fn agents_are_told_what_to_collect_once_somebody_has_chosen() {
    let it = Fixture::new().await;
    assert_eq!(it.told().await, [], "agents know the defaults");
    it.execute(
        "INSERT INTO container_settings (org_id, sample_interval_seconds, updated_at)
         SELECT $1, 60, $3 WHERE $2::uuid IS NOT NULL",
    )
    .await;
    assert_eq!(it.told().await, [(true, 60)]);
    it.execute(
        "INSERT INTO container_host_settings (host_id, org_id, enabled, updated_at) VALUES ($2, $1, false, $3)",
    )
    .await;
    assert_eq!(it.told().await, [(false, 60)]);
    it.execute("DELETE FROM container_settings WHERE org_id = $1 AND $2::uuid IS NOT NULL AND $3::timestamptz IS NOT NULL")
        .await;
    assert_eq!(it.told().await, [(false, 10)]);
}

/// Spec: containers 16
#[tokio::test]
async fn container_that_is_gone_for_thirty_days_is_forgotten_with_everything() {
    let it = Fixture::new().await;
    it.inventory("1", &["a", "b"]).await;
    it.store(&samples("s1", vec![a_sample("a", it.now(), 1)])).await;
    it.inventory("2", &["b"]).await;
    it.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(31));
    it.keep().await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM containers").await, 2, "it stays listed for 30 days");
    it.clock.advance(TimeDelta::seconds(32));
    it.keep().await;
    assert_eq!(
        it.one::<String>("SELECT string_agg(container_id, '') FROM containers").await,
        "b",
        "present ones stay"
    );
    let left = "SELECT (SELECT count(*) FROM container_samples) + (SELECT count(*) FROM container_events)";
    assert_eq!(it.one::<i64>(left).await, 0);
}

/// Spec: containers 24, 25
#[tokio::test]
async fn samples_are_kept_for_the_hosts_own_days_else_the_organisations_else_thirty() {
    let it = Fixture::new().await;
    it.keep().await;
    let first = it.now().date_naive();
    assert_eq!(list_days(it.pool(), "container_samples").await.unwrap().len(), 9);
    it.inventory("1", &["a"]).await;
    it.store(&samples("s1", vec![a_sample("a", it.now(), 1)])).await;
    let count = "SELECT count(*) FROM container_samples";
    it.clock.advance(TimeDelta::days(8));
    it.keep().await;
    assert_eq!(it.one::<i64>(count).await, 1);
    it.execute(
        "INSERT INTO container_host_settings (host_id, org_id, retention_days, updated_at) VALUES ($2, $1, 7, $3)",
    )
    .await;
    it.keep().await;
    assert_eq!(it.one::<i64>(count).await, 0, "the host's own value");
    it.clock.advance(TimeDelta::days(23));
    it.keep().await;
    assert!(
        !list_days(it.pool(), "container_samples").await.unwrap().contains(&first),
        "whole days go as partitions"
    );
}

/// Spec: containers 12
#[tokio::test]
async fn batch_ids_are_remembered_for_seven_days_and_events_for_a_year() {
    let it = Fixture::new().await;
    it.inventory("1", &["a"]).await;
    it.inventory("2", &["a", "b"]).await;
    it.clock.advance(TimeDelta::days(7));
    it.keep().await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_batches").await, 1);
    it.clock.advance(TimeDelta::seconds(31));
    it.keep().await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_batches").await, 0);
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_events").await, 2);
    it.clock.advance(TimeDelta::days(359));
    it.keep().await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM container_events").await, 0);
}

/// Spec: containers 17
#[tokio::test]
async fn containers_of_a_host_that_is_offline_keep_their_last_state_without_events() {
    let it = Fixture::new().await;
    it.inventory("1", &["a"]).await;
    it.execute(
        "UPDATE host_vitals SET status = 'offline', last_seen_at = $3 WHERE org_id = $1 AND host_id = $2",
    )
    .await;
    it.clock.advance(TimeDelta::days(60));
    it.keep().await;
    assert_eq!((it.present().await.as_str(), it.events().await.as_str()), ("a", ""));
}
