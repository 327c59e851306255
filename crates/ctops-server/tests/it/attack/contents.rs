//! What the database holds, to prove that something changed nothing.

use std::collections::BTreeMap;

use ctops_pg::Pool;
use sqlx::AssertSqlSafe;

/// What every request may write whatever becomes of it: the trail, the counters, and when a credential was used.
const OF_EVERY_REQUEST: [&str; 5] =
    ["audit_chain", "audit_denied", "audit_events", "audit_unsealed", "throttles"];

/// A digest of each table.
pub(super) async fn contents(pool: &Pool) -> BTreeMap<String, String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let digests: Vec<String> = tables
        .iter()
        .filter(|table| !OF_EVERY_REQUEST.contains(&table.as_str()))
        .map(|table| {
            format!(
                "SELECT '{table}', coalesce(md5(string_agg(row, '|' ORDER BY row)), '') FROM (
                     SELECT (to_jsonb(t) - ARRAY['last_used_at', 'last_used_ip'])::text AS row FROM {table} t) rows"
            )
        })
        .collect();
    let sql = digests.join(" UNION ALL ");
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    assert!(rows.len() > 80, "only {} tables were found", rows.len());
    rows.into_iter().collect()
}

/// Names of the tables that differ.
pub(super) fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    after
        .iter()
        .filter(|(table, digest)| before.get(*table) != Some(*digest))
        .map(|(t, _)| t.clone())
        .collect()
}

#[tokio::test]
async fn one_changed_value_is_noticed_and_the_use_of_a_session_is_none() {
    let app = crate::app::App::new().await;
    let pool = app.db.pool();
    let org_id = ctops_testkit::a_organisation(pool).await;
    app.session(org_id, ctops_base::Role::Engineer).await;
    let before = contents(pool).await;
    sqlx::query("UPDATE sessions SET last_used_at = now() + interval '1 hour'").execute(pool).await.unwrap();
    assert!(changed(&before, &contents(pool).await).is_empty());
    sqlx::query("UPDATE organisations SET time_zone = 'Europe/Oslo'").execute(pool).await.unwrap();
    assert_eq!(changed(&before, &contents(pool).await), ["organisations"]);
}
