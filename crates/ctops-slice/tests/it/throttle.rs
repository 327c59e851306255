//! Rate limits and lock-outs: where they begin, how long they last, and that guesses in parallel gain nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::ProblemKind;
use ctops_slice::throttle::{LockOut, Rate, check_lock, clear, fail, hit, locked_until, purge};
use ctops_testkit::{TestDb, start_time};
use futures_util::future::join_all;

const RATE: Rate = Rate { scope: "door", limit: 3, window: Duration::from_secs(60) };
const LOCK: LockOut = LockOut {
    scope: "account",
    failures: 3,
    window: Duration::from_secs(900),
    first: Duration::from_secs(60),
    longest: Duration::from_secs(240),
};

fn after(seconds: i64) -> DateTime<Utc> {
    start_time() + TimeDelta::seconds(seconds)
}

/// Locks `key` at `now`; how long for.
async fn lock_at(db: &TestDb, key: &str, now: DateTime<Utc>) -> TimeDelta {
    for _ in 0..LOCK.failures {
        fail(db.pool(), &LOCK, key, now).await.unwrap();
    }
    locked_until(db.pool(), LOCK.scope, key, now).await.unwrap().expect("a lock") - now
}

/// Spec: auth 22
/// Spec: api-conventions 11
#[tokio::test]
async fn calls_up_to_the_limit_pass_and_the_next_waits_for_the_end_of_the_window() {
    let db = TestDb::new().await;
    for second in [0, 10, 59] {
        hit(db.pool(), &RATE, "192.0.2.1", after(second)).await.unwrap();
    }
    let refused = hit(db.pool(), &RATE, "192.0.2.1", after(59)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ProblemKind::Limited, "rate_limited"));
    assert_eq!(refused.retry_after_s(), Some(1), "the window began with the first call");
    hit(db.pool(), &RATE, "192.0.2.1", after(60)).await.expect("a new window");
}

/// Spec: auth 22
#[tokio::test]
async fn refused_calls_do_not_prolong_the_window() {
    let db = TestDb::new().await;
    for second in 0..50 {
        let outcome = hit(db.pool(), &RATE, "busy", after(second)).await;
        assert_eq!(outcome.is_ok(), second < 3, "{second}");
        if let Err(refused) = outcome {
            assert_eq!(refused.retry_after_s(), Some(u64::try_from(60 - second).unwrap()));
        }
    }
    hit(db.pool(), &RATE, "busy", after(60)).await.unwrap();
}

#[tokio::test]
async fn keys_and_scopes_are_counted_apart() {
    let db = TestDb::new().await;
    let other = Rate { scope: "window", ..RATE };
    for key in ["a", "b", "A", "a "] {
        for _ in 0..3 {
            hit(db.pool(), &RATE, key, after(0)).await.unwrap();
            hit(db.pool(), &other, key, after(0)).await.unwrap();
        }
    }
    assert!(hit(db.pool(), &RATE, "a", after(0)).await.is_err());
    clear(db.pool(), RATE.scope, "a").await.unwrap();
    hit(db.pool(), &RATE, "a", after(0)).await.expect("cleared");
    assert!(hit(db.pool(), &other, "a", after(0)).await.is_err(), "the other scope is not");
    assert!(hit(db.pool(), &RATE, "b", after(0)).await.is_err(), "nor is the other key");
}

/// Counting is one statement, so requests that arrive together on several nodes cannot slip through between reading and
/// writing.
///
/// Spec: auth 22
#[tokio::test]
async fn calls_at_the_same_moment_are_counted_one_by_one() {
    let db = TestDb::new().await;
    let calls = (0..12).map(|_| hit(db.pool(), &RATE, "together", after(0)));
    let passed = join_all(calls).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(passed, 3);
}

/// Spec: auth 22
#[tokio::test]
async fn a_lock_begins_with_the_failure_that_fills_the_count_and_ends_to_the_second() {
    let db = TestDb::new().await;
    assert!(!fail(db.pool(), &LOCK, "ada", after(0)).await.unwrap());
    assert!(!fail(db.pool(), &LOCK, "ada", after(1)).await.unwrap());
    check_lock(db.pool(), &LOCK, "ada", after(1)).await.expect("two failures lock nobody");
    assert!(fail(db.pool(), &LOCK, "ada", after(2)).await.unwrap());
    let refused = check_lock(db.pool(), &LOCK, "ada", after(2)).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_s()), ("rate_limited", Some(60)));
    assert!(check_lock(db.pool(), &LOCK, "ada", after(61)).await.is_err());
    check_lock(db.pool(), &LOCK, "ada", after(62)).await.expect("the lock is over");
    check_lock(db.pool(), &LOCK, "eve", after(2)).await.expect("others are not locked");
}

/// Spec: auth 22
#[tokio::test]
async fn locks_double_up_to_the_longest_and_begin_anew_after_a_success() {
    let db = TestDb::new().await;
    let mut now = after(0);
    let mut lengths = Vec::new();
    for _ in 0..5 {
        let length = lock_at(&db, "ada", now).await;
        lengths.push(length.num_seconds());
        now += length;
    }
    assert_eq!(lengths, [60, 120, 240, 240, 240]);
    clear(db.pool(), LOCK.scope, "ada").await.unwrap();
    assert_eq!(lock_at(&db, "ada", now).await.num_seconds(), 60);
}

#[tokio::test]
async fn failures_further_apart_than_the_window_never_lock() {
    let db = TestDb::new().await;
    for attempt in 0..20 {
        assert!(!fail(db.pool(), &LOCK, "slow", after(attempt * 451)).await.unwrap(), "attempt {attempt}");
    }
    assert_eq!(locked_until(db.pool(), LOCK.scope, "slow", after(0)).await.unwrap(), None);
}

/// Spec: auth 22
#[tokio::test]
async fn failures_at_the_same_moment_lock_once() {
    let db = TestDb::new().await;
    let attempts = (0..LOCK.failures).map(|_| fail(db.pool(), &LOCK, "together", after(0)));
    let locked: Vec<bool> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(locked.iter().filter(|locked| **locked).count(), 1);
    let until = locked_until(db.pool(), LOCK.scope, "together", after(0)).await.unwrap();
    assert_eq!(until, Some(after(60)), "one level, not three");
}

/// A lock that lasts does not hide behind the fresh count that begins with it.
#[tokio::test]
async fn failures_during_a_lock_keep_it_and_lengthen_the_next() {
    let db = TestDb::new().await;
    assert_eq!(lock_at(&db, "ada", after(0)).await.num_seconds(), 60);
    assert!(fail(db.pool(), &LOCK, "ada", after(5)).await.unwrap(), "still locked");
    assert!(fail(db.pool(), &LOCK, "ada", after(6)).await.unwrap());
    assert_eq!(locked_until(db.pool(), LOCK.scope, "ada", after(6)).await.unwrap(), Some(after(60)));
    assert!(fail(db.pool(), &LOCK, "ada", after(7)).await.unwrap());
    assert_eq!(locked_until(db.pool(), LOCK.scope, "ada", after(7)).await.unwrap(), Some(after(127)));
}

/// Spec: auth 23
#[tokio::test]
async fn purge_takes_what_is_over_and_leaves_windows_and_locks_that_last() {
    let db = TestDb::new().await;
    hit(db.pool(), &RATE, "old", after(0)).await.unwrap();
    hit(db.pool(), &RATE, "new", after(500)).await.unwrap();
    let long = LockOut { first: Duration::from_secs(10_000), longest: Duration::from_secs(10_000), ..LOCK };
    for _ in 0..LOCK.failures {
        fail(db.pool(), &long, "locked", after(0)).await.unwrap();
        fail(db.pool(), &LOCK, "was locked", after(0)).await.unwrap();
    }
    assert_eq!(purge(db.pool(), after(300)).await.unwrap(), 2);
    let left: BTreeSet<String> = sqlx::query_scalar("SELECT key FROM throttles")
        .fetch_all(db.pool())
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(left, BTreeSet::from(["locked".to_owned(), "new".to_owned()]));
    assert_eq!(purge(db.pool(), after(300)).await.unwrap(), 0);
}

/// Spec: security 18
#[tokio::test]
async fn a_counter_that_cannot_be_kept_never_opens_the_gate() {
    let db = TestDb::new().await;
    db.pool().close().await;
    let internal = |kind| assert_eq!(kind, ProblemKind::Internal);
    internal(hit(db.pool(), &RATE, "x", after(0)).await.unwrap_err().kind());
    internal(fail(db.pool(), &LOCK, "x", after(0)).await.unwrap_err().kind());
    internal(check_lock(db.pool(), &LOCK, "x", after(0)).await.unwrap_err().kind());
}

/// Keys come from people: addresses of mail, names of directories.
#[tokio::test]
async fn hostile_keys_are_counted_like_any_other() {
    let db = TestDb::new().await;
    for key in ["'; DROP TABLE throttles; --", "%", "_", "\\", "ä\u{202e}", &"x".repeat(2_000)] {
        for _ in 0..3 {
            hit(db.pool(), &RATE, key, after(0)).await.unwrap();
        }
        assert!(hit(db.pool(), &RATE, key, after(0)).await.is_err(), "{key:?}");
    }
}
