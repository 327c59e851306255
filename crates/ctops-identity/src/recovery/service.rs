//! Asking for a link, using it, and changing a password.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::mail::{self, Mail};
use ctops_slice::{Actor, AppState, throttle};
use tokio::time::{Instant, sleep_until};

use super::model::{
    Account, LIFE, NewPassword, REQUESTS_FOR_ADDRESS, REQUESTS_OF_CLIENT, TOKEN_PREFIX, unusable_token,
};
use super::store;
use crate::accounts::Email;
use crate::external;
use crate::passwords::{self, Passwords, Secret};
use crate::reauthentication::session_only;
use crate::sessions;
use crate::sign_in::{ACCOUNT_LOCK, CREDENTIAL_POSTS, refusal_time};

/// Sends a link when the address is that of an account that may choose a password. The answer and its time are the same when it is not (auth 23).
///
/// # Errors
/// `validation_failed`, `rate_limited`, `internal`.
pub(super) async fn request(state: &AppState, ip: IpAddr, email: &str) -> Result<(), Problem> {
    let answer_at = Instant::now() + refusal_time();
    let now = state.clock.now();
    let email = Email::parse("email", email).map_err(|field| Problem::invalid(vec![field]))?;
    throttle::hit(&state.pool, &REQUESTS_OF_CLIENT, &ip.to_string(), now).await?;
    throttle::hit(&state.pool, &REQUESTS_FOR_ADDRESS, email.as_str(), now).await?;
    let account = store::find_account(&state.pool, email.as_str()).await.map_err(Problem::internal)?;
    match account {
        Some(account) if may_choose(state, &account).await? => send_link(state, ip, &account, now).await?,
        Some(account) => note_refusal(state, ip, &account, now).await?,
        None => {}
    }
    sleep_until(answer_at).await;
    Ok(())
}

/// Whether a link may set the password of an account. Not while a directory or identity provider alone decides who it is:
/// the password would let the person in when the provider no longer does. When the provider is gone, switched off or no
/// longer licensed, a password is the way back in (auth 35).
async fn may_choose(state: &AppState, account: &Account) -> Result<bool, Problem> {
    Ok(account.has_password || !external::has_usable_provider(state, account.user_id).await?)
}

/// Tells administrators why no link was sent.
async fn note_refusal(
    state: &AppState,
    ip: IpAddr,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let event = AuditEvent::by(By::Anonymous, Some(account.org_id), "auth.password.reset_requested", "user")
        .on(account.user_id)
        .from_ip(ip)
        .summary("no link was sent: a directory or identity provider signs this account in")
        .denied("external_account");
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

async fn send_link(
    state: &AppState,
    ip: IpAddr,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let token = random_token(TOKEN_PREFIX);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let times = (now, now + LIFE);
    let hash = sha256(token.as_bytes());
    store::insert(&mut tx, new_id(), account, &hash, times).await.map_err(Problem::internal)?;
    let letter = Mail {
        org_id: Some(account.org_id),
        to: account.email.clone(),
        kind: "password_reset",
        subject: "Choose a new password for CT-Ops".to_owned(),
        text: format!(
            "Somebody asked for a new password for your account at {}. Open the link to choose one; it works once and for \
             one hour. If it was not you, ignore this letter: the old password stays.",
            account.organisation
        ),
        // Behind the hash sign, so that the token gets into no log of a server or proxy.
        link: Some(format!("{}/reset-password#{token}", state.installation.public_url)),
    };
    mail::send(&mut tx, &state.seal, &letter, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by(By::Anonymous, Some(account.org_id), "auth.password.reset_requested", "user")
        .on(account.user_id)
        .from_ip(ip);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Sets a new password by a link. Whoever reads the account's mail has proved the address as well.
///
/// # Errors
/// `invalid_token`, what the rule for passwords says, `rate_limited`, `unavailable`, `internal`.
pub(super) async fn reset(
    state: &AppState,
    passwords: &Passwords,
    ip: IpAddr,
    token: &Secret,
    new: &NewPassword,
) -> Result<(), Problem> {
    let now = state.clock.now();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip.to_string(), now).await?;
    passwords::check_length("password", &new.password).map_err(|field| Problem::invalid(vec![field]))?;
    let token_hash = sha256(token.reveal().as_bytes());
    let found = store::find_by_token(&state.pool, &token_hash, now).await.map_err(Problem::internal)?;
    let account = found.ok_or_else(unusable_token)?;
    if !may_choose(state, &account).await? {
        return Err(unusable_token());
    }
    new.check(&account)?;
    let hash = passwords.turn().await?.hash(new.password.clone()).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let usable = store::use_up(&mut tx, account.user_id, &token_hash, now).await;
    if !usable.map_err(Problem::internal)? {
        return Err(unusable_token());
    }
    store::set_password(&mut tx, account.user_id, &hash, Some(now)).await.map_err(Problem::internal)?;
    sessions::end_sessions_of(&mut tx, account.user_id, None, "a new password by a link", now).await?;
    let event = AuditEvent::by(By::Anonymous, Some(account.org_id), "auth.password.reset", "user")
        .on(account.user_id)
        .from_ip(ip);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tell(&mut tx, state, &account, now).await?;
    tx.commit().await.map_err(Problem::internal)?;
    throttle::clear(&state.pool, ACCOUNT_LOCK.scope, &account.email).await
}

/// Changes the password of somebody signed in; their other sessions end. A wrong present password counts as at sign-in.
///
/// # Errors
/// `invalid_credentials`, `wrong_state` for accounts without a password of their own, what the rule for passwords says,
/// `forbidden` for API keys, `rate_limited`, `unavailable`, `internal`.
pub(super) async fn change(
    state: &AppState,
    passwords: &Passwords,
    actor: &Actor,
    current: Secret,
    new: &NewPassword,
) -> Result<(), Problem> {
    let refuse_at = Instant::now() + refusal_time();
    let session_id = session_only(actor)?;
    let now = state.clock.now();
    let found = store::find_own(&state.pool, actor.user_id, actor.org_id).await.map_err(Problem::internal)?;
    let (account, stored) = found.ok_or_else(|| Problem::not_found("user"))?;
    let Some(stored) = stored else {
        return Err(Problem::wrong_state("the password of this account is kept where you signed in"));
    };
    passwords::check_length("current_password", &current).map_err(|field| Problem::invalid(vec![field]))?;
    new.check(&account)?;
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &actor.ip.to_string(), now).await?;
    throttle::check_lock(&state.pool, &ACCOUNT_LOCK, &account.email, now).await?;
    throttle::fail(&state.pool, &ACCOUNT_LOCK, &account.email, now).await?;
    if !passwords.turn().await?.verify(current, Some(stored)).await? {
        note_wrong_password(state, actor, now).await?;
        sleep_until(refuse_at).await;
        return Err(Problem::new(
            ProblemKind::Invalid,
            "invalid_credentials",
            "the current password is wrong",
        ));
    }
    throttle::clear(&state.pool, ACCOUNT_LOCK.scope, &account.email).await?;
    let hash = passwords.turn().await?.hash(new.password.clone()).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::set_password(&mut tx, account.user_id, &hash, None).await.map_err(Problem::internal)?;
    sessions::end_sessions_of(&mut tx, account.user_id, Some(session_id), "a new password", now).await?;
    let event = AuditEvent::by_actor(actor, "auth.password.changed", "user").on(actor.user_id);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tell(&mut tx, state, &account, now).await?;
    tx.commit().await.map_err(Problem::internal)
}

async fn note_wrong_password(state: &AppState, actor: &Actor, now: DateTime<Utc>) -> Result<(), Problem> {
    let event = AuditEvent::by_actor(actor, "auth.reauthentication.failed", "user")
        .on(actor.user_id)
        .summary("wrong present password when choosing a new one");
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Tells the person that their password is another one.
async fn tell(
    tx: &mut Tx<'_>,
    state: &AppState,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let letter = Mail {
        org_id: Some(account.org_id),
        to: account.email.clone(),
        kind: "password_changed",
        subject: "Your CT-Ops password was changed".to_owned(),
        text: "The password of your account was changed, and all other sessions were ended. If it was not you, ask for a \
               new password at once and tell your administrator."
            .to_owned(),
        link: Some(format!("{}/forgot-password", state.installation.public_url)),
    };
    mail::send(tx, &state.seal, &letter, now).await.map_err(Problem::internal)
}
