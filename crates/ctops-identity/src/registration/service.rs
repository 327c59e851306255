//! Asking for an account, and making it once the address is proved.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::mail::{self, Mail};
use ctops_slice::settings::{self, AuthenticationSettings, RegistrationMode};
use ctops_slice::{AppState, throttle};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::model::{
    Applicant, LIFE, OpenOrganisation, REGISTRATIONS_OF_ADDRESS, Request, Waiting, choose, closed,
};
use super::store;
use crate::passwords::Passwords;
use crate::sign_in::{CREDENTIAL_POSTS, refusal_time};
use crate::users::membership::{self, MemberState, NewMember, NewPerson, RolesFrom};
use crate::verification::{self, AddressOf, Link};

/// Whether anybody can register with some organisation.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn is_open(pool: &Pool) -> Result<bool, Problem> {
    Ok(!store::open_organisations(pool).await.map_err(Problem::internal)?.is_empty())
}

/// The newest registration that waits for an address.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn newest(pool: &Pool, email: &str, now: DateTime<Utc>) -> Result<Option<Waiting>, Problem> {
    store::newest(pool, email, now).await.map_err(Problem::internal)
}

/// Takes a registration. The answer and its time are the same when the address has an account (auth 23).
///
/// # Errors
/// `wrong_state`, `validation_failed`, `rate_limited`, `unavailable`, `internal`.
pub(super) async fn register(
    state: &AppState,
    passwords: &Passwords,
    ip: IpAddr,
    request: &Request,
) -> Result<(), Problem> {
    let answer_at = Instant::now() + refusal_time();
    let now = state.clock.now();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip.to_string(), now).await?;
    let open = store::open_organisations(&state.pool).await.map_err(Problem::internal)?;
    if open.is_empty() {
        return Err(closed());
    }
    let applicant = request.check()?;
    let organisation = choose(&open, &applicant.email)?;
    let settings = settings::read::<AuthenticationSettings>(&state.pool, organisation.id).await?;
    request.check_password(&applicant.email, organisation, settings.password_min_length)?;
    throttle::hit(&state.pool, &REGISTRATIONS_OF_ADDRESS, applicant.email.as_str(), now).await?;
    let password_hash = passwords.turn().await?.hash(request.password.clone()).await?;
    let waiting = waiting(applicant, organisation, password_hash);
    keep(state, ip, &waiting, request.redirect.as_deref(), now).await?;
    sleep_until(answer_at).await;
    Ok(())
}

fn waiting(applicant: Applicant, organisation: &OpenOrganisation, password_hash: String) -> Waiting {
    Waiting {
        id: new_id(),
        org_id: organisation.id,
        organisation: organisation.name.clone(),
        email: applicant.email.as_str().to_owned(),
        name: applicant.name,
        password_hash,
        address_taken: false,
    }
}

/// Writes a registration down and sends the letter that fits: a link to whoever is new, a notice to whoever has an
/// account already.
async fn keep(
    state: &AppState,
    ip: IpAddr,
    waiting: &Waiting,
    redirect: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let must_verify = state.installation.require_email_verification;
    if must_verify {
        // Kept for known addresses as well, so that signing in with what was typed is answered alike.
        store::insert(&mut tx, waiting, (now, now + LIFE)).await.map_err(Problem::internal)?;
    }
    let taken = store::is_taken(&mut tx, &waiting.email).await.map_err(Problem::internal)?;
    let made = match (taken, must_verify) {
        (true, _) => None,
        (false, true) => Some(AddressOf::Registration(waiting.id)),
        (false, false) => make_account(&mut tx, waiting, false, now).await?.map(AddressOf::Account),
    };
    match made {
        Some(of) => {
            let link = Link {
                of,
                org_id: waiting.org_id,
                organisation: &waiting.organisation,
                email: &waiting.email,
                redirect,
            };
            verification::send(&mut tx, state, &link, now).await?;
        }
        None => tell_owner(&mut tx, state, waiting, now).await?,
    }
    let event = AuditEvent::by(By::Anonymous, Some(waiting.org_id), "user.registration_requested", "user")
        .summary("somebody asked for an account")
        .from_ip(ip);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Somebody registered with the address of an account: its owner may have forgotten that they have one.
async fn tell_owner(
    tx: &mut Tx<'_>,
    state: &AppState,
    waiting: &Waiting,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let letter = Mail {
        org_id: Some(waiting.org_id),
        to: waiting.email.clone(),
        kind: "already_registered",
        subject: "You have an account for CT-Ops already".to_owned(),
        text: format!(
            "Somebody asked for an account at {} with this address, which has one. Sign in to it; if you have forgotten \
             the password, the sign-in page sends you a link. If it was not you, there is nothing to do.",
            waiting.organisation
        ),
        link: Some(format!("{}/login", state.installation.public_url)),
    };
    mail::send(tx, &state.seal, &letter, now).await.map_err(Problem::internal)
}

/// Refuses when an organisation takes no registrations (any more).
///
/// # Errors
/// `wrong_state`; `internal` when the database cannot be asked.
pub(crate) async fn must_be_open(pool: &Pool, org_id: Uuid) -> Result<(), Problem> {
    let settings = settings::read::<AuthenticationSettings>(pool, org_id).await?;
    if settings.registration_mode == RegistrationMode::Approval && !settings.sso_only {
        Ok(())
    } else {
        Err(closed())
    }
}

/// Makes the account of a registration whose address was proved just now; the user. The caller has asked
/// [`must_be_open`] and locked the organisation.
///
/// # Errors
/// `already_exists` when an account has the address by now; `limit_reached`; `invalid_token` when the registration is
/// gone.
pub(crate) async fn admit(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<Uuid, Problem> {
    let found = store::find(tx, id, now).await.map_err(Problem::internal)?;
    let waiting = found.ok_or_else(verification::unusable_token)?;
    let made = make_account(tx, &waiting, true, now).await?;
    let user_id = made.ok_or_else(|| {
        let detail = "an account has this address already; sign in to it";
        Problem::new(ProblemKind::Conflict, "already_exists", detail)
    })?;
    store::delete_for(tx, &waiting.email).await.map_err(Problem::internal)?;
    Ok(user_id)
}

/// A pending account without roles; none when the address is taken.
async fn make_account(
    tx: &mut Tx<'_>,
    waiting: &Waiting,
    email_verified: bool,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Problem> {
    if !membership::lock_organisation(tx, waiting.org_id).await? {
        return Err(closed());
    }
    membership::check_room(tx, waiting.org_id).await?;
    let person = NewPerson {
        id: new_id(),
        email: &waiting.email,
        name: &waiting.name,
        password_hash: Some(&waiting.password_hash),
        email_verified,
    };
    if !membership::insert_person(tx, &person, now).await? {
        return Ok(None);
    }
    let member = NewMember {
        org_id: waiting.org_id,
        user_id: person.id,
        state: MemberState::Pending,
        roles: BTreeSet::new(),
        roles_from: RolesFrom::People,
        invited_by: None,
    };
    membership::insert(tx, &member, now).await?;
    let event = AuditEvent::by(By::Anonymous, Some(waiting.org_id), "user.registered", "user")
        .on(person.id)
        .summary("registered and waits for approval")
        .change(None, Some(json!({ "email": waiting.email, "name": waiting.name, "state": "pending" })));
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    Ok(Some(person.id))
}
