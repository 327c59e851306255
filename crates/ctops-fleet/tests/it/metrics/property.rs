//! Any order of batches, late samples, replays, failed batches and aggregations gives the aggregates of the samples.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::metrics::NewSample;
use ctops_testkit::{TestHost, a_host};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::support::{a_late_sample, a_sample, at, count, count_of, differences, roll, write};
use crate::support::App;

/// Histories that are tried; each takes about a second.
const CASES: u32 = 16;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A batch: for each sample the host, how many seconds ago it was measured, whether it is late, and its figure.
    Batch { samples: Vec<(usize, i64, bool, i16)>, commits: bool },
    /// An earlier batch is applied again.
    Replay(prop::sample::Index),
    /// Time passes.
    Pass(i64),
    /// Aggregates are made.
    Roll,
}

fn a_step() -> impl Strategy<Value = Step> {
    let age = prop_oneof![4 => 0_i64..5, 2 => 5_i64..3_900, 1 => 3_900_i64..86_400];
    let sample = (0..3_usize, age, any::<bool>(), 0..10_000_i16);
    prop_oneof![
        4 => (prop::collection::vec(sample, 1..40), prop::bool::weighted(0.8))
            .prop_map(|(samples, commits)| Step::Batch { samples, commits }),
        1 => any::<prop::sample::Index>().prop_map(Step::Replay),
        3 => (1_i64..7_200).prop_map(Step::Pass),
        2 => Just(Step::Roll),
    ]
}

async fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let app = App::new().await;
    let mut hosts: Vec<TestHost> = Vec::new();
    for _ in 0..3 {
        hosts.push(a_host(app.org).never_seen().insert(app.pool()).await);
    }
    let mut applied: Vec<Vec<NewSample>> = Vec::new();
    for step in steps {
        let now = app.clock.now();
        match step {
            Step::Batch { samples, commits } => {
                let sample = |(host, ago, late, cpu): &(usize, i64, bool, i16)| {
                    let measured = now - TimeDelta::seconds(*ago);
                    if *late {
                        a_late_sample(&hosts[*host], measured, now, *cpu)
                    } else {
                        NewSample { received_at: now, ..a_sample(&hosts[*host], measured, *cpu) }
                    }
                };
                let batch: Vec<NewSample> = samples.iter().map(sample).collect();
                write(app.pool(), &batch, commits).await;
                if commits {
                    applied.push(batch);
                }
            }
            Step::Replay(index) if !applied.is_empty() => {
                let before = count(app.pool(), "metric_samples").await;
                write(app.pool(), &applied[index.index(applied.len())], true).await;
                prop_assert_eq!(count(app.pool(), "metric_samples").await, before, "a replay adds nothing");
            }
            Step::Replay(_) => {}
            Step::Pass(seconds) => app.clock.advance(TimeDelta::seconds(seconds)),
            Step::Roll => roll(&app).await,
        }
    }
    check_charts(&app, &hosts[0]).await?;
    app.clock.advance(TimeDelta::days(2));
    roll(&app).await;
    prop_assert_eq!(count(app.pool(), "metric_late").await, 0);
    prop_assert_eq!(
        differences(app.pool(), app.clock.now() - TimeDelta::days(1)).await,
        Vec::<String>::new()
    );
    check_charts(&app, &hosts[0]).await
}

/// Charts count every sample once, whatever is aggregated so far. What is noted as late may still be missing.
async fn check_charts(app: &App, host: &TestHost) -> Result<(), TestCaseError> {
    if count(app.pool(), "metric_late").await > 0 {
        return Ok(());
    }
    let viewer = app.person(Role::ReadOnly).await;
    for range in ["6h", "24h", "7d", "30d"] {
        let path = format!("/hosts/{}/metrics?range={range}&metrics=cpu", host.id);
        let chart = app.get(&viewer, &path).await.expect(200);
        let seconds = chart["bucket_seconds"].as_i64().unwrap();
        let expected: Vec<(f64, f64, f64)> = sqlx::query_as(
            "SELECT round(avg(cpu_centi)) / 100.0::float8, min(cpu_centi) / 100.0::float8, max(cpu_centi) / 100.0::float8
             FROM metric_samples
             WHERE host_id = $1 AND recorded_at >= $2::timestamptz AND recorded_at < $3
             GROUP BY date_bin(make_interval(secs => $4), recorded_at, 'epoch'::timestamptz)
             ORDER BY date_bin(make_interval(secs => $4), recorded_at, 'epoch'::timestamptz)",
        )
        .bind(host.id)
        .bind(chart["from"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap())
        .bind(app.clock.now())
        .bind(seconds as f64)
        .fetch_all(app.pool())
        .await
        .unwrap();
        let points = chart["series"][0]["points"].as_array().cloned().unwrap_or_default();
        let shown: Vec<(f64, f64, f64)> = points
            .iter()
            .filter(|point| !point[1].is_null())
            .map(|point| [1, 2, 3].map(|n| point[n].as_f64().unwrap()).into())
            .collect();
        prop_assert_eq!(shown.len(), expected.len(), "{}", range);
        for (shown, expected) in shown.iter().zip(&expected) {
            prop_assert!((shown.0 - expected.0).abs() < 0.011, "{} {:?} {:?}", range, shown, expected);
            prop_assert_eq!((shown.1, shown.2), (expected.1, expected.2), "{}", range);
        }
    }
    Ok(())
}

/// Spec: monitoring 4, 5
#[test]
fn aggregates_of_any_history_are_those_of_its_samples() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: CASES, max_shrink_iters: 40, ..Config::default() });
    runner
        .run(&prop::collection::vec(a_step(), 3..40), |steps| runtime.block_on(play(steps)))
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// The histories above include samples of every age; this is the one they must never lose.
#[tokio::test]
async fn sample_that_arrives_between_two_aggregations_is_in_both_levels() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 100)], true).await;
    app.clock.advance(TimeDelta::seconds(71));
    roll(&app).await;
    write(app.pool(), &[NewSample { received_at: at(71), ..a_sample(&host, at(59), 300) }], true).await;
    app.clock.advance(TimeDelta::hours(2));
    roll(&app).await;
    assert_eq!(differences(app.pool(), at(3_600)).await, Vec::<String>::new());
    assert_eq!(count_of(app.pool(), "metric_samples_1h", host.id).await, 1);
}
