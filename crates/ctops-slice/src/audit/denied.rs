//! Refused attempts of people who are signed in: counted per minute, person, operation and target, and written into the
//! trail as one event when the minute is over (audit-log 4). Somebody who tries id after id fills the trail with a bounded
//! number of events a minute; what is beyond is counted together.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_pg::{Pool, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AuditEvent, By, RequestContext, append, redact};
use crate::actor::Actor;

/// How long attempts are counted together.
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Longest path kept, bytes.
const PATH_BYTES: usize = 200;
/// Operations and targets that are told apart, per person and minute. No page of ours is refused that often.
const APART: i64 = 50;
/// Stands for all others.
const OTHERS: &str = "other operations and targets";
/// Refusals written into the trail in one transaction.
const BATCH: i64 = 500;

/// A request, as far as a refusal tells about it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who asked.
    pub actor: Actor,
    /// Method of the request.
    pub method: Method,
    /// The path with its ids.
    pub path: String,
    /// The path with placeholders, when the operation exists.
    pub route: Option<String>,
    /// Where it came from.
    pub context: RequestContext,
}

impl Attempt {
    /// The attempt of a request whose sender is known.
    pub fn of(request: &Request, context: &RequestContext) -> Option<Self> {
        let extensions = request.extensions();
        Some(Self {
            actor: extensions.get::<Actor>()?.clone(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()),
            context: context.clone(),
        })
    }

    /// Counts the attempt when it was refused.
    pub async fn observe(&self, pool: &Pool, problem: &Problem, now: DateTime<Utc>) {
        if self.matters(problem) {
            record(pool, self, problem, now).await;
        }
    }

    /// Whether a request that ended with `problem` belongs into the trail. A 404 counts only where an id was asked for:
    /// nothing tells whether the id belongs to another organisation or to nothing at all, so both are kept.
    pub fn matters(&self, problem: &Problem) -> bool {
        match problem.kind() {
            ProblemKind::Unauthenticated | ProblemKind::Forbidden => true,
            ProblemKind::NotFound => self.route.as_ref().is_some_and(|route| route.contains('{')),
            _ => false,
        }
    }

    /// What was asked for: the last id in the path.
    fn target(&self) -> Option<String> {
        let route = self.route.as_deref()?;
        let ids = route.rsplit('/').zip(self.path.rsplit('/'));
        ids.into_iter()
            .find(|(part, _)| part.starts_with('{'))
            .map(|(_, id)| redact::text(id, 60).into_owned())
    }
}

/// Counts a refused attempt. A failure is logged: the refusal stands whether it is counted or not.
pub async fn record(pool: &Pool, attempt: &Attempt, problem: &Problem, now: DateTime<Utc>) {
    let minute = now.duration_trunc(WINDOW).unwrap_or(now);
    let route = attempt.route.as_deref().unwrap_or(&attempt.path);
    let operation = format!("{} {}", attempt.method, redact::text(route, PATH_BYTES));
    let by = By::actor(&attempt.actor);
    let outcome = sqlx::query(
        "INSERT INTO audit_denied AS d
             (org_id, actor_kind, actor_id, actor_name, operation, target, reason_code, minute, context, first_at,
              repeats)
         SELECT $1, $2, $3, $4, CASE WHEN apart THEN $5 ELSE $12 END, CASE WHEN apart THEN $6 ELSE '' END, $7, $8, $9,
                $10, 1
         FROM (SELECT count(*) < $11 OR bool_or(operation = $5 AND target = $6) AS apart
               FROM audit_denied
               WHERE org_id = $1 AND actor_id = $3 AND minute = $8) AS known
         ON CONFLICT (org_id, actor_id, operation, target, minute) DO UPDATE
         SET repeats = d.repeats + 1",
    )
    .bind(attempt.actor.org_id)
    .bind(by.kind())
    .bind(attempt.actor.user_id)
    .bind(&*attempt.actor.name)
    .bind(operation)
    .bind(attempt.target().unwrap_or_default())
    .bind(problem.code())
    .bind(minute)
    .bind(json!(attempt.context))
    .bind(now)
    .bind(APART)
    .bind(OTHERS)
    .execute(pool)
    .await;
    if let Err(error) = outcome {
        tracing::error!(%error, "a refused attempt could not be written into the audit trail");
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    org_id: Uuid,
    actor_kind: String,
    actor_id: Uuid,
    actor_name: String,
    operation: String,
    target: String,
    reason_code: String,
    context: Value,
    first_at: DateTime<Utc>,
    repeats: i32,
}

/// Turns the attempts of minutes that are over into events; returns how many events it wrote.
///
/// # Errors
/// Those of the database; nothing is lost then, and the next call goes on.
pub async fn collect(pool: &Pool, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut written = 0;
    loop {
        let mut tx = pool.begin().await?;
        let rows = take(&mut tx, now - WINDOW).await?;
        let count = rows.len();
        for row in rows {
            let at = row.first_at;
            append(&mut tx, &event_of(row), at).await?;
        }
        tx.commit().await?;
        written += count;
        if count == 0 {
            return Ok(written);
        }
    }
}

async fn take(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "DELETE FROM audit_denied
         WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM audit_denied WHERE minute <= $1 ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED))
         RETURNING org_id, actor_kind, actor_id, actor_name, operation, target, reason_code, context, first_at,
                   repeats",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_all(&mut **tx)
    .await
}

fn event_of(row: Row) -> AuditEvent {
    let by = if row.actor_kind == "api_key" { By::ApiKey(row.actor_id) } else { By::User(row.actor_id) };
    let mut event = AuditEvent::by(by, Some(row.org_id), "access.denied", "operation")
        .on(if row.target.is_empty() { row.operation.clone() } else { row.target })
        .labelled(row.operation.clone())
        .summary(format!("was refused {}: {}", row.operation, row.reason_code))
        .denied(row.reason_code);
    event.actor_name = Some(row.actor_name).filter(|name| !name.is_empty());
    event.repeats = row.repeats;
    event.context = serde_json::from_value(row.context).ok();
    event
}
