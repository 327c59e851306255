//! Pools and their limits.

use std::time::Duration;

use ctops_pg::{ConnectOptions, PgError, Pool, WEB_STATEMENT_TIMEOUT};
use ctops_testkit::TestDb;

async fn statement_timeout(pool: &Pool) -> String {
    sqlx::query_scalar("SELECT current_setting('statement_timeout')").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn web_pool_ends_long_statements_and_the_plain_one_does_not() {
    let db = TestDb::empty().await;
    let web = ConnectOptions::web(db.url()).connect().await.unwrap();
    assert_eq!(statement_timeout(&web).await, format!("{}s", WEB_STATEMENT_TIMEOUT.as_secs()));
    let plain = ctops_pg::connect(&db.url(), 2).await.unwrap();
    assert_eq!(statement_timeout(&plain).await, "0");

    let short =
        ConnectOptions::new(db.url()).statement_timeout(Duration::from_millis(50)).connect().await.unwrap();
    let error = sqlx::query("SELECT pg_sleep(60)").execute(&short).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "57014", "query_canceled");
}

#[tokio::test]
async fn ping_answers_on_a_living_pool_and_fails_on_a_closed_one() {
    let db = TestDb::empty().await;
    let pool = ConnectOptions::new(db.url())
        .max_connections(1)
        .application_name("ping test")
        .connect()
        .await
        .unwrap();
    ctops_pg::ping(&pool).await.unwrap();
    pool.close().await;
    assert!(matches!(ctops_pg::ping(&pool).await, Err(PgError::Unreachable(_))));
}

#[tokio::test]
async fn ping_while_every_connection_is_taken_gives_up_after_its_limit() {
    let db = TestDb::empty().await;
    let pool = ctops_pg::connect(&db.url(), 1).await.unwrap();
    let _taken = pool.acquire().await.unwrap();
    assert!(matches!(ctops_pg::ping(&pool).await, Err(PgError::Silent)));
}
