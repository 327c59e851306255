//! The same on TimescaleDB. These tests need a server with the extension loaded, whose address is in
//! `CT_OPS_TEST_TIMESCALE_URL` (a superuser's, with a database in which the extension is), and say so where there is none.
//! Those of the other licence are skipped as well: a server has one.

use chrono::{TimeDelta, Utc};
use ctops_base::{Clock, Role};
use ctops_fleet::metrics::{ChartInput, NewSample, bring_up_to_date, chart};
use ctops_pg::Pool;
use ctops_slice::{Actor, Credential};
use ctops_testkit::{TestHost, a_host, a_organisation};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::support::{a_late_sample, a_sample, count, differences, write};

const ADDRESS: &str = "CT_OPS_TEST_TIMESCALE_URL";

/// A database of its own on that server.
struct Timescale {
    admin: Pool,
    name: String,
    pool: Pool,
    org: Uuid,
    clock: Clock,
}

impl Timescale {
    /// None, and a line that says so, without a server. `licence` is `timescale` or `apache`.
    async fn new(licence: &str) -> Option<Self> {
        let Ok(url) = std::env::var(ADDRESS) else {
            eprintln!("SKIPPED: TimescaleDB is not here; {ADDRESS} names a server that has it");
            return None;
        };
        let admin = ctops_pg::connect(&url, 2).await.unwrap();
        // The licence is a setting of the whole server.
        let found: Option<String> = sqlx::query_scalar("SELECT current_setting('timescaledb.license', true)")
            .fetch_one(&admin)
            .await
            .unwrap();
        if found.as_deref() != Some(licence) {
            eprintln!("SKIPPED: the server at {ADDRESS} has the licence {found:?} and not {licence}");
            return None;
        }
        let name = format!("t_{}", Uuid::new_v4().simple());
        let statement = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&admin).await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        let pool = ctops_pg::connect(&format!("{server}/{name}"), 4).await.unwrap();
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS timescaledb").execute(&pool).await.unwrap();
        ctops_pg::migrate::run(&pool).await.unwrap();
        let org = a_organisation(&pool).await;
        // The extension's own jobs know only the real time.
        let noon = Utc::now().date_naive().and_hms_opt(12, 0, 0).unwrap().and_utc() - TimeDelta::days(1);
        Some(Self { admin, name, pool, org, clock: Clock::manual(noon) })
    }

    async fn keep(&self) {
        let slice = ctops_fleet::metrics::slice(&self.pool, &self.clock);
        slice.jobs()[0].run().await.unwrap();
    }

    async fn storage(&self) -> String {
        sqlx::query_scalar("SELECT storage FROM metric_progress").fetch_one(&self.pool).await.unwrap()
    }

    async fn host(&self) -> TestHost {
        a_host(self.org).never_seen().insert(&self.pool).await
    }

    fn viewer(&self) -> Actor {
        let credential = Credential::session(Uuid::nil(), chrono::DateTime::<Utc>::MAX_UTC);
        let ip = std::net::IpAddr::from([127, 0, 0, 1]);
        Actor::with_roles((Uuid::nil(), self.org), credential, [Role::ReadOnly], ip)
    }

    /// Averages of a chart of processor use.
    async fn averages(&self, host: &TestHost, range: &str) -> Vec<f64> {
        let input = ChartInput { range: Some(range), metrics: Some("cpu"), ..ChartInput::default() };
        let chart = chart(&self.pool, &self.viewer(), host.id, &input, self.clock.now()).await.unwrap();
        let points = chart.series.into_iter().flat_map(|series| series.points);
        points.filter_map(|point| point.figures).map(|figures| figures[0]).collect()
    }

    async fn drop(self) {
        self.pool.close().await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name)))
            .execute(&self.admin)
            .await
            .unwrap();
    }
}

/// A day of samples, an hour of them late.
async fn a_day(site: &Timescale, host: &TestHost) {
    let begin = site.clock.now();
    let day: Vec<NewSample> =
        (0..2_880).map(|n| a_sample(host, begin + TimeDelta::seconds(n * 30), 1_000)).collect();
    write(&site.pool, &day, true).await;
    write(&site.pool, &day[..100], true).await;
    site.clock.advance(TimeDelta::days(1));
    bring_up_to_date(&site.pool, site.clock.now()).await.unwrap();
    let late: Vec<NewSample> = (0..60)
        .map(|n| a_late_sample(host, begin + TimeDelta::seconds(n * 30 + 7), site.clock.now(), 9_000))
        .collect();
    write(&site.pool, &late, true).await;
    write(&site.pool, &late, true).await;
    bring_up_to_date(&site.pool, site.clock.now()).await.unwrap();
}

/// Spec: monitoring 5, 15
#[tokio::test]
async fn apache_licence_gives_hypertables_with_the_same_aggregates() {
    let Some(site) = Timescale::new("apache").await else { return };
    site.keep().await;
    assert_eq!(site.storage().await, "hypertables");
    let host = site.host().await;
    a_day(&site, &host).await;
    assert_eq!(
        count(&site.pool, "metric_samples").await,
        2_940,
        "replays and repeated late samples count once"
    );
    let until = site.clock.now() - TimeDelta::minutes(1);
    assert_eq!(differences(&site.pool, until).await, Vec::<String>::new());
    check_charts(&site, &host).await;
    check_retention(&site).await;
    site.drop().await;
}

/// Spec: monitoring 5, 15
#[tokio::test]
async fn timescale_licence_gives_continuous_aggregates_that_are_complete_up_to_now() {
    let Some(site) = Timescale::new("timescale").await else { return };
    site.keep().await;
    assert_eq!(site.storage().await, "continuous");
    let host = site.host().await;
    a_day(&site, &host).await;
    assert_eq!(count(&site.pool, "metric_late").await, 0, "the extension notes what is late itself");
    let until = site.clock.now() - TimeDelta::minutes(1);
    assert_eq!(differences(&site.pool, until).await, Vec::<String>::new(), "read live");
    check_charts(&site, &host).await;
    for view in ["metric_samples_1m", "metric_samples_1h", "metric_samples_1d"] {
        let refresh = format!("CALL refresh_continuous_aggregate('{view}', NULL, NULL)");
        sqlx::raw_sql(AssertSqlSafe(refresh)).execute(&site.pool).await.unwrap();
    }
    assert_eq!(differences(&site.pool, until).await, Vec::<String>::new(), "and stored");
    let policies: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_refresh_continuous_aggregate'",
    )
    .fetch_one(&site.pool)
    .await
    .unwrap();
    assert_eq!(policies, 9);
    check_retention(&site).await;
    site.drop().await;
}

async fn check_charts(site: &Timescale, host: &TestHost) {
    for range in ["1h", "6h", "24h", "7d", "30d", "180d"] {
        let averages = site.averages(host, range).await;
        assert!(!averages.is_empty(), "{range}");
        let mixed = averages.iter().filter(|average| **average > 10.0).count();
        // Late samples are a day old.
        assert_eq!(mixed > 0, !matches!(range, "1h" | "6h"), "{range}: {averages:?}");
    }
}

async fn check_retention(site: &Timescale) {
    let before = count(&site.pool, "metric_samples").await;
    site.keep().await;
    assert_eq!(count(&site.pool, "metric_samples").await, before, "everything is young");
    let amounts: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT resolution, rows, bytes FROM metric_storage ORDER BY resolution")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    assert_eq!(amounts.len(), 4);
    assert!(amounts.iter().all(|(_, _, bytes)| *bytes > 0), "{amounts:?}");
    site.clock.advance(TimeDelta::days(40));
    site.keep().await;
    assert_eq!(count(&site.pool, "metric_samples").await, 0);
    assert!(count(&site.pool, "metric_samples_1h").await > 0, "hours are kept longer");
    site.clock.advance(TimeDelta::days(200));
    site.keep().await;
    assert_eq!(count(&site.pool, "metric_samples_1h").await, 0);
}

/// Spec: monitoring 15
#[tokio::test]
async fn samples_that_were_kept_without_the_extension_stay_where_they_are() {
    let Some(site) = Timescale::new("timescale").await else { return };
    let host = site.host().await;
    write(&site.pool, &[a_sample(&host, site.clock.now(), 1)], true).await;
    site.keep().await;
    assert_eq!((site.storage().await.as_str(), count(&site.pool, "metric_samples").await), ("partitions", 1));
    site.drop().await;
}
