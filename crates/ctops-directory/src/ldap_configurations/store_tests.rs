#![allow(clippy::unwrap_used)]

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_pg::Pool;
use ctops_slice::Grant;
use ctops_testkit::{TestDb, a_organisation, start_time};
use uuid::Uuid;

use super::LDAP_WRITE;
use super::model::{Configuration, Sealed, TestResult};
use super::settings::Preset;
use super::settings::tests::good;
use super::store;

fn a_directory(org_id: Uuid, name: &str, now: DateTime<Utc>) -> Configuration {
    Configuration {
        id: new_id(),
        org_id,
        name: name.to_owned(),
        enabled: true,
        login_allowed: true,
        settings: good(Preset::Openldap),
        sealed: Sealed { bind_dn: Some(vec![1]), bind_password: Some(vec![2]), ca_pem: None },
        version: 1,
        last_test_at: None,
        last_test_result: None,
        created_at: now,
        updated_at: now,
    }
}

async fn insert(pool: &Pool, configuration: &Configuration) -> bool {
    let mut tx = pool.begin().await.unwrap();
    let inserted = store::insert(&mut tx, configuration).await.unwrap();
    tx.commit().await.unwrap();
    inserted
}

#[tokio::test]
async fn a_directory_is_read_back_as_written_and_by_its_own_organisation_only() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let new = a_directory(org, "Corp", start_time());
    assert!(insert(db.pool(), &new).await);
    let grant = Grant::of_operator(org, &LDAP_WRITE);
    let found = store::find(db.pool(), &grant, new.id).await.unwrap().unwrap();
    assert_eq!((found.settings, found.sealed.bind_password), (new.settings.clone(), Some(vec![2])));
    let foreign = Grant::of_operator(other, &LDAP_WRITE);
    assert!(store::find(db.pool(), &foreign, new.id).await.unwrap().is_none());
    assert!(store::list(db.pool(), &foreign).await.unwrap().is_empty());
    let mut tx = db.pool().begin().await.unwrap();
    assert!(store::lock(&mut tx, &foreign, new.id).await.unwrap().is_none());
    assert_eq!(store::count(&mut tx, &grant).await.unwrap(), 1);
}

#[tokio::test]
async fn names_are_unique_in_an_organisation_until_deletion() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let first = a_directory(org, "Corp", start_time());
    assert!(insert(db.pool(), &first).await);
    assert!(!insert(db.pool(), &a_directory(org, "CORP", start_time())).await);
    let second = a_directory(org, "Lab", start_time());
    assert!(insert(db.pool(), &second).await);
    let mut tx = db.pool().begin().await.unwrap();
    let renamed = Configuration { name: "corp".into(), ..second.clone() };
    assert!(!store::update(&mut tx, &renamed, start_time()).await.unwrap());
    store::delete(&mut tx, first.id, start_time()).await.unwrap();
    assert!(store::update(&mut tx, &renamed, start_time()).await.unwrap());
    tx.commit().await.unwrap();
    let secrets: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ldap_configurations WHERE deleted_at IS NOT NULL AND sealed_bind_password IS NOT NULL",
    )
    .fetch_one(db.pool())
    .await
    .unwrap();
    assert_eq!(secrets, 0, "a deleted directory has no secrets");
}

#[tokio::test]
async fn only_enabled_directories_that_allow_it_are_for_sign_in() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let good = a_directory(org, "Corp", start_time());
    let off = Configuration { enabled: false, ..a_directory(org, "Off", start_time()) };
    let look_up_only = Configuration { login_allowed: false, ..a_directory(org, "Look", start_time()) };
    for directory in [&good, &off, &look_up_only] {
        assert!(insert(db.pool(), directory).await);
    }
    let found = async |id| store::find_for_sign_in(db.pool(), id).await.unwrap().is_some();
    assert!(found(good.id).await);
    assert!(!found(off.id).await && !found(look_up_only.id).await && !found(new_id()).await);
    let mut tx = db.pool().begin().await.unwrap();
    store::put_test(&mut tx, good.id, &TestResult { ok: true, servers: Vec::new() }, start_time())
        .await
        .unwrap();
    assert!(!store::serves_super_admin(&mut tx, good.id).await.unwrap());
    tx.commit().await.unwrap();
    let tested = store::find_for_sign_in(db.pool(), good.id).await.unwrap().unwrap();
    assert_eq!((tested.last_test_result.unwrap().ok, tested.last_test_at), (true, Some(start_time())));
    assert_eq!(store::linked_users(db.pool(), good.id).await.unwrap(), 0);
    assert!(store::subject_of(db.pool(), new_id(), org).await.unwrap().is_empty());
}
