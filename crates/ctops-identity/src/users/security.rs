//! How a member stands with signing in: locked or not, with which second factors; and lifting the lock.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, throttle};
use uuid::Uuid;

use super::{USERS_MANAGE, service};
use crate::accounts::Email;
use crate::second_factor;
use crate::sign_in::{ACCOUNT_LOCK, SECOND_FACTOR_LOCK};

/// What an administrator is told about somebody's ways to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Security {
    /// End of the lock that failed sign-ins caused, of passwords or second factors, whichever ends later.
    pub(super) locked_until: Option<DateTime<Utc>>,
    pub(super) authenticator_app: bool,
    pub(super) passkeys: i64,
}

/// The locks of an account, as scope and key.
fn locks(email: &str, user_id: Uuid) -> [(&'static str, String); 2] {
    [(ACCOUNT_LOCK.scope, Email::fold(email)), (SECOND_FACTOR_LOCK.scope, user_id.to_string())]
}

/// How a member stands with signing in.
pub(super) async fn of(state: &AppState, actor: &Actor, user_id: Uuid) -> Result<Security, Problem> {
    let user = service::get(state, actor, user_id).await?;
    let now = state.clock.now();
    let mut until = None;
    for (scope, key) in locks(&user.email, user_id) {
        until = until.max(throttle::locked_until(&state.pool, scope, &key, now).await?);
    }
    let factors = second_factor::factors_of(&state.pool, user_id).await?;
    Ok(Security {
        locked_until: until,
        authenticator_app: factors.totp_enrolled_at.is_some(),
        passkeys: factors.passkeys,
    })
}

/// Lets somebody try again at once whom failed sign-ins locked out (auth 22).
pub(super) async fn unlock(state: &AppState, actor: &Actor, user_id: Uuid) -> Result<(), Problem> {
    actor.grant(&USERS_MANAGE)?;
    let user = service::get(state, actor, user_id).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    for (scope, key) in locks(&user.email, user_id) {
        throttle::clear(&mut *tx, scope, &key).await?;
    }
    let event =
        AuditEvent::by_actor(actor, "auth.login.unlocked", "user").on(user_id).summary("unlocked an account");
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
