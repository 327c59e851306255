//! Day partitions of the real samples table.

use chrono::{DateTime, Days, NaiveDate, Utc};
use ctops_pg::Pool;
use ctops_pg::partitions::{self, MAX_DAYS, PartitionError};
use ctops_testkit::TestDb;

const SAMPLES: &str = "metric_samples";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

async fn insert(pool: &Pool, at: &str) {
    sqlx::query("INSERT INTO metric_samples (host_id, recorded_at, cpu_centi) VALUES ($1, $2, 1)")
        .bind(ctops_base::id::new_id())
        .bind(at.parse::<DateTime<Utc>>().unwrap())
        .execute(pool)
        .await
        .unwrap();
}

/// Where the rows are: table and time, in order of time.
async fn rows(pool: &Pool) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT tableoid::regclass::text, to_char(recorded_at, 'YYYY-MM-DD HH24:MI:SS')
         FROM metric_samples
         ORDER BY recorded_at",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

fn at(table: &str, time: &str) -> (String, String) {
    (table.to_owned(), time.to_owned())
}

#[tokio::test]
async fn ensure_days_makes_the_missing_days_only() {
    let db = TestDb::new().await;
    assert_eq!(partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-03"), 2).await.unwrap(), 2);
    assert_eq!(partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-03"), 2).await.unwrap(), 0);
    assert_eq!(partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-02"), 4).await.unwrap(), 2);
    let days: Vec<NaiveDate> = day("2026-06-02").iter_days().take(4).collect();
    assert_eq!(partitions::list_days(db.pool(), SAMPLES).await.unwrap(), days);
}

#[tokio::test]
async fn rows_go_to_their_utc_day_and_others_to_the_default_partition() {
    let db = TestDb::new().await;
    partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-03"), 1).await.unwrap();
    for time in
        ["2026-06-02T23:59:59Z", "2026-06-03T00:00:00Z", "2026-06-03T23:59:59Z", "2026-06-04T00:00:00Z"]
    {
        insert(db.pool(), time).await;
    }
    assert_eq!(
        rows(db.pool()).await,
        [
            at("metric_samples_default", "2026-06-02 23:59:59"),
            at("metric_samples_p20260603", "2026-06-03 00:00:00"),
            at("metric_samples_p20260603", "2026-06-03 23:59:59"),
            at("metric_samples_default", "2026-06-04 00:00:00"),
        ]
    );
}

#[tokio::test]
async fn ensure_days_moves_rows_that_waited_in_the_default_partition() {
    let db = TestDb::new().await;
    insert(db.pool(), "2026-06-03T12:00:00Z").await;
    insert(db.pool(), "2026-06-09T12:00:00Z").await;
    partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-03"), 2).await.unwrap();
    assert_eq!(
        rows(db.pool()).await,
        [
            at("metric_samples_p20260603", "2026-06-03 12:00:00"),
            at("metric_samples_default", "2026-06-09 12:00:00")
        ]
    );
}

#[tokio::test]
async fn new_partitions_have_the_index_of_the_table() {
    let db = TestDb::new().await;
    partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-03"), 1).await.unwrap();
    let indexes: Vec<String> =
        sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE tablename = 'metric_samples_p20260603'")
            .fetch_all(db.pool())
            .await
            .unwrap();
    assert!(
        matches!(&indexes[..], [only] if only.ends_with("(host_id, recorded_at, received_at)")),
        "{indexes:?}"
    );
}

#[tokio::test]
async fn ensure_days_from_several_processes_at_once_makes_each_day_once() {
    let db = TestDb::new().await;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let pool = db.pool().clone();
            tokio::spawn(async move {
                partitions::ensure_days(&pool, SAMPLES, day("2026-06-03"), 5).await.unwrap()
            })
        })
        .collect();
    let mut made = 0;
    for call in calls {
        made += call.await.unwrap();
    }
    assert_eq!(made, 5);
}

#[tokio::test]
async fn drop_before_removes_whole_days_and_late_rows_but_not_the_day_itself() {
    let db = TestDb::new().await;
    partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-01"), 3).await.unwrap();
    for time in
        ["2026-05-20T00:00:00Z", "2026-06-02T23:59:59Z", "2026-06-03T00:00:00Z", "2026-06-09T00:00:00Z"]
    {
        insert(db.pool(), time).await;
    }
    assert_eq!(partitions::drop_before(db.pool(), SAMPLES, day("2026-06-03")).await.unwrap(), 2);
    assert_eq!(
        rows(db.pool()).await,
        [
            at("metric_samples_p20260603", "2026-06-03 00:00:00"),
            at("metric_samples_default", "2026-06-09 00:00:00")
        ]
    );
    assert_eq!(partitions::drop_before(db.pool(), SAMPLES, day("2026-06-03")).await.unwrap(), 0);
}

#[tokio::test]
async fn drop_before_while_the_table_is_in_use_gives_up_and_changes_nothing() {
    let db = TestDb::new().await;
    partitions::ensure_days(db.pool(), SAMPLES, day("2026-06-01"), 1).await.unwrap();
    let mut reader = db.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM metric_samples").execute(&mut *reader).await.unwrap();
    let error = partitions::drop_before(db.pool(), SAMPLES, day("2026-06-03")).await.unwrap_err();
    assert!(matches!(error, PartitionError::Database(_)), "{error}");
    drop(reader);
    assert_eq!(partitions::list_days(db.pool(), SAMPLES).await.unwrap(), [day("2026-06-01")]);
}

#[tokio::test]
async fn wrong_names_and_numbers_are_refused() {
    let db = TestDb::new().await;
    let from = day("2026-06-03");
    for name in ["", "x; DROP TABLE hosts", "Metric", "1st", &"x".repeat(50)] {
        let error = partitions::ensure_days(db.pool(), name, from, 1).await.unwrap_err();
        assert!(matches!(error, PartitionError::Name(_)), "{name}: {error}");
    }
    for name in ["hosts", "no_such_table"] {
        let error = partitions::ensure_days(db.pool(), name, from, 1).await.unwrap_err();
        assert!(matches!(error, PartitionError::NotPartitioned(_)), "{name}: {error}");
    }
    let error = partitions::ensure_days(db.pool(), SAMPLES, from, MAX_DAYS + 1).await.unwrap_err();
    assert!(matches!(error, PartitionError::TooManyDays(days) if days == MAX_DAYS + 1), "{error}");
    let last = NaiveDate::MAX.checked_sub_days(Days::new(1)).unwrap();
    let error = partitions::ensure_days(db.pool(), SAMPLES, last, 5).await.unwrap_err();
    assert!(matches!(error, PartitionError::TooManyDays(5)), "{error}");
}
