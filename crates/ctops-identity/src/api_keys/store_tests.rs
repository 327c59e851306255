#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_slice::Grant;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::model::{CheckedKey, Kind, NOTE_EVERY};
use super::store::*;
use super::{API_KEYS_OWN, SERVICE_KEYS_MANAGE};

fn hours(hours: i64) -> DateTime<Utc> {
    start_time() + TimeDelta::hours(hours)
}

async fn a_key(db: &TestDb, org: Uuid, user: Uuid, token: u8) -> Uuid {
    let key = CheckedKey {
        name: "Backup job".into(),
        scopes: vec!["hosts.read".into()],
        host_groups: None,
        allowed_networks: None,
        expires_at: hours(24),
    };
    let new = KeyInsert {
        id: new_id(),
        kind: Kind::Personal,
        user_id: user,
        created_by: user,
        secret_hash: [token; 32],
        hint: "abcd",
        key: &key,
    };
    let mut tx = db.pool().begin().await.unwrap();
    insert(&mut tx, &Grant::of_operator(org, &API_KEYS_OWN), &new, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    new.id
}

/// Spec: auth 20, 21
#[tokio::test]
async fn a_key_is_found_until_it_expires_or_is_revoked() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[Role::Engineer]).await;
    let id = a_key(&db, org, ada, 1).await;
    let found = async |now| find_live(db.pool(), &[1; 32], now).await.unwrap().map(|key| key.id);
    assert_eq!(found(hours(23)).await, Some(id));
    assert_eq!(found(hours(24)).await, None, "expired");
    assert!(find_live(db.pool(), &[2; 32], hours(1)).await.unwrap().is_none());
    let grant = Grant::of_operator(org, &API_KEYS_OWN);
    let foreign = Grant::of_operator(a_organisation(db.pool()).await, &API_KEYS_OWN);
    let mut tx = db.pool().begin().await.unwrap();
    assert_eq!(revoke(&mut tx, &foreign, (id, Some(ada), ada), hours(1)).await.unwrap(), None);
    assert_eq!(revoke(&mut tx, &grant, (id, Some(new_id()), ada), hours(1)).await.unwrap(), None);
    assert_eq!(revoke(&mut tx, &grant, (id, None, ada), hours(1)).await.unwrap(), None, "no service key");
    let revoked = revoke(&mut tx, &grant, (id, Some(ada), ada), hours(1)).await.unwrap();
    assert_eq!(revoked.as_deref(), Some("Backup job"));
    assert_eq!(revoke(&mut tx, &grant, (id, Some(ada), ada), hours(1)).await.unwrap(), None, "once");
    tx.commit().await.unwrap();
    assert_eq!(found(hours(1)).await, None);
    assert!(find_live_by_id(db.pool(), id, hours(1)).await.unwrap().is_none());
}

/// Spec: auth 20
#[tokio::test]
async fn the_use_of_a_key_is_written_once_a_minute_and_the_first_is_told() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[Role::Engineer]).await;
    let id = a_key(&db, org, ada, 1).await;
    let note = async |now: DateTime<Utc>, ip: &str| {
        let mut tx = db.pool().begin().await.unwrap();
        let first = note_use(&mut tx, id, ip, now, now - NOTE_EVERY).await.unwrap();
        tx.commit().await.unwrap();
        let key =
            list(db.pool(), &Grant::of_operator(org, &API_KEYS_OWN), Some(ada), Some(id)).await.unwrap();
        (first, key[0].last_used_at, key[0].last_used_ip.clone())
    };
    assert_eq!(note(hours(1), "192.0.2.1").await, (true, Some(hours(1)), Some("192.0.2.1".into())));
    let soon = hours(1) + TimeDelta::seconds(60);
    assert_eq!(note(soon, "192.0.2.2").await, (false, Some(hours(1)), Some("192.0.2.1".into())));
    let later = hours(1) + TimeDelta::seconds(61);
    assert_eq!(note(later, "192.0.2.2").await, (false, Some(later), Some("192.0.2.2".into())));
}

/// Spec: auth 21
#[tokio::test]
async fn a_service_account_is_a_member_with_one_role_and_no_person() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let grant = Grant::of_operator(org, &SERVICE_KEYS_MANAGE);
    let id = new_id();
    let mut tx = db.pool().begin().await.unwrap();
    insert_service(&mut tx, &grant, (id, "Backup job", Role::Engineer), start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let row: (String, Option<String>, Vec<String>) = sqlx::query_as(
        "SELECT u.kind, u.password_hash, m.roles FROM users u JOIN memberships m ON m.user_id = u.id WHERE u.id = $1",
    )
    .bind(id)
    .fetch_one(db.pool())
    .await
    .unwrap();
    assert_eq!(row, ("service".to_owned(), None, vec!["engineer".to_owned()]));
}
