//! Records and databases that refuse: poison is parked alone, everything else is tried again.

use std::sync::Arc;

use ctops_queue::log::Log;
use ctops_queue::{BatchLimits, Queue, Topic};
use ctops_testkit::wait_until;
use tempfile::TempDir;

use crate::applier::{
    Applier, CREATE_APPLIED, Consumer, Then, applied, database, dead_letters, run_sql, stored, until_applied,
};
use crate::support::{LIMIT, numbers, open, small};

const TOPIC: Topic = Topic::METRICS_RAW;

/// `0..count`, with some numbers replaced.
async fn log_with(count: usize, replaced: &[(usize, &'static str)]) -> (TempDir, Arc<Log>) {
    let directory = tempfile::tempdir().unwrap();
    let log = open(small(directory.path(), &[TOPIC])).await;
    let mut payloads = numbers(count);
    for (at, payload) in replaced {
        payloads[*at] = (*payload).to_owned();
    }
    let records = payloads.into_iter().map(|payload| ("key".into(), payload.into())).collect();
    log.publish_many(TOPIC, records).await.unwrap();
    (directory, log)
}

fn numbers_without(count: usize, missing: &[usize]) -> Vec<String> {
    (0..count).filter(|number| !missing.contains(number)).map(|number| number.to_string()).collect()
}

fn applier_of(max_records: usize) -> Arc<Applier> {
    let applier = Applier::new(|_| Then::Commit);
    let mut applier = Arc::into_inner(applier).unwrap();
    applier.limits = BatchLimits { max_records, ..applier.limits };
    Arc::new(applier)
}

/// Applies `count` records of which some are poison, and returns the dead letters.
async fn letters_of(count: usize, replaced: &[(usize, &'static str)]) -> Vec<(String, String)> {
    let db = database().await;
    let (_directory, log) = log_with(count, replaced).await;
    let consumer = Consumer::start(&log, db.pool(), &applier_of(1_000));
    wait_until(LIMIT, || async { stored(db.pool()).await.is_some_and(|(_, next)| next == count as i64) })
        .await;
    consumer.stop().await;
    let missing: Vec<usize> = replaced.iter().map(|(at, _)| *at).collect();
    assert_eq!(applied(db.pool()).await, numbers_without(count, &missing), "the others are applied in order");
    dead_letters(db.pool()).await
}

/// Spec: deployment 1
#[tokio::test]
async fn record_the_database_refuses_is_parked_alone_with_the_reason() {
    let letters = letters_of(300, &[(0, "poison"), (137, "poison"), (299, "poison")]).await;
    let reason = "the database refused a value with code 23514 (applied_no_poison)";
    assert_eq!(letters, [(); 3].map(|()| ("poison".to_owned(), reason.to_owned())));
}

#[tokio::test]
async fn record_that_makes_the_handler_panic_is_parked_alone() {
    let letters = letters_of(20, &[(11, "panic")]).await;
    let reason = "the handler panicked: the handler met a panic record";
    assert_eq!(letters, [("panic".to_owned(), reason.to_owned())]);
}

#[tokio::test]
async fn record_the_handler_gives_up_is_parked_with_its_reason() {
    let letters = letters_of(20, &[(3, "park"), (4, "park")]).await;
    assert_eq!(letters, [(); 2].map(|()| ("park".to_owned(), "asked to".to_owned())));
}

#[tokio::test]
async fn text_the_database_cannot_hold_is_parked() {
    let letters = letters_of(5, &[(2, "a\0b")]).await;
    assert_eq!(letters, [("a\0b".to_owned(), "the database refused a value with code 22021".to_owned())]);
}

#[tokio::test]
async fn topic_full_of_poison_is_passed() {
    let all: Vec<(usize, &'static str)> =
        (0..25).map(|at| (at, ["poison", "panic", "park"][at % 3])).collect();
    assert_eq!(letters_of(25, &all).await.len(), 25);
}

#[tokio::test]
async fn dead_letter_keeps_key_place_and_time() {
    let db = database().await;
    let (_directory, log) = log_with(3, &[(1, "park")]).await;
    let consumer = Consumer::start(&log, db.pool(), &applier_of(10));
    until_applied(db.pool(), 2).await;
    consumer.stop().await;
    let letter: (String, String, i32, String, i64, Vec<u8>, bool) = sqlx::query_as(
        "SELECT group_name, topic, partition, log_id, \"offset\", key, now() - parked_at < INTERVAL '1 hour'
           FROM dead_letters",
    )
    .fetch_one(db.pool())
    .await
    .unwrap();
    let expected =
        ("metrics".into(), "metrics.raw".into(), 0, log.log_id().to_string(), 1, b"key".to_vec(), true);
    assert_eq!(letter, expected);
}

/// Waits until a consumer has failed, changes the database, and expects everything to be applied and nothing parked.
async fn recovers(broken: &'static str, healed: &'static str) {
    let db = database().await;
    run_sql(db.pool(), broken).await;
    let (_directory, log) = log_with(70, &[]).await;
    let consumer = Consumer::start(&log, db.pool(), &applier_of(50));
    // Two failed attempts are visible as rolled back transactions.
    let pool = db.pool();
    let rolled_back = || async move {
        let count: i64 = sqlx::query_scalar(
            "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        count >= 2
    };
    wait_until(LIMIT, rolled_back).await;
    assert_eq!(stored(db.pool()).await, None, "nothing was skipped");
    run_sql(db.pool(), healed).await;
    until_applied(db.pool(), 70).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(70));
    assert_eq!(dead_letters(db.pool()).await, []);
}

#[tokio::test]
async fn batch_is_tried_again_until_the_database_has_its_table() {
    recovers("DROP TABLE applied", CREATE_APPLIED).await;
}

#[tokio::test]
async fn missing_partition_is_waited_for_and_parks_nothing() {
    let broken = "DROP TABLE applied;
        CREATE TABLE applied (number bigint GENERATED ALWAYS AS IDENTITY, payload text) PARTITION BY RANGE (number)";
    recovers(broken, "CREATE TABLE applied_all PARTITION OF applied DEFAULT").await;
}

#[tokio::test]
async fn lock_time_out_is_the_databases_fault_and_parks_nothing() {
    let db = database().await;
    let (_directory, log) = log_with(10, &[]).await;
    let mut blocker = db.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE applied").execute(&mut *blocker).await.unwrap();
    let impatient = sqlx::postgres::PgPoolOptions::new()
        .max_connections(2)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("SET lock_timeout = '20ms'").execute(connection).await?;
                Ok(())
            })
        })
        .connect(&db.url())
        .await
        .unwrap();
    let consumer = Consumer::start(&log, &impatient, &applier_of(50));
    let waited = || async {
        let count: i64 = sqlx::query_scalar(
            "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(db.pool())
        .await
        .unwrap();
        count >= 2
    };
    wait_until(LIMIT, waited).await;
    blocker.rollback().await.unwrap();
    until_applied(db.pool(), 10).await;
    consumer.stop().await;
    assert_eq!((applied(db.pool()).await, dead_letters(db.pool()).await), (numbers(10), vec![]));
    impatient.close().await;
}
