#![allow(clippy::unwrap_used)]

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::store::*;

async fn a_person(db: &TestDb) -> Uuid {
    let org = a_organisation(db.pool()).await;
    a_user(db.pool(), org, &[Role::ReadOnly]).await
}

/// Spec: auth 16
#[tokio::test]
async fn take_step_accepts_every_step_once_and_none_before_it() {
    let db = TestDb::new().await;
    let user = a_person(&db).await;
    let mut tx = db.pool().begin().await.unwrap();
    assert!(put_waiting_seed(&mut tx, user, b"sealed", start_time()).await.unwrap());
    for (step, expected) in [(100, true), (100, false), (99, false), (101, true), (100, false)] {
        assert_eq!(take_step(&mut tx, user, step).await.unwrap(), expected, "{step}");
    }
}

#[tokio::test]
async fn a_seed_in_use_is_not_replaced_but_a_waiting_one_is() {
    let db = TestDb::new().await;
    let user = a_person(&db).await;
    let mut tx = db.pool().begin().await.unwrap();
    assert!(put_waiting_seed(&mut tx, user, b"one", start_time()).await.unwrap());
    assert!(take_step(&mut tx, user, 7).await.unwrap());
    assert!(put_waiting_seed(&mut tx, user, b"two", start_time()).await.unwrap());
    assert!(take_step(&mut tx, user, 3).await.unwrap(), "another seed has steps of its own");
    enrol(&mut tx, user, start_time()).await.unwrap();
    assert!(!put_waiting_seed(&mut tx, user, b"three", start_time()).await.unwrap());
    let seed = seed_for_update(&mut tx, user).await.unwrap().unwrap();
    assert_eq!((seed.sealed.as_slice(), seed.enrolled), (&b"two"[..], true));
    assert!(delete_seed(&mut tx, user).await.unwrap());
    assert!(!delete_seed(&mut tx, user).await.unwrap());
}

/// Spec: auth 16
#[tokio::test]
async fn recovery_codes_are_replaced_as_a_whole_and_used_once() {
    let db = TestDb::new().await;
    let (user, other) = (a_person(&db).await, a_person(&db).await);
    let codes = |n: u8| (0..n).map(|i| (new_id(), vec![i])).collect::<Vec<_>>();
    let mut tx = db.pool().begin().await.unwrap();
    replace_recovery_codes(&mut tx, other, &codes(2), start_time()).await.unwrap();
    replace_recovery_codes(&mut tx, user, &codes(10), start_time()).await.unwrap();
    replace_recovery_codes(&mut tx, user, &codes(3), start_time()).await.unwrap();
    let left = recovery_codes_for_update(&mut tx, user).await.unwrap();
    assert_eq!(left.len(), 3);
    use_recovery_code(&mut tx, left[0].0, start_time()).await.unwrap();
    assert_eq!(recovery_codes_for_update(&mut tx, user).await.unwrap().len(), 2);
    assert_eq!(recovery_codes_for_update(&mut tx, other).await.unwrap().len(), 2, "those of others stay");
    tx.commit().await.unwrap();
    let factors = factors(db.pool(), user).await.unwrap();
    assert_eq!((factors.recovery_codes, factors.passkeys, factors.totp_enrolled_at), (2, 0, None));
}
