#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_pg::Pool;
use ctops_slice::{Actor, Credential, Grant, SignInMethod};
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::SESSIONS_OWN;
use super::model::SessionRow;
use super::store::*;

/// A session that began at the start time and lasts an hour.
async fn a_session(pool: &Pool, org_id: Uuid, user_id: Uuid, token: u8) -> Uuid {
    let id = new_id();
    let row = SessionRow {
        id,
        token_hash: [token; 32],
        user_id,
        org_id,
        method: "password",
        second_factor: true,
        ip: "192.0.2.7".into(),
        user_agent: "browser",
        created_at: start_time(),
        expires_at: start_time() + TimeDelta::hours(1),
    };
    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn grant_of(user_id: Uuid, org_id: Uuid) -> Grant {
    let credential = Credential::session(Uuid::nil(), start_time());
    let ip = IpAddr::from([127, 0, 0, 1]);
    let actor = Actor::with_roles((user_id, org_id), credential, [Role::ReadOnly], ip);
    actor.grant(&SESSIONS_OWN).unwrap()
}

fn minute(minutes: i64) -> DateTime<Utc> {
    start_time() + TimeDelta::minutes(minutes)
}

struct Person {
    db: TestDb,
    org: Uuid,
    user: Uuid,
}

async fn a_person() -> Person {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let user = a_user(db.pool(), org, &[Role::Engineer]).await;
    Person { db, org, user }
}

/// Spec: auth 13
#[tokio::test]
async fn find_live_ends_at_the_absolute_and_at_the_idle_limit() {
    let Person { db, org, user } = a_person().await;
    let id = a_session(db.pool(), org, user, 1).await;
    let found = find_live(db.pool(), &[1; 32], minute(59), minute(-1)).await.unwrap().unwrap();
    assert_eq!((found.id, found.user_id, found.org_id), (id, user, org));
    assert_eq!((found.method, found.second_factor), (SignInMethod::Password, true));
    assert_eq!(found.confirmed_at, minute(0), "a sign-in is a confirmation");
    assert_eq!((found.last_used_at, found.expires_at), (minute(0), minute(60)));
    for (now, idle_since) in [(minute(60), minute(-1)), (minute(1), minute(0))] {
        assert_eq!(find_live(db.pool(), &[1; 32], now, idle_since).await.unwrap(), None);
        assert!(!is_live(db.pool(), id, now, idle_since).await.unwrap());
    }
    assert_eq!(find_live(db.pool(), &[2; 32], minute(1), minute(-1)).await.unwrap(), None, "another token");
    assert!(is_live(db.pool(), id, minute(1), minute(-1)).await.unwrap());
}

/// Spec: auth 14
#[tokio::test]
async fn find_live_is_nothing_once_the_user_is_deactivated_removed_or_no_member() {
    for change in [
        "UPDATE users SET active = false",
        "UPDATE users SET deleted_at = now()",
        "DELETE FROM memberships",
        "DELETE FROM sessions",
    ] {
        let Person { db, org, user } = a_person().await;
        let id = a_session(db.pool(), org, user, 1).await;
        sqlx::query(change).execute(db.pool()).await.unwrap();
        assert_eq!(find_live(db.pool(), &[1; 32], minute(1), minute(-1)).await.unwrap(), None, "{change}");
        assert!(!is_live(db.pool(), id, minute(1), minute(-1)).await.unwrap(), "{change}");
    }
}

#[tokio::test]
async fn find_live_looks_the_token_up_by_its_index() {
    let Person { db, .. } = a_person().await;
    let mut tx = db.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
    let plan: Vec<String> =
        sqlx::query_scalar(r"EXPLAIN SELECT id FROM sessions WHERE token_hash = '\x00'::bytea")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    assert!(plan.join("\n").contains("sessions_token_hash_key"), "{plan:?}");
}

#[tokio::test]
async fn touch_writes_once_and_not_again_within_the_interval() {
    let Person { db, org, user } = a_person().await;
    let id = a_session(db.pool(), org, user, 1).await;
    touch(db.pool(), id, "198.51.100.1", minute(4), minute(-1)).await.unwrap();
    let seen = list(db.pool(), &grant_of(user, org), user, minute(4), minute(-60)).await.unwrap();
    assert_eq!((seen[0].last_used_at, seen[0].ip.as_str()), (minute(0), "192.0.2.7"), "too early");
    touch(db.pool(), id, "198.51.100.1", minute(5), minute(0)).await.unwrap();
    let seen = list(db.pool(), &grant_of(user, org), user, minute(5), minute(-60)).await.unwrap();
    assert_eq!((seen[0].last_used_at, seen[0].ip.as_str()), (minute(5), "198.51.100.1"));
}

#[tokio::test]
async fn list_has_live_sessions_of_the_user_only_latest_use_first() {
    let Person { db, org, user } = a_person().await;
    let other = a_user(db.pool(), org, &[Role::SuperAdmin]).await;
    let first = a_session(db.pool(), org, user, 1).await;
    let second = a_session(db.pool(), org, user, 2).await;
    a_session(db.pool(), org, other, 3).await;
    touch(db.pool(), first, "192.0.2.7", minute(10), minute(10)).await.unwrap();
    let ids = async |now, idle_since| -> Vec<Uuid> {
        let listed = list(db.pool(), &grant_of(user, org), user, now, idle_since).await.unwrap();
        listed.into_iter().map(|session| session.id).collect()
    };
    assert_eq!(ids(minute(11), minute(-60)).await, [first, second]);
    assert_eq!(ids(minute(11), minute(5)).await, [first], "the other one is idle");
    assert!(ids(minute(60), minute(-60)).await.is_empty());
}

/// Spec: auth 14
#[tokio::test]
async fn delete_reaches_sessions_of_the_user_only() {
    let Person { db, org, user } = a_person().await;
    let other = a_user(db.pool(), org, &[Role::ReadOnly]).await;
    let mine = a_session(db.pool(), org, user, 1).await;
    let theirs = a_session(db.pool(), org, other, 2).await;
    let mut tx = db.pool().begin().await.unwrap();
    assert!(!delete(&mut tx, user, theirs).await.unwrap());
    assert!(delete(&mut tx, user, mine).await.unwrap());
    assert!(!delete(&mut tx, user, mine).await.unwrap(), "gone already");
    tx.commit().await.unwrap();
    assert!(is_live(db.pool(), theirs, minute(1), minute(-1)).await.unwrap());
}

#[tokio::test]
async fn delete_others_keeps_the_named_one_and_those_of_other_people() {
    let Person { db, org, user } = a_person().await;
    let other = a_user(db.pool(), org, &[Role::ReadOnly]).await;
    let keep = a_session(db.pool(), org, user, 1).await;
    for token in [2, 3] {
        a_session(db.pool(), org, user, token).await;
    }
    let theirs = a_session(db.pool(), org, other, 4).await;
    let mut tx = db.pool().begin().await.unwrap();
    assert_eq!(delete_others(&mut tx, &grant_of(user, org), user, keep).await.unwrap(), 2);
    tx.commit().await.unwrap();
    for id in [keep, theirs] {
        assert!(is_live(db.pool(), id, minute(1), minute(-1)).await.unwrap());
    }
}

#[tokio::test]
async fn delete_ended_removes_what_is_over_and_nothing_else() {
    let Person { db, org, user } = a_person().await;
    let used = a_session(db.pool(), org, user, 1).await;
    a_session(db.pool(), org, user, 2).await;
    touch(db.pool(), used, "192.0.2.7", minute(30), minute(30)).await.unwrap();
    assert_eq!(delete_ended(db.pool(), minute(59), minute(-1)).await.unwrap(), 0);
    assert_eq!(delete_ended(db.pool(), minute(59), minute(0)).await.unwrap(), 1, "the idle one");
    assert_eq!(delete_ended(db.pool(), minute(60), minute(0)).await.unwrap(), 1, "the expired one");
}
