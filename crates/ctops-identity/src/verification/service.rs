//! Sending links, opening them, sending them again.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{Actor, AppState, SignInMethod, mail, throttle};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::model::{
    Account, AddressOf, Candidate, LIFE, Link, Meaning, OpenedLink, RESENDS_FOR_ADDRESS, TOKEN_PREFIX,
    unusable_token,
};
use super::{letters, store};
use crate::accounts::Email;
use crate::external::is_placeholder_address;
use crate::passwords::{self, Passwords, Secret};
use crate::registration;
use crate::sign_in::{CREDENTIAL_POSTS, FirstFactor, keeps_passwords_out, refusal_time};
use crate::users::membership::{self, MemberState};

/// Sends a link, inside the transaction that causes it. For an account whose present address is another one, that one
/// is told as well, and links sent before stop working.
///
/// # Errors
/// `not_found` when the account cannot be used; `internal`.
pub(crate) async fn send(
    tx: &mut Tx<'_>,
    state: &AppState,
    link: &Link<'_>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let changes_from = match link.of {
        AddressOf::Registration(_) => None,
        AddressOf::Account(id) => {
            let account = store::account(tx, id).await.map_err(Problem::internal)?;
            let account = account.ok_or_else(|| Problem::not_found("user"))?;
            (account.email != link.email).then_some((id, account.email))
        }
    };
    let mut taken = false;
    if let Some((user_id, old)) = &changes_from {
        store::delete_unused(tx, *user_id).await.map_err(Problem::internal)?;
        if !is_placeholder_address(old) {
            let notice = letters::change_asked(state, link.org_id, old);
            mail::send(tx, &state.seal, &notice, now).await.map_err(Problem::internal)?;
        }
        taken = store::is_taken(tx, link.email, *user_id).await.map_err(Problem::internal)?;
    }
    let token = random_token(TOKEN_PREFIX);
    let row = OpenedLink { id: new_id(), org_id: link.org_id, of: link.of, email: link.email.to_owned() };
    let hash = sha256(token.as_bytes());
    store::insert(tx, &row, &hash, (now, now + LIFE)).await.map_err(Problem::internal)?;
    // Where another account has the address, its owner is told and nobody gets the token; the row is there all the same,
    // so that the profile of who asked says nothing about it.
    let letter = if taken {
        letters::address_taken(link.org_id, link.email)
    } else {
        letters::link(state, link, &token, changes_from.is_some())
    };
    mail::send(tx, &state.seal, &letter, now).await.map_err(Problem::internal)
}

/// The address that an account gets when the link sent to it is opened.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn pending_change(
    pool: &Pool,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<String>, Problem> {
    store::pending_change(pool, user_id, now).await.map_err(Problem::internal)
}

/// Makes the links of an account worthless.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn cancel_change(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), Problem> {
    store::delete_unused(tx, user_id).await.map_err(Problem::internal)
}

/// Who opens a link.
pub(super) struct Visitor {
    pub(super) ip: IpAddr,
    pub(super) user_agent: String,
    /// Who this browser spoke for until now.
    pub(super) before: Option<Actor>,
}

/// What an opened link leads to.
pub(super) enum Opened {
    /// The address counts; nobody is signed in by it.
    Verified { email: String },
    /// The person is in, but for a second factor.
    SignIn(Box<FirstFactor>),
}

/// Opens a link.
///
/// # Errors
/// `invalid_token`, `already_exists`, `wrong_state`, `limit_reached`, `rate_limited`, `internal`.
pub(super) async fn open(state: &AppState, visitor: Visitor, token: &Secret) -> Result<Opened, Problem> {
    let now = state.clock.now();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &visitor.ip.to_string(), now).await?;
    let hash = sha256(token.reveal().as_bytes());
    let found = store::find(&state.pool, &hash, now).await.map_err(Problem::internal)?;
    let link = found.ok_or_else(unusable_token)?;
    if matches!(link.of, AddressOf::Registration(_)) {
        registration::must_be_open(&state.pool, link.org_id).await?;
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, link.org_id).await?
        || !store::use_up(&mut tx, link.id, now).await.map_err(Problem::internal)?
    {
        return Err(unusable_token());
    }
    let (user_id, signs_in) = match link.of {
        AddressOf::Registration(id) => (registration::admit(&mut tx, id, now).await?, true),
        AddressOf::Account(user_id) => (user_id, prove(&mut tx, state, user_id, &link, visitor.ip).await?),
    };
    let member = membership::find(&mut tx, link.org_id, user_id).await?;
    tx.commit().await.map_err(Problem::internal)?;
    let is_member = member.is_some_and(|m| matches!(m.state, MemberState::Active | MemberState::Pending));
    if !signs_in || !is_member || keeps_passwords_out(state, user_id, link.org_id).await? {
        return Ok(Opened::Verified { email: link.email });
    }
    Ok(Opened::SignIn(Box::new(FirstFactor {
        user_id,
        org_id: link.org_id,
        method: SignInMethod::Password,
        second_factor_asserted: false,
        ip: visitor.ip,
        user_agent: visitor.user_agent,
        replaces: visitor.before,
    })))
}

/// Writes down what a link proves about an account; whether it signs in.
async fn prove(
    tx: &mut Tx<'_>,
    state: &AppState,
    user_id: Uuid,
    link: &OpenedLink,
    ip: IpAddr,
) -> Result<bool, Problem> {
    let now = state.clock.now();
    let account = store::account(tx, user_id).await.map_err(Problem::internal)?;
    let account = account.ok_or_else(unusable_token)?;
    let meaning = account.meaning_of(link);
    if meaning == Meaning::Changed {
        change(tx, state, (user_id, &account), link, ip).await?;
    } else {
        store::set_address(tx, user_id, &link.email, now).await.map_err(Problem::internal)?;
        let event = AuditEvent::by(By::User(user_id), Some(link.org_id), "auth.email.verified", "user")
            .on(user_id)
            .from_ip(ip);
        audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    }
    store::delete_unused(tx, user_id).await.map_err(Problem::internal)?;
    Ok(meaning == Meaning::Verified { signs_in: true })
}

/// Gives an account another address and tells the old one (auth 11).
async fn change(
    tx: &mut Tx<'_>,
    state: &AppState,
    (user_id, account): (Uuid, &Account),
    link: &OpenedLink,
    ip: IpAddr,
) -> Result<(), Problem> {
    let now = state.clock.now();
    let taken =
        || Problem::new(ProblemKind::Conflict, "already_exists", "an account has this address by now");
    if store::is_taken(tx, &link.email, user_id).await.map_err(Problem::internal)? {
        return Err(taken());
    }
    let written = store::set_address(tx, user_id, &link.email, now).await;
    written.map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => taken(),
        _ => Problem::internal(error),
    })?;
    store::forget_resets(tx, user_id).await.map_err(Problem::internal)?;
    let event = AuditEvent::by(By::User(user_id), Some(link.org_id), "user.email_changed", "user")
        .on(user_id)
        .summary("changed the e-mail address of the account")
        .change(Some(json!({ "email": account.email })), Some(json!({ "email": link.email })))
        .from_ip(ip);
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    if is_placeholder_address(&account.email) {
        return Ok(());
    }
    let notice = letters::changed(link.org_id, &account.email, &link.email);
    mail::send(tx, &state.seal, &notice, now).await.map_err(Problem::internal)
}

/// Sends a link again to whoever knows the password. The answer and its time are the same when there is nobody (auth 8).
///
/// # Errors
/// `validation_failed`, `rate_limited`, `unavailable`, `internal`.
pub(super) async fn resend(
    state: &AppState,
    passwords: &Passwords,
    ip: IpAddr,
    (email, password): (&str, Secret),
    redirect: Option<&str>,
) -> Result<(), Problem> {
    let answer_at = Instant::now() + refusal_time();
    let now = state.clock.now();
    let email = Email::parse("email", email);
    let checked = [
        email.as_ref().err().cloned(),
        passwords::check_length("password", &password).err(),
        registration::check_redirect(redirect).err(),
    ];
    let (Ok(email), [None, None, None]) = (&email, &checked) else {
        return Err(Problem::invalid(checked.into_iter().flatten().collect()));
    };
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip.to_string(), now).await?;
    throttle::hit(&state.pool, &RESENDS_FOR_ADDRESS, email.as_str(), now).await?;
    let candidate = candidate(state, email.as_str(), now).await?;
    let stored = candidate.as_ref().map(|candidate| candidate.password_hash.clone());
    let right = passwords.turn().await?.verify(password, stored).await?;
    if let Some(candidate) = candidate.filter(|_| right) {
        let link = Link {
            of: candidate.of,
            org_id: candidate.org_id,
            organisation: &candidate.organisation,
            email: email.as_str(),
            redirect,
        };
        let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
        send(&mut tx, state, &link, now).await?;
        let event = AuditEvent::by(By::Anonymous, Some(link.org_id), "auth.email.link_requested", "user")
            .summary("a link to verify an address was asked for again")
            .from_ip(ip);
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
        tx.commit().await.map_err(Problem::internal)?;
    }
    sleep_until(answer_at).await;
    Ok(())
}

/// An account that has not proved its address, else the newest registration with it.
async fn candidate(state: &AppState, email: &str, now: DateTime<Utc>) -> Result<Option<Candidate>, Problem> {
    if let Some(account) = store::find_unverified(&state.pool, email).await.map_err(Problem::internal)? {
        return Ok(Some(account));
    }
    let waiting = registration::newest(&state.pool, email, now).await?;
    Ok(waiting.filter(|waiting| !waiting.address_taken).map(|waiting| Candidate {
        of: AddressOf::Registration(waiting.id),
        org_id: waiting.org_id,
        organisation: waiting.organisation,
        password_hash: waiting.password_hash,
    }))
}
