#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::Waiting;
use super::store::{delete_for, find, insert, is_taken, newest, open_organisations};

async fn set(db: &TestDb, org_id: Uuid, document: Value) {
    sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_at)
         VALUES ($1, 'authentication', 1, $2, $3)
         ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
    )
    .bind(org_id)
    .bind(document)
    .bind(start_time())
    .execute(db.pool())
    .await
    .unwrap();
}

async fn open(db: &TestDb) -> Vec<(Uuid, Vec<String>)> {
    let found = open_organisations(db.pool()).await.unwrap();
    found.into_iter().map(|one| (one.id, one.allowed_domains)).collect()
}

fn waiting(org_id: Uuid, email: &str, name: &str) -> Waiting {
    Waiting {
        id: new_id(),
        org_id,
        organisation: String::new(),
        email: email.into(),
        name: name.into(),
        password_hash: format!("hash of {name}"),
        address_taken: false,
    }
}

/// Writes registrations down in this order, a minute apart.
async fn keep(db: &TestDb, all: &[&Waiting]) {
    for (minute, one) in (0..).zip(all) {
        let at = start_time() + TimeDelta::minutes(minute);
        let mut tx = db.pool().begin().await.unwrap();
        insert(&mut tx, one, (at, at + TimeDelta::hours(24))).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Spec: auth 4
#[tokio::test]
async fn organisations_take_registrations_only_when_they_say_so_and_exist() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    assert_eq!(open(&db).await, [], "nothing said");
    for document in [
        json!({}),
        json!({ "registration_mode": "invite_only" }),
        json!({ "registration_mode": "closed" }),
        json!({ "registration_mode": ["approval"] }),
        json!({ "registration_mode": "approval", "sso_only": true }),
        json!({ "registration_mode": "approval", "allowed_domains": "example.com" }),
        json!({ "registration_mode": "approval", "allowed_domains": [7] }),
    ] {
        set(&db, org, document.clone()).await;
        assert_eq!(open(&db).await, [], "{document}");
    }
    set(&db, org, json!({ "registration_mode": "approval", "allowed_domains": null })).await;
    assert_eq!(open(&db).await, [(org, vec![])]);
    set(&db, org, json!({ "registration_mode": "approval", "allowed_domains": ["example.com"] })).await;
    assert_eq!(open(&db).await, [(org, vec!["example.com".to_owned()])]);
    let gone = sqlx::query("UPDATE organisations SET deleted_at = created_at WHERE id = $1").bind(org);
    gone.execute(db.pool()).await.unwrap();
    assert_eq!(open(&db).await, [], "deleted");
}

#[tokio::test]
async fn newest_registration_counts_and_says_whether_the_address_has_an_account() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let (first, second) = (waiting(org, "g@example.com", "First"), waiting(org, "g@example.com", "Second"));
    let other = waiting(org, "h@example.com", "Other");
    keep(&db, &[&first, &second, &other]).await;
    let now = start_time() + TimeDelta::minutes(5);
    let found = newest(db.pool(), "g@example.com", now).await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str(), found.address_taken), (second.id, "Second", false));
    assert!(found.organisation.starts_with("Org "), "{}", found.organisation);
    let user = a_user(db.pool(), org, &[Role::Engineer]).await;
    let rename = sqlx::query("UPDATE users SET email = 'G@Example.com' WHERE id = $1").bind(user);
    rename.execute(db.pool()).await.unwrap();
    assert!(newest(db.pool(), "g@example.com", now).await.unwrap().unwrap().address_taken);
    assert!(newest(db.pool(), "nobody@example.com", now).await.unwrap().is_none());
    let late = start_time() + TimeDelta::hours(25);
    assert!(newest(db.pool(), "g@example.com", late).await.unwrap().is_none(), "over");
}

#[tokio::test]
async fn registrations_of_one_address_are_forgotten_together_and_old_ones_by_themselves() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let all = [
        waiting(org, "g@example.com", "First"),
        waiting(org, "g@example.com", "Second"),
        waiting(org, "h@example.com", "Other"),
    ];
    keep(&db, &all.iter().collect::<Vec<_>>()).await;
    let mut tx = db.pool().begin().await.unwrap();
    assert_eq!(find(&mut tx, all[0].id, start_time()).await.unwrap().unwrap().name, "First");
    assert!(find(&mut tx, new_id(), start_time()).await.unwrap().is_none());
    delete_for(&mut tx, "g@example.com").await.unwrap();
    for (one, left) in all.iter().zip([false, false, true]) {
        assert_eq!(find(&mut tx, one.id, start_time()).await.unwrap().is_some(), left, "{}", one.name);
    }
    tx.commit().await.unwrap();
    let later = start_time() + TimeDelta::days(3);
    let mut tx = db.pool().begin().await.unwrap();
    insert(&mut tx, &waiting(org, "i@example.com", "Late"), (later, later)).await.unwrap();
    tx.commit().await.unwrap();
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM registrations").fetch_all(db.pool()).await.unwrap();
    assert_eq!(names, ["Late"]);
}

#[tokio::test]
async fn taken_address_is_recognised_in_any_case_and_free_again_after_its_account() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let user = a_user(db.pool(), org, &[Role::Engineer]).await;
    let email = format!("{}@example.test", user.simple());
    let mut tx = db.pool().begin().await.unwrap();
    assert!(is_taken(&mut tx, &email).await.unwrap());
    assert!(!is_taken(&mut tx, "nobody@example.test").await.unwrap());
    let gone = sqlx::query("UPDATE users SET deleted_at = created_at WHERE id = $1").bind(user);
    gone.execute(&mut *tx).await.unwrap();
    assert!(!is_taken(&mut tx, &email).await.unwrap());
}
