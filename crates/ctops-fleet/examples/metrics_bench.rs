//! Measures charts of single hosts in a history of 2,000 hosts, and what keeping the history costs.
//!
//! `DATABASE_URL` names an empty database, or one that an earlier run filled. Prints one JSON object: the 50th and 95th
//! percentile of every question in milliseconds, each asked of another host every time, and the time that aggregating
//! takes per sample in microseconds. Ends with status 1 when a budget is missed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::process::ExitCode;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use ctops_base::{Clock, Role};
use ctops_fleet::metrics::{ChartInput, bring_up_to_date, chart, heartbeat_gaps};
use ctops_pg::Pool;
use ctops_slice::{Actor, Credential};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

const HOSTS: i32 = 2_000;
const ORG: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
/// Each question is asked of so many hosts.
const ROUNDS: i32 = 100;
/// Budget for the chart of 30 days, 95th percentile in milliseconds.
const BUDGET_MS: f64 = 30.0;

#[tokio::main]
async fn main() -> ExitCode {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the database");
    let pool = ctops_pg::connect(&url, 4).await.expect("the database can be reached");
    ctops_pg::migrate::run(&pool).await.expect("the schema can be made");
    let end = fill(&pool).await.expect("a history can be made");
    // What the server does with days that are over.
    let slice = ctops_fleet::metrics::slice(&pool, &Clock::manual(end));
    slice.jobs()[0].run().await.expect("the history can be kept");
    // Two hours beyond the aggregates, so that every chart has a part that is reckoned from samples.
    let bench = Bench { pool, actor: actor(), now: end };
    let all = "cpu,memory,disk,mount_disk,network_receive,network_transmit";
    let mut cases = Vec::new();
    for (name, range, metrics) in [
        ("30 days", "30d", "cpu,memory,disk"),
        ("30 days, all lines", "30d", all),
        ("7 days", "7d", "cpu,memory,disk"),
        ("24 hours", "24h", "cpu,memory,disk"),
        ("1 hour", "1h", "cpu,memory,disk"),
    ] {
        cases.push((name, bench.chart(range, metrics).await));
    }
    cases.push(("heartbeat gaps, 24 hours", bench.gaps("24h").await));
    let rows: Vec<Value> = cases
        .iter()
        .map(|(name, times)| json!({ "name": name, "p50_ms": percentile(times, 50), "p95_ms": percentile(times, 95) }))
        .collect();
    let month = percentile(&cases[0].1, 95);
    let (samples, seconds) = aggregate(&bench.pool, end).await.expect("aggregates can be made");
    let report = json!({
        "hosts": HOSTS,
        "budget_ms": BUDGET_MS,
        "month_p95_ms": month,
        "cases": rows,
        "aggregated_samples": samples,
        "aggregation_us_per_sample": (seconds * 1e6 / samples.max(1) as f64 * 100.0).round() / 100.0,
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    if month <= BUDGET_MS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn actor() -> Actor {
    let credential = Credential::session(Uuid::nil(), DateTime::<Utc>::MAX_UTC);
    Actor::with_roles((Uuid::nil(), ORG), credential, [Role::ReadOnly], IpAddr::from([127, 0, 0, 1]))
}

struct Bench {
    pool: Pool,
    actor: Actor,
    now: DateTime<Utc>,
}

impl Bench {
    async fn chart(&self, range: &str, metrics: &str) -> Vec<f64> {
        let input = ChartInput { range: Some(range), metrics: Some(metrics), ..ChartInput::default() };
        let mut times = Vec::new();
        for host in self.hosts().await {
            let begin = Instant::now();
            let chart = chart(&self.pool, &self.actor, host, &input, self.now).await.unwrap();
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
            assert!(!chart.series.is_empty());
        }
        times
    }

    async fn gaps(&self, range: &str) -> Vec<f64> {
        let input = ChartInput { range: Some(range), ..ChartInput::default() };
        let mut times = Vec::new();
        for host in self.hosts().await {
            let begin = Instant::now();
            heartbeat_gaps(&self.pool, &self.actor, host, &input, self.now).await.unwrap();
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        times
    }

    /// Hosts spread over the whole fleet.
    async fn hosts(&self) -> Vec<Uuid> {
        sqlx::query_scalar(
            "SELECT id FROM hosts WHERE org_id = $1 ORDER BY md5(id::text || $2::text) LIMIT $3",
        )
        .bind(ORG)
        .bind(self.now.timestamp_subsec_nanos().to_string())
        .bind(ROUNDS)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    (sorted[at] * 10.0).round() / 10.0
}

/// Makes the aggregates of the last hours, and says of how many samples and in how many seconds.
async fn aggregate(pool: &Pool, end: DateTime<Utc>) -> Result<(i64, f64), sqlx::Error> {
    sqlx::query("UPDATE metric_progress SET closed_until = $1, minutes_until = $1, hours_until = $1")
        .bind(end - TimeDelta::hours(3))
        .execute(pool)
        .await?;
    let samples: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM metric_samples WHERE recorded_at >= $1 AND recorded_at < $2",
    )
    .bind(end - TimeDelta::hours(3))
    .bind(end)
    .fetch_one(pool)
    .await?;
    let begin = Instant::now();
    bring_up_to_date(pool, end + TimeDelta::minutes(1)).await?;
    let seconds = begin.elapsed().as_secs_f64();
    // As it was found: with two hours to be reckoned live.
    sqlx::query("UPDATE metric_progress SET minutes_until = $1, hours_until = $1")
        .bind(end - TimeDelta::hours(2))
        .execute(pool)
        .await?;
    Ok((samples, seconds))
}

/// Makes the history, unless it is there, and returns its end: hours of 30 days, minutes of one day, samples of three
/// hours, in the order of time as they arrive.
async fn fill(pool: &Pool) -> Result<DateTime<Utc>, sqlx::Error> {
    let there: Option<DateTime<Utc>> =
        sqlx::query_scalar("SELECT max(v.recorded_at) FROM host_vitals AS v WHERE v.org_id = $1")
            .bind(ORG)
            .fetch_one(pool)
            .await?;
    if let Some(end) = there {
        return Ok(end);
    }
    let now = Clock::system().now();
    let end = now.date_naive().and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(4);
    for table in ["metric_samples", "host_disk_samples", "host_network_samples"] {
        for (suffix, days) in [("", 1), ("_1m", 1), ("_1h", 30)] {
            let first = (end - TimeDelta::days(days)).date_naive();
            let table = format!("{table}{suffix}");
            let days = u32::try_from(days).unwrap() + 1;
            ctops_pg::partitions::ensure_days(pool, &table, first, days).await.unwrap();
        }
    }
    let mut tx = pool.begin().await?;
    for statement in
        [ORGANISATION, FLEET, VITALS, SAMPLES, MINUTES, HOURS, DISK_HOURS, NETWORK_HOURS, PROGRESS]
    {
        let query = sqlx::query(statement).bind(ORG).bind(HOSTS).bind(end);
        query.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    let tables =
        "metric_samples, metric_samples_1m, metric_samples_1h, host_disk_samples_1h, host_network_samples_1h";
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("VACUUM (ANALYZE) hosts, host_vitals, {tables}")))
        .execute(pool)
        .await?;
    Ok(end)
}

// Every statement has the organisation, the number of hosts and the end as $1, $2, $3.
const ORGANISATION: &str = "
INSERT INTO organisations (id, name, created_at)
SELECT $1, 'Metrics bench', $3::timestamptz WHERE $2::int > 0 ON CONFLICT DO NOTHING";

const FLEET: &str = "
INSERT INTO hosts (id, org_id, hostname, created_at, updated_at)
SELECT md5('metrics host ' || n)::uuid, $1, 'metrics-' || n, $3::timestamptz, $3 FROM generate_series(1, $2::int) AS n";

const VITALS: &str = "
INSERT INTO host_vitals (host_id, org_id, status, status_changed_at, name_key, search_text, recorded_at)
SELECT h.id, h.org_id, 'online', $3::timestamptz, h.hostname, h.hostname, $3 FROM hosts AS h
WHERE h.org_id = $1 AND $2::int > 0";

const SAMPLES: &str = "
INSERT INTO metric_samples (host_id, recorded_at, received_at, cpu_centi, memory_centi, disk_centi, uptime_seconds,
                            swap_centi, load1_centi, load5_centi, load15_centi, process_count)
SELECT md5('metrics host ' || n)::uuid, t, t, random() * 9999, 5000, 4000, 1000, 100, 150, 120, 90, 300
FROM generate_series($3::timestamptz - interval '3 hours', $3, interval '30 s') AS t
CROSS JOIN generate_series(1, $2::int) AS n WHERE $1::uuid IS NOT NULL";

const MINUTES: &str = "
INSERT INTO metric_samples_1m (host_id, bucket, samples, first_at, last_at, cpu_centi_count, cpu_centi_sum,
    cpu_centi_min, cpu_centi_max, memory_centi_count, memory_centi_sum, memory_centi_min, memory_centi_max,
    disk_centi_count, disk_centi_sum, disk_centi_min, disk_centi_max)
SELECT md5('metrics host ' || n)::uuid, t, 2, t, t + interval '30 s', 2, 9000, 4000, 5000, 2, 10000, 5000, 5000,
       2, 8000, 4000, 4000
FROM generate_series($3::timestamptz - interval '1 day', $3 - interval '121 min', interval '1 min') AS t
CROSS JOIN generate_series(1, $2::int) AS n WHERE $1::uuid IS NOT NULL";

const HOURS: &str = "
INSERT INTO metric_samples_1h (host_id, bucket, samples, first_at, last_at, cpu_centi_count, cpu_centi_sum,
    cpu_centi_min, cpu_centi_max, memory_centi_count, memory_centi_sum, memory_centi_min, memory_centi_max,
    disk_centi_count, disk_centi_sum, disk_centi_min, disk_centi_max, swap_centi_count, swap_centi_sum,
    swap_centi_min, swap_centi_max)
SELECT md5('metrics host ' || n)::uuid, t, 120, t, t + interval '59 min', 120, 540000, 100, 9000, 120, 600000, 5000,
       5000, 120, 480000, 4000, 4000, 120, 12000, 100, 100
FROM generate_series($3::timestamptz - interval '30 days', $3 - interval '3 hours', interval '1 hour') AS t
CROSS JOIN generate_series(1, $2::int) AS n WHERE $1::uuid IS NOT NULL";

const DISK_HOURS: &str = "
INSERT INTO host_disk_samples_1h (host_id, bucket, mount_point, samples, first_at, last_at, used_centi_count,
    used_centi_sum, used_centi_min, used_centi_max)
SELECT md5('metrics host ' || n)::uuid, t, m, 60, t, t + interval '59 min', 60, 240000, 4000, 4000
FROM generate_series($3::timestamptz - interval '30 days', $3 - interval '3 hours', interval '1 hour') AS t
CROSS JOIN generate_series(1, $2::int) AS n CROSS JOIN UNNEST(ARRAY['/', '/var']) AS m WHERE $1::uuid IS NOT NULL";

const NETWORK_HOURS: &str = "
INSERT INTO host_network_samples_1h (host_id, bucket, interface, samples, first_at, last_at, receive_bytes_count,
    receive_bytes_sum, receive_bytes_min, receive_bytes_max, transmit_bytes_count, transmit_bytes_sum,
    transmit_bytes_min, transmit_bytes_max)
SELECT md5('metrics host ' || n)::uuid, t, 'eth0', 120, t, t + interval '59 min', 120, 1200000, 1000, 90000, 120,
       120000, 100, 9000
FROM generate_series($3::timestamptz - interval '30 days', $3 - interval '3 hours', interval '1 hour') AS t
CROSS JOIN generate_series(1, $2::int) AS n WHERE $1::uuid IS NOT NULL";

const PROGRESS: &str = "
UPDATE metric_progress
SET closed_until = $3, minutes_until = $3::timestamptz - interval '2 hours',
    hours_until = $3 - interval '2 hours', days_until = $3 - interval '4 hours'
WHERE $1::uuid IS NOT NULL AND $2::int > 0";
