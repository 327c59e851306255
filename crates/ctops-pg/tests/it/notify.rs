//! Notifications over a real connection.

use std::time::Duration;

use ctops_pg::Pool;
use ctops_pg::notify::{AGENTS, CHANGES, MAX_PAYLOAD, Notice, Notifications, notify};
use ctops_testkit::{TestDb, wait_until};
use tokio::sync::broadcast::Receiver;

const LIMIT: Duration = Duration::from_secs(20);

async fn next(receiver: &mut Receiver<Notice>) -> Notice {
    tokio::time::timeout(LIMIT, receiver.recv()).await.expect("a notice arrives").unwrap()
}

fn message(channel: &str, payload: &str) -> Notice {
    Notice::Message { channel: channel.into(), payload: payload.into() }
}

/// Ends the listening connection from the server's side; returns how many there were.
async fn terminate_listener(pool: &Pool) -> usize {
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid)
         FROM pg_stat_activity
         WHERE application_name = 'ct-ops listen' AND datname = current_database()",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    ended.len()
}

#[tokio::test]
async fn subscribers_get_what_is_sent_on_their_channels_only() {
    let db = TestDb::empty().await;
    let notifications = Notifications::start(db.pool(), &[AGENTS, CHANGES]).await.unwrap();
    let (mut one, mut two) = (notifications.subscribe(), notifications.clone().subscribe());
    notify(db.pool(), "somewhere_else", "x").await.unwrap();
    notify(db.pool(), AGENTS, "approved:a1").await.unwrap();
    notify(db.pool(), CHANGES, "vitals,status").await.unwrap();
    for receiver in [&mut one, &mut two] {
        assert_eq!(next(receiver).await, message(AGENTS, "approved:a1"));
        assert_eq!(next(receiver).await, message(CHANGES, "vitals,status"));
    }
}

#[tokio::test]
async fn notify_in_a_transaction_arrives_with_the_commit_only() {
    let db = TestDb::empty().await;
    let notifications = Notifications::start(db.pool(), &[AGENTS]).await.unwrap();
    let mut receiver = notifications.subscribe();
    let mut dropped = db.pool().begin().await.unwrap();
    notify(&mut *dropped, AGENTS, "never").await.unwrap();
    dropped.rollback().await.unwrap();
    let mut kept = db.pool().begin().await.unwrap();
    notify(&mut *kept, AGENTS, "kept").await.unwrap();
    kept.commit().await.unwrap();
    assert_eq!(next(&mut receiver).await, message(AGENTS, "kept"));
}

#[tokio::test]
async fn lost_connection_comes_back_and_subscribers_are_told() {
    let db = TestDb::empty().await;
    let notifications = Notifications::start(db.pool(), &[AGENTS]).await.unwrap();
    let mut receiver = notifications.subscribe();
    for round in ["first", "second"] {
        assert_eq!(terminate_listener(db.pool()).await, 1, "{round}");
        assert_eq!(next(&mut receiver).await, Notice::Reconnected, "{round}");
        notify(db.pool(), AGENTS, round).await.unwrap();
        assert_eq!(next(&mut receiver).await, message(AGENTS, round));
    }
}

#[tokio::test]
async fn listening_takes_no_connection_of_the_pool() {
    let db = TestDb::empty().await;
    let pool = ctops_pg::connect(&db.url(), 1).await.unwrap();
    let _notifications = Notifications::start(&pool, &[AGENTS]).await.unwrap();
    ctops_pg::ping(&pool).await.unwrap();
}

#[tokio::test]
async fn shutdown_closes_the_connection_and_so_does_dropping_the_last_clone() {
    let db = TestDb::empty().await;
    let notifications = Notifications::start(db.pool(), &[AGENTS]).await.unwrap();
    notifications.shutdown().await;
    notifications.shutdown().await;
    wait_until(LIMIT, || async { terminate_listener(db.pool()).await == 0 }).await;

    let notifications = Notifications::start(db.pool(), &[AGENTS]).await.unwrap();
    let mut receiver = notifications.subscribe();
    drop(notifications);
    let closed = tokio::time::timeout(LIMIT, receiver.recv()).await.expect("the channel closes");
    assert!(closed.is_err(), "{closed:?}");
    wait_until(LIMIT, || async { terminate_listener(db.pool()).await == 0 }).await;
}

#[tokio::test]
async fn notify_accepts_the_longest_payload_and_refuses_one_byte_more() {
    let db = TestDb::empty().await;
    notify(db.pool(), AGENTS, &"x".repeat(MAX_PAYLOAD)).await.unwrap();
    assert!(notify(db.pool(), AGENTS, &"x".repeat(MAX_PAYLOAD + 1)).await.is_err());
}

#[tokio::test]
async fn start_without_a_server_is_an_error() {
    let options = "postgres://u@%2Fnonexistent/db".parse().unwrap();
    let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy_with(options);
    assert!(Notifications::start(&pool, &[AGENTS]).await.is_err());
}
