#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_crypto::secret::sha256;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::model::{AddressOf, OpenedLink};
use super::store::{
    account, delete_unused, find, find_unverified, insert, is_taken, pending_change, set_address, use_up,
};

struct Fixture {
    db: TestDb,
    org: Uuid,
    user: Uuid,
    email: String,
}

impl Fixture {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let user = a_user(db.pool(), org, &[Role::Engineer]).await;
        Self { db, org, user, email: format!("{}@example.test", user.simple()) }
    }

    /// Writes a link to `email` down at `at`, with a token of the same name; its id.
    async fn link(&self, email: &str, at: DateTime<Utc>) -> Uuid {
        let link = OpenedLink {
            id: new_id(),
            org_id: self.org,
            of: AddressOf::Account(self.user),
            email: email.to_owned(),
        };
        let mut tx = self.db.pool().begin().await.unwrap();
        let hash = sha256(email.as_bytes());
        insert(&mut tx, &link, &hash, (at, at + TimeDelta::hours(24))).await.unwrap();
        tx.commit().await.unwrap();
        link.id
    }

    async fn find(&self, email: &str, at: DateTime<Utc>) -> Option<Uuid> {
        let found = find(self.db.pool(), &sha256(email.as_bytes()), at).await.unwrap();
        found.map(|link| {
            assert_eq!((link.of, link.email.as_str()), (AddressOf::Account(self.user), email));
            link.id
        })
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).bind(self.user).execute(self.db.pool()).await.unwrap();
    }

    async fn verified_at(&self) -> Option<DateTime<Utc>> {
        sqlx::query_scalar("SELECT email_verified_at FROM users WHERE id = $1")
            .bind(self.user)
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }
}

/// Spec: auth 7
#[tokio::test]
async fn link_is_found_by_its_token_until_it_is_used_or_over() {
    let all = Fixture::new().await;
    let now = start_time();
    let id = all.link("new@example.test", now).await;
    assert_eq!(all.find("new@example.test", now).await, Some(id));
    assert_eq!(all.find("other@example.test", now).await, None);
    assert_eq!(all.find("new@example.test", now + TimeDelta::hours(24)).await, None, "over");
    let mut tx = all.db.pool().begin().await.unwrap();
    assert!(use_up(&mut tx, id, now).await.unwrap());
    assert!(!use_up(&mut tx, id, now).await.unwrap(), "once");
    tx.commit().await.unwrap();
    assert_eq!(all.find("new@example.test", now).await, None);
    all.link("later@example.test", now + TimeDelta::days(2)).await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM address_links").fetch_one(all.db.pool()).await.unwrap();
    assert_eq!(left, 1, "links that are over go by themselves");
}

/// Spec: auth 11
#[tokio::test]
async fn pending_change_is_the_newest_link_to_another_address() {
    let all = Fixture::new().await;
    let now = start_time();
    let pending = async |at| pending_change(all.db.pool(), all.user, at).await.unwrap();
    assert_eq!(pending(now).await, None);
    all.link(&all.email, now).await;
    assert_eq!(pending(now).await, None, "a link to the present address changes nothing");
    all.link("a@example.test", now).await;
    let newest = all.link("b@example.test", now + TimeDelta::minutes(1)).await;
    let at = now + TimeDelta::minutes(2);
    assert_eq!(pending(at).await.as_deref(), Some("b@example.test"));
    let mut tx = all.db.pool().begin().await.unwrap();
    use_up(&mut tx, newest, at).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(pending(at).await.as_deref(), Some("a@example.test"));
    let mut tx = all.db.pool().begin().await.unwrap();
    delete_unused(&mut tx, all.user).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(pending(at).await, None);
}

/// Spec: auth 7, 11
#[tokio::test]
async fn first_proof_of_an_address_is_what_is_kept() {
    let all = Fixture::new().await;
    let at = start_time() + TimeDelta::hours(3);
    let set = async |email: &str, at| {
        let mut tx = all.db.pool().begin().await.unwrap();
        set_address(&mut tx, all.user, email, at).await.unwrap();
        tx.commit().await.unwrap();
    };
    set(&all.email, at).await;
    assert_eq!(all.verified_at().await, Some(start_time()), "it was proved before");
    all.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1").await;
    set(&all.email, at).await;
    assert_eq!(all.verified_at().await, Some(at));
    set("new@example.test", at + TimeDelta::hours(1)).await;
    assert_eq!(all.verified_at().await, Some(at + TimeDelta::hours(1)), "another address, another proof");
}

/// Spec: auth 8
#[tokio::test]
async fn only_accounts_that_lack_the_proof_and_may_sign_in_get_another_link() {
    let all = Fixture::new().await;
    let found = async || find_unverified(all.db.pool(), &all.email).await.unwrap().map(|found| found.of);
    assert_eq!(found().await, None, "verified");
    all.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1").await;
    assert_eq!(found().await, None, "without a password");
    all.execute("UPDATE users SET password_hash = 'x' WHERE id = $1").await;
    assert_eq!(found().await, Some(AddressOf::Account(all.user)));
    for (shut, opened) in [
        (
            "UPDATE memberships SET state = 'removed' WHERE user_id = $1",
            "UPDATE memberships SET state = 'pending' WHERE user_id = $1",
        ),
        ("UPDATE users SET active = false WHERE id = $1", "UPDATE users SET active = true WHERE id = $1"),
        ("UPDATE users SET kind = 'service' WHERE id = $1", "UPDATE users SET kind = 'person' WHERE id = $1"),
    ] {
        all.execute(shut).await;
        assert_eq!(found().await, None, "{shut}");
        all.execute(opened).await;
        assert_eq!(found().await, Some(AddressOf::Account(all.user)), "{opened}");
    }
}

#[tokio::test]
async fn address_of_another_account_is_taken_and_the_own_one_is_not() {
    let all = Fixture::new().await;
    let other = a_user(all.db.pool(), all.org, &[Role::Engineer]).await;
    let theirs = format!("{}@example.test", other.simple());
    let mut tx = all.db.pool().begin().await.unwrap();
    assert!(is_taken(&mut tx, &theirs, all.user).await.unwrap());
    assert!(!is_taken(&mut tx, &all.email, all.user).await.unwrap());
    assert!(account(&mut tx, all.user).await.unwrap().is_some());
    let shut = sqlx::query("UPDATE users SET active = false WHERE id = $1").bind(all.user);
    shut.execute(&mut *tx).await.unwrap();
    assert_eq!(account(&mut tx, all.user).await.unwrap(), None, "shut out");
}
