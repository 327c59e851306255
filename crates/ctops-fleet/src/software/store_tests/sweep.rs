use ctops_proto::queue::{AgentEvent, TaskResult};
use ctops_slice::{AgentEvents, Job};

use super::*;
use crate::software::consume::ScanEvents;
use crate::software::jobs::{PurgePackages, SweepScans};

impl Fixture {
    async fn switch(&self, enabled: bool, interval_hours: i32) {
        sqlx::query(
            "INSERT INTO software_settings (org_id, enabled, interval_hours, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (org_id) DO UPDATE SET enabled = $2, interval_hours = $3",
        )
        .bind(self.org)
        .bind(enabled)
        .bind(interval_hours)
        .bind(self.now())
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// Runs the sweeper `after` from now; returns how many scans are open.
    async fn sweep(&self, after: TimeDelta) -> i64 {
        self.clock.advance(after);
        SweepScans::new(self.pool().clone(), self.clock.clone()).run().await.unwrap();
        self.one("SELECT count(*) FROM software_scans WHERE status IN ('pending', 'running')").await
    }

    /// The open scan ends as its agent says.
    async fn fail_open(&self, error: &str) {
        let task: Uuid =
            self.one("SELECT id FROM software_scans WHERE status IN ('pending', 'running')").await;
        let result = TaskResult {
            task_id: task.to_string(),
            task_type: "software_inventory".into(),
            exit_code: -1,
            error: error.to_owned(),
            ..TaskResult::default()
        };
        let event = AgentEvent {
            host_id: self.host.id.to_string(),
            received_at_ms: self.clock.now_ms(),
            task_results: vec![result],
            ..AgentEvent::default()
        };
        let mut tx = self.pool().begin().await.unwrap();
        ScanEvents.apply(&mut tx, &[event]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Spec: software-inventory 3, 8
#[tokio::test]
async fn sweeper_scans_online_hosts_of_organisations_that_want_it_once_per_interval() {
    let it = Fixture::new().await;
    a_host(it.org).with_status("offline").insert(it.pool()).await;
    a_host(it.org).with_agent("revoked").insert(it.pool()).await;
    let elsewhere = a_organisation(it.pool()).await;
    a_host(elsewhere).insert(it.pool()).await;
    assert_eq!(it.sweep(TimeDelta::zero()).await, 0, "scans are off by default");
    it.switch(true, 24).await;
    assert_eq!(it.sweep(TimeDelta::minutes(1)).await, 1, "only the online host with an approved agent");
    let config: String = it.one("SELECT config_json FROM task_runs WHERE kind = 'software_inventory'").await;
    assert!(config.contains("\"include_snap\":false"), "{config}");
    assert_eq!(it.sweep(TimeDelta::minutes(1)).await, 1, "one at a time");
    let scan: Uuid = it.one("SELECT id FROM software_scans").await;
    let agent = it.host.agent_id.as_ref().unwrap();
    let upload = begin_upload(it.pool(), agent, &scan.to_string(), it.now()).await.unwrap();
    it.stage(&upload, "dpkg", &[("bash", "5.1")]).await;
    finish_upload(it.pool(), &upload, &["dpkg".into()], it.now()).await.unwrap();
    assert_eq!(it.sweep(TimeDelta::hours(24) - TimeDelta::minutes(1)).await, 0);
    // The jitter is at most a tenth of the interval.
    assert_eq!(it.sweep(TimeDelta::minutes(24 * 6 + 2)).await, 1);
    it.switch(false, 24).await;
    it.fail_open("").await;
    assert_eq!(it.sweep(TimeDelta::days(3)).await, 0);
}

/// Spec: software-inventory 8
#[tokio::test]
async fn sweeper_waits_an_hour_after_a_failure_and_twice_as_long_after_each_further_one() {
    let it = Fixture::new().await;
    it.switch(true, 1).await;
    let mut waited = TimeDelta::minutes(1);
    for pause in [1, 2, 4, 8, 16, 24, 24] {
        assert_eq!(it.sweep(waited).await, 1, "after {waited}");
        it.fail_open("collecting packages: \u{7}no").await;
        assert_eq!(it.sweep(TimeDelta::hours(pause) - TimeDelta::seconds(1)).await, 0, "{pause} h");
        waited = TimeDelta::seconds(1);
    }
    let error: String = it.one("SELECT error FROM software_scans LIMIT 1").await;
    assert_eq!(error, "collecting packages: no");
}

/// Spec: software-inventory 8
#[tokio::test]
async fn sweeper_begins_at_most_fifty_scans_a_minute_and_spreads_the_rest() {
    let it = Fixture::new().await;
    for _ in 0..60 {
        a_host(it.org).insert(it.pool()).await;
    }
    it.switch(true, 24).await;
    assert_eq!(it.sweep(TimeDelta::zero()).await, 50);
    assert_eq!(it.sweep(TimeDelta::seconds(30)).await, 50, "another node's turn within the minute");
    assert_eq!(it.sweep(TimeDelta::seconds(30)).await, 61);
    let jitters: i64 = it.one("SELECT count(DISTINCT hashtext(host_id::text) & 1023) FROM host_vitals").await;
    assert!(jitters > 40, "hosts are spread: {jitters}");
}

/// Spec: software-inventory 5
#[tokio::test]
async fn scan_that_never_ends_is_ended() {
    let it = Fixture::new().await;
    let upload = it.upload().await;
    it.stage(&upload, "dpkg", &[("bash", "5.1")]).await;
    assert_eq!(it.sweep(TimeDelta::minutes(60)).await, 1);
    assert_eq!(it.sweep(TimeDelta::seconds(1)).await, 0);
    let error: String = it.one("SELECT error FROM software_scans").await;
    assert_eq!(error, "the scan did not end in time");
    it.sweep(TimeDelta::hours(2)).await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_staged_packages").await, 0);
}

/// Spec: software-inventory 5, 8
#[tokio::test]
async fn scan_whose_task_was_skipped_or_cancelled_is_ended() {
    let it = Fixture::new().await;
    it.switch(true, 24).await;
    assert_eq!(it.sweep(TimeDelta::zero()).await, 1);
    let skip = "UPDATE task_targets SET status = 'skipped', completed_at = $1";
    sqlx::query(skip).bind(it.now()).execute(it.pool()).await.unwrap();
    assert_eq!(it.sweep(TimeDelta::seconds(60)).await, 0, "and the next one waits an hour");
    let error: String = it.one("SELECT error FROM software_scans").await;
    assert_eq!(error, "the agent did not begin the scan");
}

#[tokio::test]
async fn result_of_a_task_does_not_change_scans_that_ended_or_are_anothers() {
    let it = Fixture::new().await;
    it.scan(&[("dpkg", &[("bash", "5.1")])]).await;
    let upload = it.upload().await;
    let other = a_host(it.org).insert(it.pool()).await;
    let mut tx = it.pool().begin().await.unwrap();
    let pair = [(other.id, upload.scan_id)];
    let hosts = store::sweep::fail_tasks(&mut tx, &pair, &["x".into()], it.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(hosts.is_empty());
    let counts: String =
        it.one("SELECT string_agg(status, ',' ORDER BY requested_at) FROM software_scans").await;
    assert_eq!(counts, "success,running");
}

#[tokio::test]
async fn packages_that_are_gone_for_400_days_are_forgotten() {
    let it = Fixture::new().await;
    it.scan(&[("dpkg", &[("bash", "5.1"), ("vim", "9")])]).await;
    it.scan(&[("dpkg", &[("bash", "5.1")])]).await;
    let purge = PurgePackages::new(it.pool().clone(), it.clock.clone());
    it.clock.advance(TimeDelta::days(400));
    purge.run().await.unwrap();
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_packages").await, 2);
    it.clock.advance(TimeDelta::seconds(1));
    purge.run().await.unwrap();
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_packages").await, 1);
}
