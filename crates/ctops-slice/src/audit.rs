//! The audit trail: one row per write by a person and per automatic change of security meaning, in the same
//! transaction as the change (api-conventions, Audit and deletion).

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_pg::Tx;
use serde_json::Value;
use uuid::Uuid;

use crate::actor::Actor;

/// Who did it.
#[derive(Clone, Debug)]
pub enum By {
    /// A signed-in person.
    User(Uuid),
    /// An agent.
    Agent(String),
    /// The server itself.
    System,
    /// Someone not signed in, for example during a failed sign-in.
    Anonymous,
}

/// One audit event. `before` and `after` must not hold secrets.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Organisation, when there is one.
    pub org_id: Option<Uuid>,
    /// Who.
    pub by: By,
    /// `noun.past-verb`, for example `session.ended`.
    pub action: &'static str,
    /// Kind of thing acted on.
    pub target_type: &'static str,
    /// Its id.
    pub target_id: Option<String>,
    /// One sentence.
    pub summary: String,
    /// State before, without secrets.
    pub before: Option<Value>,
    /// State after, without secrets.
    pub after: Option<Value>,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
}

impl AuditEvent {
    /// An event of a signed-in person.
    pub fn by_actor(actor: &Actor, action: &'static str, target_type: &'static str) -> Self {
        Self {
            org_id: Some(actor.org_id),
            by: By::User(actor.user_id),
            action,
            target_type,
            target_id: None,
            summary: String::new(),
            before: None,
            after: None,
            ip: Some(actor.ip),
        }
    }

    /// An event nobody signed in caused.
    pub fn by(by: By, org_id: Option<Uuid>, action: &'static str, target_type: &'static str) -> Self {
        Self {
            org_id,
            by,
            action,
            target_type,
            target_id: None,
            summary: String::new(),
            before: None,
            after: None,
            ip: None,
        }
    }

    /// Names the thing acted on.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "ids are small, and callers read better without a reference"
    )]
    pub fn on(mut self, id: impl ToString) -> Self {
        self.target_id = Some(id.to_string());
        self
    }

    /// The sentence.
    #[must_use]
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = text.into();
        self
    }

    /// States before and after.
    #[must_use]
    pub fn change(mut self, before: Option<Value>, after: Option<Value>) -> Self {
        self.before = before;
        self.after = after;
        self
    }

    /// Where it came from.
    #[must_use]
    pub fn from_ip(mut self, ip: IpAddr) -> Self {
        self.ip = Some(ip);
        self
    }
}

/// Writes the event inside the transaction of the change.
///
/// # Errors
/// Whatever the database says; the change then fails with it.
pub async fn append(tx: &mut Tx<'_>, event: &AuditEvent, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let (kind, actor_id) = match &event.by {
        By::User(id) => ("user", Some(id.to_string())),
        By::Agent(id) => ("agent", Some(id.clone())),
        By::System => ("system", None),
        By::Anonymous => ("anonymous", None),
    };
    sqlx::query(
        "INSERT INTO audit_events
             (id, org_id, actor_kind, actor_id, action, target_type, target_id, summary, before, after, ip, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new_id())
    .bind(event.org_id)
    .bind(kind)
    .bind(actor_id)
    .bind(event.action)
    .bind(event.target_type)
    .bind(&event.target_id)
    .bind(&event.summary)
    .bind(&event.before)
    .bind(&event.after)
    .bind(event.ip.map(|ip| ip.to_string()))
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
