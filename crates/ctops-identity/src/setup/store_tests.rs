#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};

use super::model::{CodeState, Created, FirstAccount};
use super::store::*;
use crate::accounts::{self, Email};
use crate::passwords::Secret;

#[tokio::test]
async fn users_exist_also_when_the_only_one_was_removed() {
    let db = TestDb::new().await;
    assert!(!users_exist(db.pool()).await.unwrap());
    let org = a_organisation(db.pool()).await;
    assert!(!users_exist(db.pool()).await.unwrap(), "an organisation is no user");
    a_user(db.pool(), org, &[Role::SuperAdmin]).await;
    sqlx::query("UPDATE users SET deleted_at = now()").execute(db.pool()).await.unwrap();
    assert!(users_exist(db.pool()).await.unwrap());
    let mut tx = db.pool().begin().await.unwrap();
    assert!(users_exist_in(&mut tx).await.unwrap());
}

#[tokio::test]
async fn put_code_again_keeps_failures_and_lock_only_for_the_same_code() {
    let db = TestDb::new().await;
    let now = start_time();
    assert_eq!(code(db.pool()).await.unwrap(), None);
    let mut tx = db.pool().begin().await.unwrap();
    put_code(&mut tx, &[1; 32], now).await.unwrap();
    let until = Some(now + TimeDelta::minutes(15));
    record_failure(&mut tx, 3, until).await.unwrap();
    put_code(&mut tx, &[1; 32], now).await.unwrap();
    let same = CodeState { code_hash: vec![1; 32], failures: 3, locked_until: until };
    assert_eq!(code_for_update(&mut tx).await.unwrap(), Some(same));
    put_code(&mut tx, &[2; 32], now).await.unwrap();
    tx.commit().await.unwrap();
    let replaced = CodeState { code_hash: vec![2; 32], failures: 0, locked_until: None };
    assert_eq!(code(db.pool()).await.unwrap(), Some(replaced));
    let mut tx = db.pool().begin().await.unwrap();
    delete_code(&mut tx).await.unwrap();
    assert_eq!(code_for_update(&mut tx).await.unwrap(), None);
}

#[tokio::test]
async fn lock_is_held_until_the_transaction_ends() {
    let db = TestDb::new().await;
    let mut first = db.pool().begin().await.unwrap();
    lock(&mut first).await.unwrap();
    let mut second = db.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *second).await.unwrap();
    assert!(lock(&mut second).await.is_err());
    first.rollback().await.unwrap();
    second.rollback().await.unwrap();
    let mut third = db.pool().begin().await.unwrap();
    lock(&mut third).await.unwrap();
}

/// Spec: auth 2, 3
#[tokio::test]
async fn inserts_make_a_verified_super_admin() {
    let db = TestDb::new().await;
    let created = Created { org_id: new_id(), user_id: new_id() };
    let account = FirstAccount {
        organisation_name: "Analytical Engines".into(),
        name: "Ada Lovelace".into(),
        email: Email::parse("email", "Ada@example.com").unwrap(),
        password: Secret::new("never stored"),
    };
    let mut tx = db.pool().begin().await.unwrap();
    put_organisation(&mut tx, created.org_id, &account.organisation_name, start_time()).await.unwrap();
    insert_user(&mut tx, created.user_id, &account, "$argon2id$...", start_time()).await.unwrap();
    insert_super_admin(&mut tx, created, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let profile = accounts::profile(db.pool(), created.user_id, created.org_id).await.unwrap();
    assert_eq!(profile.email, "ada@example.com");
    assert!(profile.email_verified);
    assert_eq!(profile.roles.into_iter().collect::<Vec<_>>(), [Role::SuperAdmin]);
}

#[tokio::test]
async fn put_organisation_again_renames_it_and_the_first_one_is_the_oldest() {
    let db = TestDb::new().await;
    let mut tx = db.pool().begin().await.unwrap();
    assert_eq!(first_organisation(&mut tx).await.unwrap(), None);
    let (oldest, newest) = (new_id(), new_id());
    put_organisation(&mut tx, newest, "Newest", start_time() + TimeDelta::days(1)).await.unwrap();
    put_organisation(&mut tx, oldest, "Waiting", start_time()).await.unwrap();
    put_organisation(&mut tx, oldest, "Oldest", start_time() + TimeDelta::days(9)).await.unwrap();
    assert_eq!(first_organisation(&mut tx).await.unwrap(), Some(oldest));
    tx.commit().await.unwrap();
    assert_eq!(accounts::organisation(db.pool(), oldest).await.unwrap().name, "Oldest");
}
