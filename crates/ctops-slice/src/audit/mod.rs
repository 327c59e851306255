//! The audit trail: one event per write by a person, per attempt to sign in, per refused attempt and per automatic
//! change of security meaning (audit-log 1 to 6).
//!
//! [`append`] writes an event inside the transaction of the change, so that there is neither a change without its event
//! nor an event without its change. Where the request came from is not handed in: the guard leaves it in a
//! [`context`] of the task. What looks like a secret is taken out on the way ([`redact`]). Names of actor and target are
//! copied, because events outlive both.
//!
//! Writers never wait for each other: an event is sealed into the hash chain of its organisation seconds later, by the
//! one process that leads. The names of all actions are in the [`catalogue`]. Refused attempts are collected by
//! [`denied`].

pub mod catalogue;
pub mod context;
pub mod denied;
pub mod redact;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_pg::Tx;
use serde_json::Value;
use uuid::Uuid;

use crate::actor::{Actor, Credential};

pub use context::RequestContext;

/// Longest summary, bytes; longer ones are cut.
const SUMMARY_BYTES: usize = 1_000;
/// Longest name or label, bytes.
const NAME_BYTES: usize = 300;

/// Who did it (audit-log 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A signed-in person.
    User(Uuid),
    /// A key of the person or service account with this user id.
    ApiKey(Uuid),
    /// An agent.
    Agent(String),
    /// The server itself; [`AuditEvent::because`] names what made it act.
    System,
    /// Somebody who sets the installation up.
    Setup,
    /// The operator on the server's own machine.
    SupportCli,
    /// Someone not signed in, for example during a failed sign-in.
    Anonymous,
}

impl By {
    /// The name in the database and the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::ApiKey(_) => "api_key",
            Self::Agent(_) => "agent",
            Self::System => "system",
            Self::Setup => "setup",
            Self::SupportCli => "support_cli",
            Self::Anonymous => "anonymous",
        }
    }

    /// The id, of those that have one.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::User(id) | Self::ApiKey(id) => Some(id.to_string()),
            Self::Agent(id) => Some(id.clone()),
            Self::System | Self::Setup | Self::SupportCli | Self::Anonymous => None,
        }
    }

    /// Who `actor` is in the trail.
    pub fn actor(actor: &Actor) -> Self {
        match actor.credential {
            Credential::Session { .. } => Self::User(actor.user_id),
            Credential::ApiKey { .. } => Self::ApiKey(actor.user_id),
        }
    }
}

/// How an attempt ended (audit-log 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Outcome {
    /// It was done.
    #[default]
    Success,
    /// It was refused.
    Denied,
    /// It was tried and did not work.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Denied, Self::Failed];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// One audit event. `before` and `after` should not hold secrets; what looks like one is taken out all the same.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Organisation, when there is one.
    pub org_id: Option<Uuid>,
    /// Who.
    pub by: By,
    /// Their name at the time; looked up when nobody gave it.
    pub actor_name: Option<String>,
    /// A name of the [`catalogue`].
    pub action: &'static str,
    /// Kind of thing acted on.
    pub target_type: &'static str,
    /// Its id.
    pub target_id: Option<String>,
    /// What people called it at the time; looked up for common kinds when nobody gave it.
    pub target_label: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused or failed: a stable code.
    pub reason_code: Option<String>,
    /// What made the server act: the id of a schedule or rule, the name of a sweep (audit-log 2).
    pub cause: Option<String>,
    /// One sentence.
    pub summary: String,
    /// State before, without secrets.
    pub before: Option<Value>,
    /// State after, without secrets.
    pub after: Option<Value>,
    /// How many equal attempts this event stands for.
    pub repeats: i32,
    /// Where the request came from, when that is known better than by the request's context.
    pub ip: Option<IpAddr>,
    /// The request, when it is another one than the task's own.
    pub context: Option<RequestContext>,
}

impl AuditEvent {
    /// An event of a signed-in person or a key.
    pub fn by_actor(actor: &Actor, action: &'static str, target_type: &'static str) -> Self {
        let mut event = Self::by(By::actor(actor), Some(actor.org_id), action, target_type);
        event.actor_name = (!actor.name.is_empty()).then(|| actor.name.to_string());
        event.ip = Some(actor.ip);
        event
    }

    /// An event nobody signed in caused.
    pub fn by(by: By, org_id: Option<Uuid>, action: &'static str, target_type: &'static str) -> Self {
        Self {
            org_id,
            by,
            actor_name: None,
            action,
            target_type,
            target_id: None,
            target_label: None,
            outcome: Outcome::Success,
            reason_code: None,
            cause: None,
            summary: String::new(),
            before: None,
            after: None,
            repeats: 1,
            ip: None,
            context: None,
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

    /// What people call the thing acted on.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.target_label = Some(label.into());
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

    /// It was refused, for this reason.
    #[must_use]
    pub fn denied(mut self, code: impl Into<String>) -> Self {
        self.outcome = Outcome::Denied;
        self.reason_code = Some(code.into());
        self
    }

    /// It did not work, for this reason.
    #[must_use]
    pub fn failed(mut self, code: impl Into<String>) -> Self {
        self.outcome = Outcome::Failed;
        self.reason_code = Some(code.into());
        self
    }

    /// What made the server act.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

/// Writes the event inside the transaction of the change. It takes no lock that another writer waits for.
///
/// # Errors
/// Whatever the database says; the change then fails with it.
pub async fn append(tx: &mut Tx<'_>, event: &AuditEvent, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    debug_assert!(
        catalogue::knows(event.action),
        "{} is not in crates/ctops-slice/src/audit/catalogue.rs; add it there",
        event.action
    );
    let context = event.context.clone().or_else(context::current).unwrap_or_default();
    let ip = event.ip.or(context.ip).map(|ip| ip.to_string());
    sqlx::query(
        "INSERT INTO audit_events
             (id, org_id, actor_kind, actor_id, actor_name, action, target_type, target_id, target_label, outcome,
              reason_code, cause, summary, before, after, repeats, ip, user_agent, request_id, session_hash,
              auth_method, second_factor, api_key_id, at)
         VALUES ($1, $2, $3, $4, COALESCE($5, audit_actor_name($3, $4)), $6, $7, $8,
                 COALESCE($9, audit_target_label($7, $8)), $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 $21, $22, $23, $24)",
    )
    .bind(new_id())
    .bind(event.org_id)
    .bind(event.by.kind())
    .bind(event.by.id())
    .bind(event.actor_name.as_deref().map(|name| redact::text(name, NAME_BYTES)))
    .bind(event.action)
    .bind(event.target_type)
    .bind(&event.target_id)
    .bind(event.target_label.as_deref().map(|label| redact::text(label, NAME_BYTES)))
    .bind(event.outcome.as_str())
    .bind(&event.reason_code)
    .bind(&event.cause)
    .bind(redact::text(&event.summary, SUMMARY_BYTES))
    .bind(event.before.as_ref().map(redact::value))
    .bind(event.after.as_ref().map(redact::value))
    .bind(event.repeats)
    .bind(ip)
    .bind(&context.user_agent)
    .bind(&context.request_id)
    .bind(&context.session_hash)
    .bind(&context.auth_method)
    .bind(context.second_factor)
    .bind(context.api_key_id)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
