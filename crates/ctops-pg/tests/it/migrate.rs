//! Migrations on a real database.

use ctops_pg::migrate::{self, MIGRATIONS, MigrateError, Migration, Report};
use ctops_testkit::TestDb;

fn versions() -> Vec<i64> {
    MIGRATIONS.iter().map(|file| file.version).collect()
}

#[tokio::test]
async fn run_on_an_empty_database_applies_everything_in_order() {
    let db = TestDb::empty().await;
    let before = migrate::status(db.pool()).await.unwrap();
    assert_eq!(
        before.pending.len(),
        MIGRATIONS.len(),
        "reading the status of an empty database writes nothing"
    );

    let report = migrate::run(db.pool()).await.unwrap();
    assert_eq!(report, Report { applied: versions(), already: 0 });
    let after = migrate::status(db.pool()).await.unwrap();
    assert!(after.is_current(), "{after:?}");
    assert_eq!(after.applied[0].sha256, MIGRATIONS[0].sha256());
}

#[tokio::test]
async fn run_twice_does_nothing_the_second_time() {
    let db = TestDb::empty().await;
    migrate::run(db.pool()).await.unwrap();
    let again = migrate::run(db.pool()).await.unwrap();
    assert_eq!(again, Report { applied: Vec::new(), already: MIGRATIONS.len() });
}

#[tokio::test]
async fn run_from_several_processes_at_once_applies_each_file_once() {
    let db = TestDb::empty().await;
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let url = db.url();
            tokio::spawn(async move {
                let pool = ctops_pg::connect(&url, 1).await.unwrap();
                migrate::run(&pool).await.unwrap().applied
            })
        })
        .collect();
    let mut applied = Vec::new();
    for run in runs {
        applied.extend(run.await.unwrap());
    }
    assert_eq!(applied, versions(), "one run did all the work");
}

#[tokio::test]
async fn run_on_a_newer_schema_is_refused_and_says_what_to_do() {
    let db = TestDb::new().await;
    sqlx::query(
        "INSERT INTO schema_migrations (version, name, sha256, applied_at)
         VALUES (29991231235959, 'future_create', '', clock_timestamp())",
    )
    .execute(db.pool())
    .await
    .unwrap();
    let error = migrate::run(db.pool()).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::Newer { version: 29_991_231_235_959, name } if name == "future_create")
    );
    let text = error.to_string();
    assert!(text.contains("newer than this program") && text.contains("restore the backup"), "{text}");
    assert_eq!(migrate::status(db.pool()).await.unwrap().unknown, [29_991_231_235_959]);
}

#[tokio::test]
async fn run_with_a_changed_file_is_refused_and_names_it() {
    let db = TestDb::new().await;
    sqlx::query("UPDATE schema_migrations SET sha256 = repeat('0', 64) WHERE version = $1")
        .bind(MIGRATIONS[1].version)
        .execute(db.pool())
        .await
        .unwrap();
    let error = migrate::run(db.pool()).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Changed { version, .. } if version == MIGRATIONS[1].version),
        "{error}"
    );
    assert!(error.to_string().contains(MIGRATIONS[1].name));
    assert_eq!(migrate::status(db.pool()).await.unwrap().changed, [MIGRATIONS[1].version]);
}

#[tokio::test]
async fn run_with_a_failing_file_keeps_the_earlier_ones_and_nothing_of_the_failed_one() {
    const FILES: &[Migration] = &[
        Migration { version: 1, name: "a_create", sql: "CREATE TABLE a (id integer);" },
        Migration { version: 2, name: "b_create", sql: "CREATE TABLE b (id integer); SELECT 1 / 0;" },
        Migration { version: 3, name: "c_create", sql: "CREATE TABLE c (id integer);" },
    ];
    let db = TestDb::empty().await;
    let error = migrate::run_files(db.pool(), FILES).await.unwrap_err();
    assert!(matches!(error, MigrateError::Failed { version: 2, name: "b_create", .. }), "{error}");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    assert_eq!(tables, ["a", "schema_migrations"]);

    let repaired =
        [FILES[0], Migration { version: 2, name: "b_create", sql: "CREATE TABLE b (id integer);" }, FILES[2]];
    let report = migrate::run_files(db.pool(), &repaired).await.unwrap();
    assert_eq!(report, Report { applied: vec![2, 3], already: 1 });
}

#[tokio::test]
async fn run_through_a_web_pool_is_not_cut_off_by_its_limit() {
    const SLOW: &[Migration] = &[Migration { version: 1, name: "slow", sql: "SELECT pg_sleep(0.3);" }];
    let db = TestDb::empty().await;
    let options =
        ctops_pg::ConnectOptions::web(db.url()).statement_timeout(std::time::Duration::from_millis(50));
    let pool = options.connect().await.unwrap();
    assert_eq!(migrate::run_files(&pool, SLOW).await.unwrap().applied, [1]);
}
