//! Plans on a table large enough that a wrong one shows.

use ctops_audit::events::list_statement;
use ctops_testkit::start_time;
use serde_json::{Value, json};

use crate::support::App;

const EVENTS: i32 = 60_000;

async fn fill(app: &App) {
    let statement = format!(
        "ALTER TABLE audit_events DISABLE TRIGGER USER;
         INSERT INTO audit_events (id, at, org_id, actor_kind, actor_id, action, target_type, target_id, summary,
                                   request_id, ip)
         SELECT gen_random_uuid(), timestamptz '2026-06-03 12:00:00+00' - make_interval(secs => n * 60),
                CASE WHEN n % 3 = 0 THEN gen_random_uuid() ELSE '{org}' END, 'user', 'user-' || n % 500,
                (ARRAY['auth.login.succeeded', 'host.updated', 'check.run', 'rare.' || n % 2000])[1 + n % 4],
                'host', 'host-' || n % 1000, 'event ' || n, 'req-' || n, '10.0.0.' || n % 250
         FROM generate_series(1, {EVENTS}) AS n;
         ALTER TABLE audit_events ENABLE TRIGGER USER;
         ANALYZE audit_events;",
        org = app.org
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(app.pool()).await.unwrap();
}

/// Rows that the leaves of a plan read, and the kinds of nodes.
fn walk(plan: &Value, kinds: &mut Vec<String>, read: &mut f64) {
    kinds.push(plan["Node Type"].as_str().unwrap().to_owned());
    let children = plan["Plans"].as_array();
    if children.is_none() {
        let loops = plan["Actual Loops"].as_f64().unwrap();
        let rows = plan["Actual Rows"].as_f64().unwrap();
        let removed = plan["Rows Removed by Filter"].as_f64().unwrap_or(0.0);
        *read += loops * (rows + removed);
    }
    for child in children.into_iter().flatten() {
        walk(child, kinds, read);
    }
}

/// Spec: audit-log 9
#[tokio::test]
async fn list_reads_a_page_and_not_the_table() {
    let app = App::new().await;
    fill(&app).await;
    for (filter, most) in [
        (json!({}), 60.0),
        (json!({"actor_id": "user-7"}), 60.0),
        (json!({"target_type": "host", "target_id": "host-7"}), 60.0),
        (json!({"action": "rare.1999"}), 60.0),
        (json!({"action": "host."}), 400.0),
        (json!({"request_id": "req-40000"}), 10.0),
        (json!({"outcome": "success"}), 200.0),
    ] {
        let input = serde_json::from_value(filter.clone()).unwrap();
        let query = list_statement(app.org, &input, start_time(), 51).unwrap();
        let text = format!("EXPLAIN (ANALYZE, FORMAT JSON) {}", query.sql().as_str());
        let plan = explain(&app, text, &filter).await;
        let (mut kinds, mut read) = (Vec::new(), 0.0);
        walk(&plan[0]["Plan"], &mut kinds, &mut read);
        assert!(!kinds.iter().any(|kind| kind == "Seq Scan"), "{filter}: {kinds:?}");
        assert!(read <= most, "{filter} reads {read} rows: {kinds:?}");
    }
}

/// Runs the statement with the values that `list_statement` binds, in its order.
async fn explain(app: &App, text: String, filter: &Value) -> Value {
    let now = start_time() + chrono::TimeDelta::seconds(1);
    let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
        .bind(app.org)
        .bind(now - chrono::TimeDelta::days(400))
        .bind(now);
    for name in ["actor_id", "target_type", "target_id", "outcome", "request_id"] {
        if let Some(value) = filter[name].as_str() {
            query = query.bind(value.to_owned());
        }
    }
    if let Some(prefix) = filter["action"].as_str() {
        query = query.bind(format!("{prefix}%"));
    }
    query.bind(51_i64).fetch_one(app.pool()).await.unwrap()
}
