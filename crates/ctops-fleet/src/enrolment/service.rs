//! Decisions about tokens, and what registration may ask.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Clock, Page, PageRequest, Problem};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::json;
use uuid::Uuid;

use super::model::{EnrolmentToken, NewToken, ReenrolmentPolicy, SECRET_PREFIX, Token, TokenStatus};
use super::{ENROLMENT_AUTO_APPROVE, ENROLMENT_MANAGE, SETTINGS_READ, SETTINGS_WRITE, store};

/// Tokens that one organisation may create per minute.
const CREATION: Rate = Rate { scope: "enrolment_token.create", limit: 10, window: Duration::from_secs(60) };

/// A new token and its secret, which nobody can read again. Debug shows the token only.
pub struct Created {
    /// The token.
    pub token: Token,
    /// The secret.
    pub secret: String,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Creates a token.
///
/// # Errors
/// `forbidden` without the permission, and for auto-approve without that one; `validation_failed`; `rate_limited`.
pub async fn create_token(state: &AppState, actor: &Actor, new: NewToken) -> Result<Created, Problem> {
    let grant = actor.grant(&ENROLMENT_MANAGE)?;
    if new.auto_approve {
        actor.grant(&ENROLMENT_AUTO_APPROVE)?;
    }
    let new = new.check()?;
    let now = state.clock.now();
    throttle::hit(&state.pool, &CREATION, &actor.org_id.to_string(), now).await?;
    let (id, secret) = (new_id(), random_token(SECRET_PREFIX));
    let parts = secret_parts(&secret);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::insert(&mut tx, &grant, id, &new, &parts, Some(actor.user_id), now)
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "enrolment_token.created", "enrolment_token")
        .on(id)
        .summary(format!("created enrolment token {}", new.label))
        .change(None, Some(describe(&new)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    let token = store::find(&mut *tx, &grant, id, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    let token = token.ok_or_else(|| Problem::internal("a new token cannot be read back"))?;
    Ok(Created { token, secret })
}

/// Creates a token for the operator on the server's own machine, who needs no account. Returns its secret.
///
/// # Errors
/// `validation_failed`; `internal`.
pub async fn create_operator_token(
    pool: &Pool,
    clock: &Clock,
    org_id: Uuid,
    new: NewToken,
) -> Result<String, Problem> {
    let (new, now) = (new.check()?, clock.now());
    let grant = Grant::of_operator(org_id, &ENROLMENT_MANAGE);
    let (id, secret) = (new_id(), random_token(SECRET_PREFIX));
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    store::insert(&mut tx, &grant, id, &new, &secret_parts(&secret), None, now)
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by(By::SupportCli, Some(org_id), "enrolment_token.created", "enrolment_token")
        .on(id)
        .summary(format!("the operator created enrolment token {} on the server's machine", new.label))
        .change(None, Some(describe(&new)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(secret)
}

/// What is stored and shown of a secret: its first 8 and last 4 characters (agents-enrolment 3).
fn secret_parts(secret: &str) -> store::SecretParts<'_> {
    store::SecretParts {
        hash: sha256(secret.as_bytes()),
        hint_prefix: &secret[..8],
        hint_suffix: &secret[secret.len() - 4..],
    }
}

/// What the audit trail keeps of a new token.
fn describe(new: &NewToken) -> serde_json::Value {
    json!({
        "label": new.label,
        "auto_approve": new.auto_approve,
        "skip_verify": new.skip_verify,
        "max_uses": new.max_uses,
        "expires_in_days": new.expires_in_days,
        "tags": new.tags,
    })
}

/// One page of the listed tokens.
pub(super) async fn list_tokens(
    state: &AppState,
    actor: &Actor,
    status: Option<TokenStatus>,
    request: PageRequest,
) -> Result<Page<Token>, Problem> {
    let grant = actor.grant(&ENROLMENT_MANAGE)?;
    let now = state.clock.now();
    let total = store::count(&state.pool, &grant, status, now).await.map_err(Problem::internal)?;
    let items = store::page(&state.pool, &grant, status, request, now).await.map_err(Problem::internal)?;
    Ok(Page { items, total, request })
}

/// One listed token.
pub(super) async fn get_token(state: &AppState, actor: &Actor, id: Uuid) -> Result<Token, Problem> {
    let grant = actor.grant(&ENROLMENT_MANAGE)?;
    store::find(&state.pool, &grant, id, state.clock.now())
        .await
        .map_err(Problem::internal)?
        .ok_or_else(|| Problem::not_found("enrolment token"))
}

/// Ends a token that still admits agents; agents it admitted are untouched.
///
/// # Errors
/// `forbidden`, `not_found`, `wrong_state` when it is expired, exhausted or revoked.
pub async fn revoke_token(state: &AppState, actor: &Actor, id: Uuid) -> Result<Token, Problem> {
    let grant = actor.grant(&ENROLMENT_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let revoked = store::revoke(&mut tx, &grant, id, actor.user_id, now).await.map_err(Problem::internal)?;
    let token = store::find(&mut *tx, &grant, id, now)
        .await
        .map_err(Problem::internal)?
        .ok_or_else(|| Problem::not_found("enrolment token"))?;
    if !revoked {
        let status = token.status(now).as_str();
        return Err(Problem::wrong_state(format!("only active tokens can be revoked, this one is {status}")));
    }
    let event = AuditEvent::by_actor(actor, "enrolment_token.revoked", "enrolment_token")
        .on(id)
        .summary(format!("revoked enrolment token {}", token.label))
        .change(Some(json!({"status": "active"})), Some(json!({"status": "revoked"})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(token)
}

/// The organisation's policy for machines that come back with a new key.
pub(super) async fn get_policy(state: &AppState, actor: &Actor) -> Result<ReenrolmentPolicy, Problem> {
    let grant = actor.grant(&SETTINGS_READ)?;
    reenrolment_policy(&state.pool, grant.org_id()).await
}

/// Sets that policy.
pub(super) async fn set_policy(
    state: &AppState,
    actor: &Actor,
    policy: ReenrolmentPolicy,
) -> Result<(), Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = reenrolment_policy(&mut *tx, grant.org_id()).await?;
    store::set_policy(&mut tx, &grant, policy).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.enrolment.changed", "organisation")
        .on(grant.org_id())
        .summary("changed what happens when a known machine enrols again")
        .change(
            Some(json!({"reenrolment_policy": before.as_str()})),
            Some(json!({"reenrolment_policy": policy.as_str()})),
        );
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// The token with this secret, in whatever state; none when there is none. For registration.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn find_by_secret(
    pool: &Pool,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<Option<EnrolmentToken>, Problem> {
    store::find_by_hash(pool, &sha256(secret.as_bytes()), now).await.map_err(Problem::internal)
}

/// Consumes one use of the token inside the transaction that adds the agent. Returns `false` when the token does not
/// admit anybody any more. Of agents that race for the last use exactly one gets `true` (agents-enrolment 5). Call it
/// last: other registrations with the same token wait from here until the transaction ends.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn consume_use(tx: &mut Tx<'_>, token_id: Uuid, now: DateTime<Utc>) -> Result<bool, Problem> {
    store::consume(tx, token_id, now).await.map_err(Problem::internal)
}

/// What an organisation wants to happen when a known machine comes back with a new key.
///
/// # Errors
/// `internal` when the database cannot be asked or there is no such organisation.
pub async fn reenrolment_policy<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<ReenrolmentPolicy, Problem> {
    store::policy(executor, org_id)
        .await
        .map_err(Problem::internal)?
        .ok_or_else(|| Problem::internal("organisation without a re-enrolment policy"))
}
