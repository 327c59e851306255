//! Retention, hold, pruning, partitions.

use chrono::TimeDelta;
use ctops_audit::chain::{signing_key, verify};
use ctops_base::Role;
use ctops_slice::licence::Tier;
use ctops_testkit::start_time;
use serde_json::json;

use crate::support::App;

const DAY: i64 = 86_400;

async fn events(app: &App) -> i64 {
    app.count("SELECT count(*) FROM audit_events WHERE action = 'host.updated'").await
}

fn put(app: &App, who: &str, days: i64, hold: Option<&str>) -> impl Future<Output = crate::support::Answer> {
    let body = json!({"retention_days": days, "legal_hold": hold.map(|reason| json!({"reason": reason}))});
    app.send(who, "PUT", "/audit/settings", Some(body))
}

/// Spec: audit-log 17, 18
#[tokio::test]
async fn pruning_removes_what_is_over_and_the_rest_stays_verifiable() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    put(&app, &admin, 40, None).await.expect(200);
    app.write_many(5).await;
    app.clock.advance(TimeDelta::seconds(20 * DAY));
    app.write_many(4).await;
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 9, "nothing is old enough");
    app.clock.advance(TimeDelta::seconds(21 * DAY));
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 4);
    let signed = "SELECT count(*) FROM audit_checkpoints WHERE kind = 'prune' AND events = 6";
    assert_eq!(app.count(signed).await, 1, "five events and the change of the settings");
    let pruned = "SELECT count(*) FROM audit_events WHERE action = 'audit.pruned' AND cause = 'audit_prune'";
    assert_eq!(app.count(pruned).await, 1);
    app.seal().await;
    let key = signing_key(&app.deps.seal).public_key();
    let now = app.clock.now() + TimeDelta::hours(1);
    let check = || verify(app.pool(), app.org, (start_time(), now), &key, now);
    let report = check().await.unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.range, report.checked), (Some((7, 11)), 5));
    app.tamper("UPDATE audit_checkpoints SET hash = sha256('x') WHERE kind = 'prune'").await;
    assert!(!check().await.unwrap().is_intact());
}

/// Spec: audit-log 18
#[tokio::test]
async fn chain_that_was_pruned_to_its_end_goes_on_where_it_ended() {
    let app = App::new().await;
    app.licence(Tier::Community);
    app.write_many(3).await;
    app.clock.advance(TimeDelta::seconds(100 * DAY));
    app.run("audit_prune").await;
    assert_eq!(app.count("SELECT count(*) FROM audit_chain").await, 0);
    app.write_many(1).await;
    let seqs: Vec<i64> =
        sqlx::query_scalar("SELECT seq FROM audit_chain ORDER BY seq").fetch_all(app.pool()).await.unwrap();
    assert_eq!(seqs, [4, 5], "the event about pruning and the new one");
    let key = signing_key(&app.deps.seal).public_key();
    let now = app.clock.now() + TimeDelta::hours(1);
    let report = verify(app.pool(), app.org, (start_time(), now), &key, now).await.unwrap();
    assert!(report.is_intact(), "{report:?}");
}

/// Spec: audit-log 17
#[tokio::test]
async fn community_keeps_90_days_but_a_lapse_loses_nothing() {
    let app = App::new().await;
    app.licence(Tier::Community);
    app.write_many(1).await;
    app.clock.advance(TimeDelta::seconds(89 * DAY));
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 1);
    app.licence(Tier::Pro);
    app.run("audit_prune").await;
    app.licence(Tier::Community);
    app.clock.advance(TimeDelta::seconds(100 * DAY));
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 1, "it was licensed once: 365 days stay promised");
    app.clock.advance(TimeDelta::seconds(200 * DAY));
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 0);
}

/// Spec: audit-log 18
#[tokio::test]
async fn hold_stops_pruning_until_it_is_lifted() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let set = put(&app, &admin, 30, Some("case 17")).await.expect(200);
    assert_eq!(set["legal_hold"]["reason"], "case 17");
    app.write_many(1).await;
    app.clock.advance(TimeDelta::seconds(60 * DAY));
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 1);
    let direct = sqlx::query("SELECT audit_prune($1, 1)").bind(app.org).execute(app.pool()).await;
    assert!(direct.unwrap_err().to_string().contains("on hold"), "the database refuses as well");
    put(&app, &admin, 30, None).await.expect(200);
    app.run("audit_prune").await;
    assert_eq!(events(&app).await, 0);
    let actions: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM audit_events WHERE target_type = 'audit_log' AND actor_kind = 'user' ORDER BY at, id",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(actions, ["audit.hold_lifted"], "the others were pruned");
}

/// Spec: audit-log 18
#[tokio::test]
async fn last_30_days_are_never_pruned_whoever_asks() {
    let app = App::new().await;
    // The database goes by its own clock.
    let (young, old) = ("now() - interval '29 days'", "now() - interval '31 days'");
    for (n, at) in [(1, old), (2, young)] {
        let statement = format!(
            "INSERT INTO audit_events (id, at, org_id, actor_kind, action, target_type, summary)
             VALUES (gen_random_uuid(), {at}, '{}', 'system', 'host.updated', 'host', 'event {n}')",
            app.org
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(app.pool()).await.unwrap();
    }
    app.seal().await;
    let prune = |seq: i64| sqlx::query_scalar::<_, i64>("SELECT audit_prune($1, $2)").bind(app.org).bind(seq);
    let refused = prune(2).fetch_one(app.pool()).await.unwrap_err();
    assert!(refused.to_string().contains("30 days"), "{refused}");
    assert_eq!(prune(1).fetch_one(app.pool()).await.unwrap(), 1);
    assert_eq!(events(&app).await, 1);
}

/// Spec: audit-log 17
#[tokio::test]
async fn settings_are_checked_audited_and_for_administrators() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let before = app.get(&admin, "/audit/settings").await.expect(200);
    assert_eq!((&before["retention_days"], &before["legal_hold"]), (&json!(365), &json!(null)));
    for (days, hold) in [(29, None), (3651, None), (30, Some("x"))] {
        assert_eq!(put(&app, &admin, days, hold).await.code(422), "validation_failed");
    }
    put(&app, &admin, 3650, Some("case 17")).await.expect(200);
    put(&app, &admin, 3650, Some("case 17")).await.expect(200);
    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_events ORDER BY id")
        .fetch_all(app.pool())
        .await
        .unwrap();
    assert_eq!(actions, ["retention.changed", "audit.hold_set"], "saving the same changes nothing");
    let engineer = app.person(Role::Engineer).await;
    put(&app, &engineer, 30, None).await.code(403);
}

#[tokio::test]
async fn partitions_are_made_for_what_waits_and_for_the_coming_months() {
    let app = App::new().await;
    app.write_many(1).await;
    app.clock.advance(TimeDelta::seconds(70 * DAY));
    app.write_many(1).await;
    app.run("audit_partitions").await;
    app.run("audit_partitions").await;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'audit_events'::regclass ORDER BY 1",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    let months: Vec<&str> = names.iter().map(|name| name.trim_start_matches("audit_events_")).collect();
    assert_eq!(months, ["default", "p202606", "p202607", "p202608", "p202609", "p202610"]);
    assert_eq!(app.count("SELECT count(*) FROM audit_events_default").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM audit_events_p202606").await, 1);
    app.write_many(1).await;
    assert_eq!(app.count("SELECT count(*) FROM audit_events_p202608").await, 2);
}
