use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_fleet::metrics::NewSample;
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::support::{a_sample, at, count_of, keep, roll, write};
use crate::support::{App, Person};

const SETTINGS: &str = "/settings/retention";

async fn set(app: &App, who: &Person, days: Value) -> crate::support::Answer {
    let body = Some(json!({ "metric_retention_days": days }));
    app.send(Some(who), "PUT", SETTINGS, body, [127, 0, 0, 1]).await
}

/// Spec: monitoring 13
#[tokio::test]
async fn retention_is_30_days_until_somebody_who_may_sets_it() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let engineer = app.person(Role::Engineer).await;
    let shown = app.get(&admin, SETTINGS).await.expect(200);
    assert_eq!((&shown["metric_retention_days"], &shown["limit_days"]), (&json!(30), &json!(180)));
    assert_eq!(set(&app, &admin, json!(7)).await.expect(200)["metric_retention_days"], 7);
    assert_eq!(set(&app, &admin, json!(180)).await.expect(200)["metric_retention_days"], 180);
    assert_eq!(set(&app, &admin, json!(181)).await.expect(403)["code"], "feature_not_licensed");
    for bad in [json!(0), json!(366), json!("30"), json!(7.5), json!(null)] {
        set(&app, &admin, bad).await.expect(422);
    }
    app.get(&engineer, SETTINGS).await.expect(403);
    set(&app, &engineer, json!(7)).await.expect(403);
    assert_eq!(app.get(&admin, SETTINGS).await.expect(200)["metric_retention_days"], 180);
    let audited = app.audited(&app.org.to_string()).await;
    assert_eq!(audited, ["retention.changed", "retention.changed"]);
    let other = app.person_of(a_organisation(app.pool()).await, Role::OrgAdmin).await;
    assert_eq!(app.get(&other, SETTINGS).await.expect(200)["metric_retention_days"], 30, "each has its own");
}

/// Spec: monitoring 14
#[tokio::test]
async fn settings_name_what_each_resolution_is_kept_for() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let shown = set(&app, &admin, json!(120)).await.expect(200);
    let days: Vec<(&str, i64)> = shown["resolutions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["resolution"].as_str().unwrap(), r["days"].as_i64().unwrap()))
        .collect();
    assert_eq!(days, [("raw", 30), ("1m", 30), ("1h", 120), ("1d", 180)]);
}

/// Spec: monitoring 15
#[tokio::test]
async fn settings_show_rows_bytes_and_the_oldest_sample_of_each_resolution() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let before = app.get(&admin, SETTINGS).await.expect(200);
    assert_eq!(before["resolutions"][0]["rows"], json!(null), "not counted yet");
    keep(&app).await;
    let samples: Vec<NewSample> = (0..120).map(|n| a_sample(&host, at(-172_800 + n * 30), 1)).collect();
    write(app.pool(), &samples, true).await;
    roll(&app).await;
    keep(&app).await;
    let shown = app.get(&admin, SETTINGS).await.expect(200);
    let rows: Vec<i64> = (0..4).map(|n| shown["resolutions"][n]["rows"].as_i64().unwrap()).collect();
    assert_eq!(rows, [360, 180, 3, 3], "of the host, its mount point and its interface");
    for n in 0..4 {
        let resolution = &shown["resolutions"][n];
        assert!(resolution["bytes"].as_i64().unwrap() > 8_192, "{resolution}");
        assert!(resolution["measured_at"].is_string());
    }
    assert_eq!(shown["resolutions"][0]["oldest_sample_at"], "2026-06-01T12:00:00.000Z");
    assert_eq!(shown["resolutions"][3]["oldest_sample_at"], "2026-06-01T00:00:00.000Z");
}

/// One row per resolution, of a time that long ago.
async fn a_row_each(app: &App, host: &TestHost, days_ago: i64) {
    let time = app.clock.now() - TimeDelta::days(days_ago);
    write(app.pool(), &[a_sample(host, time, 1)], true).await;
    for level in ["1m", "1h", "1d"] {
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO metric_samples_{level} (host_id, bucket, samples, first_at, last_at) VALUES ($1, $2, 1, $2, $2)"
        )))
        .bind(host.id)
        .bind(time)
        .execute(app.pool())
        .await
        .unwrap();
    }
}

/// Days ago of what is left, by resolution.
async fn left(app: &App, host: Uuid) -> [Vec<i64>; 4] {
    let tables = [
        ("metric_samples", "recorded_at"),
        ("metric_samples_1m", "bucket"),
        ("metric_samples_1h", "bucket"),
        ("metric_samples_1d", "bucket"),
    ];
    let mut all = Vec::new();
    for (table, time) in tables {
        let times: Vec<DateTime<Utc>> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT {time} FROM {table} WHERE host_id = $1 ORDER BY 1 DESC"
        )))
        .bind(host)
        .fetch_all(app.pool())
        .await
        .unwrap();
        all.push(times.iter().map(|time| (app.clock.now() - *time).num_days()).collect());
    }
    all.try_into().unwrap()
}

/// Spec: monitoring 14, 15
#[tokio::test]
async fn what_no_organisation_keeps_is_dropped_and_what_one_does_not_keep_is_deleted() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let other = a_organisation(app.pool()).await;
    let (short, long) = (a_host(app.org).insert(app.pool()).await, a_host(other).insert(app.pool()).await);
    // Partitions as they were made on each of these days.
    for days in [200, 120, 100, 40, 20, 10, 0] {
        app.clock.advance(TimeDelta::days(-days));
        keep(&app).await;
        app.clock.advance(TimeDelta::days(days));
    }
    for host in [&short, &long] {
        for days in [200, 120, 100, 40, 20, 10, 1] {
            a_row_each(&app, host, days).await;
        }
    }
    set(&app, &admin, json!(7)).await.expect(200);
    let other_admin = app.person_of(other, Role::OrgAdmin).await;
    set(&app, &other_admin, json!(110)).await.expect(200);
    keep(&app).await;
    assert_eq!(
        left(&app, short.id).await,
        [vec![1], vec![1], vec![1, 10, 20, 40], vec![1, 10, 20, 40, 100, 120]]
    );
    assert_eq!(
        left(&app, long.id).await,
        [vec![1, 10, 20], vec![1, 10, 20], vec![1, 10, 20, 40, 100], vec![1, 10, 20, 40, 100, 120]]
    );
    assert_eq!(count_of(app.pool(), "host_disk_samples", short.id).await, 1);
    assert_eq!(count_of(app.pool(), "host_network_samples", long.id).await, 3);
}

/// Spec: monitoring 15
#[tokio::test]
async fn days_are_made_ahead_and_dropped_when_their_time_is_over() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 1)], true).await;
    keep(&app).await;
    let today = at(0).date_naive();
    for table in ["metric_samples", "host_disk_samples", "host_network_samples_1m", "metric_samples_1h"] {
        let days = ctops_pg::partitions::list_days(app.pool(), table).await.unwrap();
        assert_eq!((days[0], days.len()), (today - TimeDelta::days(1), 9), "{table}");
    }
    let waiting = super::support::count(app.pool(), "metric_samples_default").await;
    assert_eq!(waiting, 0, "what came before its partition moved into it");
    write(app.pool(), &[a_sample(&host, at(0), 1)], true).await;
    assert_eq!(count_of(app.pool(), "metric_samples", host.id).await, 1, "a replay is recognised there too");
    app.clock.advance(TimeDelta::days(30));
    keep(&app).await;
    let days = ctops_pg::partitions::list_days(app.pool(), "metric_samples").await.unwrap();
    assert_eq!(days[0], today, "30 days are kept, the day before them is gone");
    let hours = ctops_pg::partitions::list_days(app.pool(), "metric_samples_1h").await.unwrap();
    assert_eq!(hours[0], today - TimeDelta::days(1), "hours are kept longer");
}

/// Spec: monitoring 15
#[tokio::test]
async fn retention_runs_every_six_hours_and_aggregation_twice_a_minute() {
    let app = App::new().await;
    let slice = ctops_fleet::metrics::slice(app.pool(), &app.clock);
    let every: Vec<(&str, u64)> =
        slice.jobs().iter().map(|job| (job.name(), job.every().as_secs())).collect();
    assert_eq!(every, [("metric_retention", 21_600), ("metric_aggregates", 30)]);
}

#[tokio::test]
async fn hours_of_days_that_are_over_are_put_in_the_order_of_their_hosts_once() {
    let app = App::new().await;
    keep(&app).await;
    let mut hosts = Vec::new();
    for _ in 0..20 {
        hosts.push(a_host(app.org).insert(app.pool()).await);
    }
    for hour in 0..20 {
        let samples: Vec<NewSample> =
            hosts.iter().rev().map(|host| a_sample(host, at(hour * 1_800), 1)).collect();
        write(app.pool(), &samples, true).await;
    }
    app.clock.advance(TimeDelta::days(4));
    roll(&app).await;
    let order = async || -> Vec<Uuid> {
        sqlx::query_scalar("SELECT host_id FROM metric_samples_1h_p20260603 ORDER BY ctid")
            .fetch_all(app.pool())
            .await
            .unwrap()
    };
    let before = order().await;
    assert!(!before.is_sorted(), "hour by hour");
    keep(&app).await;
    let (after, file) = (order().await, file_of(&app).await);
    assert!(after.is_sorted() && after.len() == before.len());
    keep(&app).await;
    assert_eq!(file_of(&app).await, file, "it is not written again");
}

async fn file_of(app: &App) -> i64 {
    sqlx::query_scalar("SELECT pg_relation_filenode('metric_samples_1h_p20260603')::bigint")
        .fetch_one(app.pool())
        .await
        .unwrap()
}
