//! Samples, and what their aggregates must be.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_fleet::metrics::{NewDisk, NewRate, NewSample, bring_up_to_date, record};
use ctops_pg::Pool;
use ctops_testkit::{TestHost, start_time};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::App;

/// So many seconds after the beginning of the test's time.
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    start_time() + TimeDelta::seconds(seconds)
}

/// A sample that arrived when it was measured, with everything that can be measured.
pub(super) fn a_sample(host: &TestHost, at: DateTime<Utc>, cpu_centi: i16) -> NewSample {
    NewSample {
        host_id: host.id,
        recorded_at: at,
        received_at: at,
        late: false,
        cpu_centi: Some(cpu_centi),
        memory_centi: Some(5_000),
        disk_centi: None,
        uptime_seconds: Some(77),
        swap_centi: Some(cpu_centi / 2),
        load_centi: [Some(i32::from(cpu_centi) * 3), Some(20), None],
        process_count: Some(300),
        disks: vec![NewDisk { mount_point: "/".into(), total_bytes: 100, used_bytes: 25, used_centi: 2_500 }],
        network: vec![NewRate {
            interface: "eth0".into(),
            receive_bytes: i64::from(cpu_centi) * 1_000,
            transmit_bytes: 5,
            receive_errors_centi: 0,
            transmit_errors_centi: 250,
        }],
    }
}

/// The same, delivered late.
pub(super) fn a_late_sample(
    host: &TestHost,
    at: DateTime<Utc>,
    arrived: DateTime<Utc>,
    cpu: i16,
) -> NewSample {
    NewSample { late: true, received_at: arrived, ..a_sample(host, at, cpu) }
}

/// Writes a batch as the consumer does: hosts' newest times, samples, one transaction.
pub(super) async fn write(pool: &Pool, samples: &[NewSample], commits: bool) {
    let mut tx = pool.begin().await.unwrap();
    record(&mut tx, samples).await.unwrap();
    let own: Vec<&NewSample> = samples.iter().filter(|sample| !sample.late).collect();
    sqlx::query(
        "UPDATE host_vitals AS v SET recorded_at = GREATEST(v.recorded_at, u.at)
         FROM (SELECT id, max(at) AS at FROM UNNEST($1::uuid[], $2::timestamptz[]) AS n(id, at) GROUP BY id) AS u
         WHERE v.host_id = u.id",
    )
    .bind(own.iter().map(|sample| sample.host_id).collect::<Vec<_>>())
    .bind(own.iter().map(|sample| sample.recorded_at).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .unwrap();
    if commits { tx.commit().await.unwrap() } else { tx.rollback().await.unwrap() }
}

/// Makes the aggregates of the present moment.
pub(super) async fn roll(app: &App) {
    bring_up_to_date(app.pool(), app.clock.now()).await.unwrap();
}

/// The job that keeps partitions and drops what is old.
pub(super) async fn keep(app: &App) {
    let slice = ctops_fleet::metrics::slice(app.pool(), &app.clock);
    let job = slice.jobs().iter().find(|job| job.name() == "metric_retention").unwrap();
    job.run().await.unwrap();
}

pub(super) async fn count(pool: &Pool, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(pool).await.unwrap()
}

const FAMILIES: [(&str, &str, &[&str]); 3] = [
    (
        "metric_samples",
        "",
        &[
            "cpu_centi",
            "memory_centi",
            "disk_centi",
            "swap_centi",
            "load1_centi",
            "load5_centi",
            "load15_centi",
            "process_count",
        ],
    ),
    ("host_disk_samples", "mount_point, ", &["used_centi"]),
    (
        "host_network_samples",
        "interface, ",
        &["receive_bytes", "transmit_bytes", "receive_errors_centi", "transmit_errors_centi"],
    ),
];

/// Rows by which aggregates differ from those reckoned from the samples at once; every level up to `until`.
pub(super) async fn differences(pool: &Pool, until: DateTime<Utc>) -> Vec<String> {
    let mut found = Vec::new();
    for (table, label, columns) in FAMILIES {
        for (level, width) in [("1m", "1 minute"), ("1h", "1 hour"), ("1d", "1 day")] {
            let mut kept = format!("host_id, bucket, {label}samples, first_at, last_at");
            let mut reckoned = format!(
                "host_id, date_bin('{width}', recorded_at, 'epoch'::timestamptz) AS bucket,
                 {label}count(*)::integer, min(recorded_at), max(recorded_at)"
            );
            for column in columns {
                kept += &format!(", NULLIF({column}_count, 0), {column}_sum, {column}_min, {column}_max");
                reckoned += &format!(
                    ", NULLIF(count({column}), 0)::integer, sum({column})::bigint, min({column}), max({column})"
                );
            }
            let group = if label.is_empty() { "1, 2" } else { "1, 2, 3" };
            let sql = format!(
                "WITH kept AS (SELECT {kept} FROM {table}_{level}
                               WHERE bucket + interval '{width}' <= $1),
                      reckoned AS (SELECT {reckoned} FROM {table}
                                   WHERE date_bin('{width}', recorded_at, 'epoch'::timestamptz)
                                         + interval '{width}' <= $1
                                   GROUP BY {group})
                 SELECT 'kept ' || x::text FROM (SELECT * FROM kept EXCEPT SELECT * FROM reckoned) AS x
                 UNION ALL
                 SELECT 'reckoned ' || x::text FROM (SELECT * FROM reckoned EXCEPT SELECT * FROM kept) AS x"
            );
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(until).fetch_all(pool).await.unwrap();
            found.extend(rows.into_iter().map(|row| format!("{table}_{level}: {row}")));
        }
    }
    found
}

/// How far the aggregates of minutes, hours and days are.
pub(super) async fn progress(pool: &Pool) -> [DateTime<Utc>; 3] {
    let row: (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>) =
        sqlx::query_as("SELECT minutes_until, hours_until, days_until FROM metric_progress")
            .fetch_one(pool)
            .await
            .unwrap();
    row.into()
}

/// Rows about one host.
pub(super) async fn count_of(pool: &Pool, table: &str, host: Uuid) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE host_id = $1")))
        .bind(host)
        .fetch_one(pool)
        .await
        .unwrap()
}
