#![allow(clippy::unwrap_used)]

use ctops_testkit::{TestDb, a_host, a_organisation};

use super::record_versions;

/// Spec: agents-enrolment 27
#[tokio::test]
async fn record_versions_of_known_and_unknown_agents_changes_the_known_ones() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let first = a_host(org).with_agent_version("1.0.0").insert(db.pool()).await.agent_id.unwrap();
    let second = a_host(org).with_agent_version("1.0.0").insert(db.pool()).await.agent_id.unwrap();
    let mut tx = db.pool().begin().await.unwrap();
    let ids = [first.clone(), "z".repeat(24)];
    record_versions(&mut tx, &ids, &["1.1.0".to_owned(), "9.9.9".to_owned()]).await.unwrap();
    tx.commit().await.unwrap();
    let found: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT id, version FROM agents ORDER BY version").fetch_all(db.pool()).await.unwrap();
    assert_eq!(found, [(second, Some("1.0.0".to_owned())), (first, Some("1.1.0".to_owned()))]);
}
