#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::id::new_id;
use ctops_base::{PageRequest, Role};
use ctops_slice::{Actor, Credential, Grant};
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::model::{NewToken, ReenrolmentPolicy, TokenStatus};
use super::{ENROLMENT_MANAGE, SETTINGS_WRITE, store};

const ALL: PageRequest = PageRequest { page: 1, page_size: 200 };

struct Fixture {
    db: TestDb,
    user: Uuid,
    grant: Grant,
    settings: Grant,
}

impl Fixture {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org_id = a_organisation(db.pool()).await;
        let user = a_user(db.pool(), org_id, &[Role::OrgAdmin]).await;
        let credential = Credential::session(Uuid::nil(), start_time());
        let ip = IpAddr::from([127, 0, 0, 1]);
        let actor = Actor::with_roles((user, org_id), credential, [Role::OrgAdmin], ip);
        let grant = actor.grant(&ENROLMENT_MANAGE).unwrap();
        let settings = actor.grant(&SETTINGS_WRITE).unwrap();
        Self { db, user, grant, settings }
    }

    async fn insert(&self, new: &NewToken, now: DateTime<Utc>) -> Uuid {
        let id = new_id();
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(id.as_bytes());
        let parts = store::SecretParts { hash, hint_prefix: "tok_abcd", hint_suffix: "wxyz" };
        let mut tx = self.db.pool().begin().await.unwrap();
        store::insert(&mut tx, &self.grant, id, new, &parts, Some(self.user), now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn consume(&self, id: Uuid, now: DateTime<Utc>) -> bool {
        let mut tx = self.db.pool().begin().await.unwrap();
        let consumed = store::consume(&mut tx, id, now).await.unwrap();
        tx.commit().await.unwrap();
        consumed
    }
}

#[tokio::test]
async fn insert_then_find_gives_the_same_token() {
    let f = Fixture::new().await;
    let mut new = NewToken::labelled("web");
    new.tags = vec![super::Tag { key: "a".into(), value: "$(id)".into() }];
    let id = f.insert(&new, start_time()).await;
    let token = store::find(f.db.pool(), &f.grant, id, start_time()).await.unwrap().unwrap();
    assert_eq!((token.label.as_str(), token.max_uses, token.usage_count), ("web", Some(1), 0));
    assert_eq!(token.expires_at, Some(start_time() + TimeDelta::days(7)));
    assert_eq!(token.tags, new.tags);
    assert_eq!(token.created_by.unwrap().0, f.user);
    let other = Fixture::new().await;
    assert!(store::find(f.db.pool(), &other.grant, id, start_time()).await.unwrap().is_none());
}

/// Spec: agents-enrolment 5
#[tokio::test]
async fn consume_when_uses_time_or_revocation_ended_the_token_consumes_nothing() {
    let f = Fixture::new().await;
    let two = f.insert(&NewToken { max_uses: Some(2), ..NewToken::labelled("two") }, start_time()).await;
    let now = start_time() + TimeDelta::hours(1);
    assert!(f.consume(two, now).await && f.consume(two, now).await);
    assert!(!f.consume(two, now).await);
    let open = f.insert(&NewToken { max_uses: None, ..NewToken::labelled("open") }, start_time()).await;
    assert!(f.consume(open, now).await);
    assert!(!f.consume(open, start_time() + TimeDelta::days(7)).await, "at the second it expires");
    let mut tx = f.db.pool().begin().await.unwrap();
    assert!(store::revoke(&mut tx, &f.grant, open, f.user, now).await.unwrap());
    assert!(!store::revoke(&mut tx, &f.grant, open, f.user, now).await.unwrap(), "once only");
    assert!(!store::revoke(&mut tx, &f.grant, two, f.user, now).await.unwrap(), "exhausted");
    tx.commit().await.unwrap();
    assert!(!f.consume(open, now).await);
    assert!(!f.consume(Uuid::nil(), now).await);
    let token = store::find(f.db.pool(), &f.grant, two, now).await.unwrap().unwrap();
    assert_eq!(token.usage_count, 2);
}

#[tokio::test]
async fn consume_when_the_transaction_fails_costs_nothing() {
    let f = Fixture::new().await;
    let id = f.insert(&NewToken::labelled("one"), start_time()).await;
    let mut tx = f.db.pool().begin().await.unwrap();
    assert!(store::consume(&mut tx, id, start_time()).await.unwrap());
    drop(tx);
    assert!(f.consume(id, start_time()).await);
}

#[tokio::test]
async fn find_by_hash_tells_the_state() {
    let f = Fixture::new().await;
    let id = f.insert(&NewToken::labelled("one"), start_time()).await;
    let hash: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM agent_enrolment_tokens")
        .fetch_one(f.db.pool())
        .await
        .unwrap();
    let hash: [u8; 32] = hash.try_into().unwrap();
    let state = async |at: DateTime<Utc>| {
        let token = store::find_by_hash(f.db.pool(), &hash, at).await.unwrap().unwrap();
        assert_eq!((token.id, token.org_id), (id, f.grant.org_id()));
        token.status
    };
    assert_eq!(state(start_time()).await, TokenStatus::Active);
    assert_eq!(state(start_time() + TimeDelta::days(7)).await, TokenStatus::Expired);
    assert!(f.consume(id, start_time()).await);
    assert_eq!(state(start_time()).await, TokenStatus::Exhausted);
    assert!(store::find_by_hash(f.db.pool(), &[9; 32], start_time()).await.unwrap().is_none());
}

/// Spec: agents-enrolment 5
#[tokio::test]
async fn tokens_of_a_deleted_organisation_are_unknown_and_give_no_use_until_it_is_restored() {
    let f = Fixture::new().await;
    let id = f.insert(&NewToken::labelled("one"), start_time()).await;
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(id.as_bytes());
    let known = async || store::find_by_hash(f.db.pool(), &hash, start_time()).await.unwrap().is_some();
    let set_deleted = async |at: Option<DateTime<Utc>>| {
        sqlx::query("UPDATE organisations SET deleted_at = $1").bind(at).execute(f.db.pool()).await.unwrap();
    };
    set_deleted(Some(start_time())).await;
    assert!(!known().await);
    assert!(!f.consume(id, start_time()).await, "not even when it was found a moment before");
    set_deleted(None).await;
    assert!(known().await && f.consume(id, start_time()).await);
}

#[tokio::test]
async fn page_and_count_agree_and_pages_do_not_overlap() {
    let f = Fixture::new().await;
    for n in 0..25 {
        // All at the same moment: the id decides.
        f.insert(&NewToken::labelled(&format!("t{n}")), start_time()).await;
    }
    let mut seen = Vec::new();
    for page in 1..=4 {
        let request = PageRequest { page, page_size: 10 };
        let tokens = store::page(f.db.pool(), &f.grant, None, request, start_time()).await.unwrap();
        seen.extend(tokens.into_iter().map(|token| token.id));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
    assert_eq!(store::count(f.db.pool(), &f.grant, None, start_time()).await.unwrap(), 25);
    let later = start_time() + TimeDelta::days(8);
    for (status, expected) in
        [(TokenStatus::Active, 0), (TokenStatus::Expired, 25), (TokenStatus::Revoked, 0)]
    {
        assert_eq!(store::count(f.db.pool(), &f.grant, Some(status), later).await.unwrap(), expected);
        let rows = store::page(f.db.pool(), &f.grant, Some(status), ALL, later).await.unwrap();
        assert_eq!(i64::try_from(rows.len()).unwrap(), expected);
    }
}

#[tokio::test]
async fn policy_when_set_is_read_back_for_that_organisation() {
    let f = Fixture::new().await;
    let org_id = f.grant.org_id();
    assert_eq!(store::policy(f.db.pool(), org_id).await.unwrap(), Some(ReenrolmentPolicy::Adopt));
    for policy in ReenrolmentPolicy::ALL {
        let mut tx = f.db.pool().begin().await.unwrap();
        store::set_policy(&mut tx, &f.settings, policy).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store::policy(f.db.pool(), org_id).await.unwrap(), Some(policy));
    }
    assert_eq!(store::policy(f.db.pool(), Uuid::nil()).await.unwrap(), None);
}
