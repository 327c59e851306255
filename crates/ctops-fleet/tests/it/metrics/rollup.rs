use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::metrics::{NewSample, bring_up_to_date};
use ctops_testkit::a_host;

use super::support::{a_late_sample, a_sample, at, count, differences, keep, progress, roll, write};
use crate::support::App;

async fn late(app: &App) -> i64 {
    count(app.pool(), "metric_late").await
}

/// Spec: monitoring 5
#[tokio::test]
async fn aggregates_of_minutes_hours_and_days_hold_count_lowest_average_and_highest() {
    let app = App::new().await;
    keep(&app).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let day: Vec<NewSample> =
        (0..2_880).map(|n| a_sample(&host, at(n * 30), i16::try_from(n % 97).unwrap() * 100)).collect();
    write(app.pool(), &day, true).await;
    app.clock.advance(TimeDelta::days(2));
    roll(&app).await;
    assert_eq!(differences(app.pool(), at(172_800)).await, Vec::<String>::new());
    let row: (i64, i64, i64, i32) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM metric_samples_1m), (SELECT count(*) FROM metric_samples_1h),
                (SELECT count(*) FROM metric_samples_1d), (SELECT max(samples) FROM metric_samples_1h)",
    )
    .fetch_one(app.pool())
    .await
    .unwrap();
    assert_eq!(row, (1_440, 24, 2, 120));
    assert_eq!(count(app.pool(), "host_disk_samples_1m").await, 1_440);
}

/// Spec: monitoring 5
#[tokio::test]
async fn minutes_are_aggregated_soon_after_they_end_and_not_before() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 100), a_sample(&host, at(30), 200)], true).await;
    app.clock.advance(TimeDelta::seconds(59));
    roll(&app).await;
    assert_eq!(count(app.pool(), "metric_samples_1m").await, 0);
    app.clock.advance(TimeDelta::seconds(12));
    roll(&app).await;
    assert_eq!(count(app.pool(), "metric_samples_1m").await, 1);
    assert_eq!(progress(app.pool()).await[0], at(60));
    roll(&app).await;
    assert_eq!(count(app.pool(), "metric_samples_1m").await, 1, "once more changes nothing");
}

/// Spec: monitoring 4, 5
#[tokio::test]
async fn late_samples_change_every_aggregate_they_belong_to() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(-86_400), 100), a_sample(&host, at(0), 100)], true).await;
    app.clock.advance(TimeDelta::hours(3));
    roll(&app).await;
    assert_eq!(late(&app).await, 0, "what came in time is not noted");
    let missing: Vec<NewSample> =
        (1..120).map(|n| a_late_sample(&host, at(-86_400 + n * 30), at(10_800), 9_000)).collect();
    write(app.pool(), &missing, true).await;
    assert_eq!(late(&app).await, 6, "an hour is six times ten minutes");
    roll(&app).await;
    assert_eq!(late(&app).await, 0);
    assert_eq!(differences(app.pool(), at(0)).await, Vec::<String>::new());
    let highest: i16 = sqlx::query_scalar("SELECT max(cpu_centi_max) FROM metric_samples_1d")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(highest, 9_000);
}

#[tokio::test]
async fn late_samples_of_a_batch_that_fails_leave_nothing_behind() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 100)], true).await;
    app.clock.advance(TimeDelta::hours(1));
    roll(&app).await;
    write(app.pool(), &[a_late_sample(&host, at(30), at(3_600), 1)], false).await;
    assert_eq!((late(&app).await, count(app.pool(), "metric_samples").await), (0, 1));
}

/// An agent whose clock runs behind delivers nothing but late samples. They must not be lost between two aggregations.
#[tokio::test]
async fn samples_of_a_slow_clock_are_aggregated_once_their_ten_minutes_are_over() {
    let app = App::new().await;
    let host = a_host(app.org).never_seen().insert(app.pool()).await;
    let other = a_host(app.org).insert(app.pool()).await;
    for minute in 0..30 {
        let now = at(minute * 60);
        let slow = NewSample { received_at: now, ..a_sample(&host, now - TimeDelta::minutes(3), 500) };
        write(app.pool(), &[slow, a_sample(&other, now, 100)], true).await;
        roll(&app).await;
        app.clock.advance(TimeDelta::minutes(1));
    }
    app.clock.advance(TimeDelta::minutes(10));
    roll(&app).await;
    assert_eq!(differences(app.pool(), at(1_800)).await, Vec::<String>::new());
}

/// Batches that are under way while a minute is closed are waited for; later ones note what is late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_made_while_others_write_are_those_of_the_samples() {
    let app = App::new().await;
    keep(&app).await;
    let (pool, clock) = (app.pool().clone(), app.clock.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..2_i64 {
        let host = a_host(app.org).insert(&pool).await;
        let (pool, clock, stop) = (pool.clone(), clock.clone(), stop.clone());
        writers.push(tokio::spawn(async move {
            let mut count = 0_i64;
            while !stop.load(Ordering::SeqCst) {
                count += 1;
                let now = clock.now() + TimeDelta::milliseconds(count % 1_000);
                let back = now - TimeDelta::seconds(count * 37 % 3_000 + number);
                let batch = [
                    a_sample(&host, now, i16::try_from(count % 100).unwrap()),
                    a_late_sample(&host, back, now, 7),
                ];
                write(&pool, &batch, count % 5 != 0).await;
            }
            count
        }));
    }
    for _ in 0..90 {
        clock.advance(TimeDelta::seconds(41));
        bring_up_to_date(&pool, clock.now()).await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        assert!(writer.await.unwrap() > 10, "it wrote all the time");
    }
    clock.advance(TimeDelta::days(2));
    bring_up_to_date(&pool, clock.now()).await.unwrap();
    assert_eq!(differences(&pool, clock.now() - TimeDelta::minutes(1)).await, Vec::<String>::new());
}

/// Two nodes run the job at once, as they do after a change of leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_aggregations_at_once_make_everything_once() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let samples: Vec<NewSample> = (0..600).map(|n| a_sample(&host, at(n * 30), 100)).collect();
    write(app.pool(), &samples, true).await;
    app.clock.advance(TimeDelta::days(2));
    let (one, two) = tokio::join!(
        bring_up_to_date(app.pool(), app.clock.now()),
        bring_up_to_date(app.pool(), app.clock.now())
    );
    one.unwrap();
    two.unwrap();
    roll(&app).await;
    assert_eq!(differences(app.pool(), at(172_800)).await, Vec::<String>::new());
}

/// Spec: monitoring 5
#[tokio::test]
async fn newest_bucket_is_reckoned_from_samples_that_are_not_aggregated_yet() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 1_000), a_sample(&host, at(3_000), 3_000)], true).await;
    app.clock.advance(TimeDelta::minutes(58));
    let path = format!("/hosts/{}/metrics?range=7d&metrics=cpu", host.id);
    let live = app.get(&viewer, &path).await.expect(200);
    assert_eq!(
        live["series"][0]["points"],
        serde_json::json!([["2026-06-03T12:00:00.000Z", 20.0, 10.0, 30.0]])
    );
    roll(&app).await;
    assert_eq!(app.get(&viewer, &path).await.expect(200), live, "minutes and samples together are the same");
    app.clock.advance(TimeDelta::hours(1));
    roll(&app).await;
    let later = app.get(&viewer, &path).await.expect(200);
    assert_eq!(later["series"], live["series"], "and so is the hour");
}
