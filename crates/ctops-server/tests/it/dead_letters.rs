//! Dead letters as administrators and the operator see them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::StatusCode;
use ctops_base::{Clock, Role};
use ctops_pg::notify::{JOBS, Notice, Notifications};
use ctops_pg::{Pool, Tx};
use ctops_queue::{Handler, HandlerError, Parked, Record, Topic};
use ctops_server::dead_letters::cli::{self, LettersCommand};
use ctops_server::dead_letters::slice;
use ctops_testkit::{a_host, a_organisation};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;

/// Parks one record of a host; its number.
async fn letter(pool: &Pool, topic: &str, host: Uuid, offset: i64) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO dead_letters (group_name, topic, partition, log_id, \"offset\", key, payload, reason, parked_at)
         VALUES ('metrics', $1, 0, 'log', $2, $3, 'secret? <b>', 'it was bad', now())
         RETURNING id",
    )
    .bind(topic)
    .bind(offset)
    .bind(host.as_bytes().as_slice())
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn json(app: &App, method: &str, path: &str, session: &str) -> (StatusCode, Value) {
    let answer = app.call(method, &format!("/api/v1/system/dead-letters{path}"), Some(session), "").await;
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn audited(pool: &Pool) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT action, actor_kind FROM audit_events WHERE target_type = 'dead_letter' ORDER BY id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Applies nothing, successfully.
struct Content;

#[async_trait::async_trait]
impl Handler for Content {
    fn group(&self) -> &'static str {
        "metrics"
    }

    fn topic(&self) -> Topic {
        Topic::METRICS_RAW
    }

    async fn apply(&self, _: &mut Tx<'_>, _: &[Record]) -> Result<Vec<Parked>, HandlerError> {
        Ok(Vec::new())
    }
}

async fn run_job(pool: &Pool) {
    let slice = slice(pool.clone(), Clock::system(), vec![Arc::new(Content)]);
    slice.jobs()[0].run().await.unwrap();
}

/// Spec: deployment 1
#[tokio::test]
async fn letter_is_listed_shown_replayed_and_discarded_by_an_administrator() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org_id = a_organisation(pool).await;
    let host = a_host(org_id).insert(pool).await;
    let session = app.session(org_id, Role::OrgAdmin).await;
    let id = letter(pool, "metrics.raw", host.id, 7).await;
    let (status, list) = json(&app, "GET", "?status=waiting", &session).await;
    assert_eq!((status, &list["total"], &list["items"][0]["offset"]), (StatusCode::OK, &1.into(), &7.into()));
    assert_eq!(list["items"][0]["key"], host.id.simple().to_string());
    let (_, shown) = json(&app, "GET", &format!("/{id}"), &session).await;
    assert_eq!((&shown["payload_text"], &shown["reason"]), (&"secret? <b>".into(), &"it was bad".into()));

    let notifications = Notifications::start(pool, &[JOBS]).await.unwrap();
    let mut notices = notifications.subscribe();
    let (status, asked) = json(&app, "POST", &format!("/{id}/replay"), &session).await;
    assert_eq!((status, &asked["status"]), (StatusCode::ACCEPTED, &"requested".into()));
    let notice = tokio::time::timeout(Duration::from_secs(10), notices.recv()).await.unwrap().unwrap();
    let job = slice(pool.clone(), Clock::system(), vec![Arc::new(Content)]).jobs()[0].name();
    assert_eq!(notice, Notice::Message { channel: JOBS.into(), payload: job.into() }, "it need not wait");
    let (status, _) = json(&app, "POST", &format!("/{id}/replay"), &session).await;
    assert_eq!(status, StatusCode::CONFLICT);
    run_job(pool).await;
    let (_, shown) = json(&app, "GET", &format!("/{id}"), &session).await;
    assert_eq!(shown["status"], "replayed");

    let (status, _) = json(&app, "DELETE", &format!("/{id}"), &session).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = json(&app, "GET", &format!("/{id}"), &session).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let by_user = |action: &str| (format!("dead_letter.{action}"), "user".to_owned());
    assert_eq!(audited(pool).await, [by_user("replay_requested"), by_user("discarded")]);
}

#[tokio::test]
async fn letter_of_another_organisation_is_not_found_and_not_touched() {
    let app = App::new().await;
    let pool = app.db.pool();
    let (owner, other) = (a_organisation(pool).await, a_organisation(pool).await);
    let host = a_host(owner).insert(pool).await;
    let id = letter(pool, "metrics.raw", host.id, 1).await;
    let session = app.session(other, Role::SuperAdmin).await;
    assert_eq!(json(&app, "GET", "", &session).await.1["total"], 0);
    for (method, path) in [("GET", ""), ("POST", "/replay"), ("DELETE", "")] {
        let (status, _) = json(&app, method, &format!("/{id}{path}"), &session).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method}");
    }
    assert_eq!(audited(pool).await, []);
    let session = app.session(owner, Role::SuperAdmin).await;
    assert_eq!(json(&app, "GET", &format!("/{id}"), &session).await.1["status"], "waiting");
}

#[tokio::test]
async fn parameters_that_mean_nothing_are_refused() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let session = app.session(org_id, Role::OrgAdmin).await;
    for query in ["?status=lost", "?page=0", "?page_size=7"] {
        assert_eq!(json(&app, "GET", query, &session).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    for id in ["0", "-1", "x", "99999999999999999999"] {
        assert_eq!(json(&app, "GET", &format!("/{id}"), &session).await.0, StatusCode::NOT_FOUND, "{id}");
    }
}

/// Spec: deployment 1
#[tokio::test]
async fn operator_sees_every_organisations_letters_and_waits_for_the_replay() {
    let app = App::new().await;
    let (pool, clock) = (app.db.pool(), Clock::system());
    let host = a_host(a_organisation(pool).await).insert(pool).await;
    let id = letter(pool, "metrics.raw", host.id, 1).await;
    let secret = letter(pool, "events.raw", host.id, 2).await;
    let run = |command| cli::run(pool, &clock, command);
    let list = run(LettersCommand::List { limit: 1 }).await.unwrap();
    assert!(
        list.starts_with("2 dead letters\n") && list.contains("waiting  events.raw of metrics: it was bad"),
        "{list}"
    );
    assert_eq!(list.lines().count(), 2, "limited to one");
    assert!(run(LettersCommand::Show { id }).await.unwrap().ends_with("\nsecret? <b>"));
    let shown = run(LettersCommand::Show { id: secret }).await.unwrap();
    assert!(shown.ends_with("may hold secrets") && !shown.contains("secret?"), "{shown}");

    let server = async {
        while cli::run(pool, &clock, LettersCommand::Show { id }).await.unwrap().contains("  waiting  ") {
            tokio::task::yield_now().await;
        }
        run_job(pool).await;
    };
    let (outcome, ()) = tokio::join!(run(LettersCommand::Replay { id }), server);
    assert_eq!(outcome.unwrap(), format!("dead letter {id} was applied"));
    run(LettersCommand::Discard { id: secret }).await.unwrap();
    run(LettersCommand::Discard { id: secret }).await.unwrap_err();
    let by_operator = |action: &str| (format!("dead_letter.{action}"), "support_cli".to_owned());
    assert_eq!(audited(pool).await, [by_operator("replay_requested"), by_operator("discarded")]);
}
