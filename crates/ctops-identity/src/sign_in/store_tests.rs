#![allow(clippy::unwrap_used)]

use ctops_base::id::new_id;
use ctops_pg::Pool;
use ctops_testkit::TestDb;
use uuid::Uuid;

use super::store::find_account;

async fn a_user(pool: &Pool, email: &str, joined: &[(Uuid, i64)]) -> Uuid {
    let id = new_id();
    sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, 'Ada', 'h', now())",
    )
    .bind(id)
    .bind(email)
    .execute(pool)
    .await
    .unwrap();
    let (orgs, days): (Vec<Uuid>, Vec<i64>) = joined.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO organisations (id, name, created_at) SELECT org, 'Org', now() FROM unnest($1::uuid[]) AS org",
    )
    .bind(&orgs)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO memberships (org_id, user_id, roles, created_at)
         SELECT org, $2, '{read_only}', to_timestamp(0) + day * interval '1 day'
         FROM unnest($1::uuid[], $3::bigint[]) AS joined (org, day)",
    )
    .bind(&orgs)
    .bind(id)
    .bind(&days)
    .execute(pool)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn find_account_when_in_two_organisations_takes_the_first_joined() {
    let db = TestDb::new().await;
    let (late, early) = (new_id(), new_id());
    let ada = a_user(db.pool(), "ada@example.com", &[(late, 9), (early, 2)]).await;
    let found = find_account(db.pool(), "ada@example.com").await.unwrap().unwrap();
    assert_eq!((found.user_id, found.org_id), (ada, early));
    assert_eq!((found.email_verified, found.active), (false, true));
    assert_eq!(found.password_hash.as_deref(), Some("h"));
}

#[tokio::test]
async fn find_account_sees_neither_removed_users_nor_those_without_organisation() {
    let db = TestDb::new().await;
    let removed = a_user(db.pool(), "gone@example.com", &[(new_id(), 1)]).await;
    a_user(db.pool(), "lonely@example.com", &[]).await;
    sqlx::query("UPDATE users SET deleted_at = now() WHERE id = $1")
        .bind(removed)
        .execute(db.pool())
        .await
        .unwrap();
    for email in ["gone@example.com", "lonely@example.com", "nobody@example.com", "", "%", "' OR true --"] {
        assert!(find_account(db.pool(), email).await.unwrap().is_none(), "{email}");
    }
}

#[tokio::test]
async fn find_account_uses_the_index_on_addresses() {
    let db = TestDb::new().await;
    let mut tx = db.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT id FROM users WHERE lower(email) = 'ada@example.com' AND deleted_at IS NULL",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    assert!(plan.join("\n").contains("users_email_key"), "{plan:?}");
}
