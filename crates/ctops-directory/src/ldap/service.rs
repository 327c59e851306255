//! The decision whether somebody may sign in with a directory.

use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_identity::external::{ExternalIdentity, ProviderKind, Resolved, resolve};
use ctops_identity::sign_in::{CREDENTIAL_POSTS, FirstFactor, SignInOutcome, complete, refusal_time};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{AppState, SignInMethod, throttle};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::model::{
    ACCOUNT_LOCK, Attempt, LOGINS, attributes, is_allowed, person_filter, roles_of, subject_of,
};
use crate::connection::{Query, Refusal, Scope};
use crate::directories::{Directories, Unreached, bind_service};
use crate::entry::Entry;
use crate::groups::{Groups, groups_of};
use crate::ldap_configurations::{self as configurations, Directory};

/// How a sign-in with a directory goes on.
pub(super) enum Arrival {
    /// As every sign-in does.
    Outcome(SignInOutcome),
    /// An account has the address already; its own sign-in has to confirm the link.
    ConfirmFirst { token: String, expires_at: DateTime<Utc> },
}

/// Somebody the directory vouches for.
struct Person {
    subject: String,
    entry: Entry,
    groups: Groups,
}

/// Why somebody may not sign in, for the audit trail.
struct Refused {
    code: &'static str,
    reason: &'static str,
    dn: Option<String>,
}

impl Refused {
    fn unknown(code: &'static str, reason: &'static str) -> Self {
        Self { code, reason, dn: None }
    }

    fn of(refusal: Refusal, dn: Option<&str>) -> Self {
        Self { code: refusal.code, reason: refusal.reason, dn: dn.map(str::to_owned) }
    }
}

/// What a refused person is told, whatever the reason: the same as at a sign-in with a local account (auth 23).
fn refused() -> Problem {
    let detail = "the e-mail address or the password is wrong";
    Problem::new(ProblemKind::Unauthenticated, "invalid_credentials", detail)
}

/// Signs in. Every attempt is counted before the directory is asked, so one that is cut off counts as well; only a right
/// password clears the count. A refusal is answered after a random time that does not depend on what the refusal was, unless the
/// directory takes longer.
///
/// # Errors
/// `rate_limited`, `invalid_credentials`, `directory_unavailable`, `unavailable`, `internal`; `validation_failed` for an
/// unknown directory.
pub(super) async fn sign_in(
    state: &AppState,
    directories: &Directories,
    attempt: Attempt,
) -> Result<Arrival, Problem> {
    let refuse_at = Instant::now() + refusal_time();
    let (ip, now) = (attempt.ip.to_string(), state.clock.now());
    throttle::hit(&state.pool, &LOGINS, &ip, now).await?;
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip, now).await?;
    let found = configurations::find_for_sign_in(state, attempt.directory_id).await?;
    let unknown =
        || Problem::invalid_field("directory_id", "unknown_directory", "is no directory to sign in with");
    let directory = configurations::open(&state.seal, &found.ok_or_else(unknown)?)?;
    let key = attempt.lock_key();
    throttle::check_lock(&state.pool, &ACCOUNT_LOCK, &key, now).await?;
    let locks = throttle::fail(&state.pool, &ACCOUNT_LOCK, &key, now).await?;
    let judged = match judge(state, directories, &directory, &attempt).await {
        Ok(judged) => judged,
        Err(unreached) => {
            record_unreached(state, &directory, &attempt, &unreached).await?;
            return Err(unreached.problem(false));
        }
    };
    let refusal = match judged {
        Ok(person) => match arrive(state, &directory, &attempt, &person).await? {
            Ok(arrival) => {
                throttle::clear(&state.pool, ACCOUNT_LOCK.scope, &key).await?;
                return Ok(arrival);
            }
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    record_refusal(state, &directory, &attempt, &refusal, locks).await?;
    sleep_until(refuse_at).await;
    Err(refused())
}

/// Asks the directory.
async fn judge(
    state: &AppState,
    directories: &Directories,
    directory: &Directory,
    attempt: &Attempt,
) -> Result<Result<Person, Refused>, Unreached> {
    if attempt.password.reveal().is_empty() {
        return Ok(Err(Refused::of(Refusal::EMPTY, None)));
    }
    let settings = &directory.settings;
    let mut session = directories.enter(&state.egress, directory).await?;
    let connection = &mut session.connection;
    let query = Query {
        base: settings.people(),
        scope: Scope::Subtree,
        filter: &person_filter(settings, &attempt.username),
        attributes: &attributes(settings),
        limit: 2,
        paged: false,
    };
    let mut entries = connection.search(query).await?.entries;
    let entry = match (entries.pop(), entries.is_empty()) {
        (None, _) => return Ok(Err(Refused::unknown("no_match", "no entry has this name"))),
        (Some(_), false) => {
            tracing::warn!(directory.id = %directory.id, "a name means more than one entry, so nobody can sign in with it");
            return Ok(Err(Refused::unknown("several_matches", "more than one entry has this name")));
        }
        (Some(entry), true) => entry,
    };
    if let Err(refusal) = connection.bind(&entry.dn, attempt.password.reveal()).await? {
        return Ok(Err(Refused::of(refusal, Some(&entry.dn))));
    }
    // The person may not be allowed to see groups; the service account is.
    bind_service(connection, directory).await?;
    let groups = groups_of(connection, settings, &entry, settings.nested_groups).await?;
    let refused = |code, reason| Refused { code, reason, dn: Some(entry.dn.clone()) };
    if !is_allowed(settings, &groups) {
        return Ok(Err(refused("not_in_allowed_group", "is in none of the allowed groups")));
    }
    let Some(subject) = subject_of(settings, &entry) else {
        return Ok(Err(refused("no_subject", "the entry has no identifier")));
    };
    Ok(Ok(Person { subject, entry, groups }))
}

/// Finds the account of somebody the directory vouches for, and goes on as every sign-in does.
async fn arrive(
    state: &AppState,
    directory: &Directory,
    attempt: &Attempt,
    person: &Person,
) -> Result<Result<Arrival, Refused>, Problem> {
    let (settings, entry, now) = (&directory.settings, &person.entry, state.clock.now());
    let identity = ExternalIdentity {
        provider: ProviderKind::Ldap,
        provider_id: directory.id,
        org_id: directory.org_id,
        subject: &person.subject,
        email: entry.text(&settings.email_attribute),
        email_trusted: settings.trust_email,
        name: entry.text(&settings.display_attribute).unwrap_or(&attempt.username),
        roles: roles_of(settings, &person.groups),
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let resolved = resolve(&mut tx, &identity, now).await?;
    if let Resolved::Account { user_id, org_id } = &resolved {
        let event = AuditEvent::by(By::User(*user_id), Some(*org_id), "ldap.signed_in", "user")
            .on(user_id)
            .from_ip(attempt.ip)
            .summary(format!("directory {} accepted the password", directory.name))
            .change(None, Some(json!({ "directory_id": directory.id, "dn": entry.dn })));
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    match resolved {
        Resolved::Account { user_id, org_id } => {
            let first = FirstFactor {
                user_id,
                org_id,
                method: SignInMethod::Ldap,
                second_factor_asserted: false,
                ip: attempt.ip,
                user_agent: attempt.user_agent.clone(),
                replaces: attempt.before.clone(),
            };
            Ok(Ok(Arrival::Outcome(complete(state, first).await?)))
        }
        Resolved::ConfirmFirst { token, expires_at } => Ok(Ok(Arrival::ConfirmFirst { token, expires_at })),
        Resolved::Refused { reason } => {
            Ok(Err(Refused { code: "account_refused", reason, dn: Some(entry.dn.clone()) }))
        }
    }
}

fn failed(directory: &Directory, attempt: &Attempt, code: &'static str) -> AuditEvent {
    AuditEvent::by(By::Anonymous, Some(directory.org_id), "auth.login.failed", "ldap_configuration")
        .on(directory.id)
        .labelled(&directory.name)
        .from_ip(attempt.ip)
        .failed(code)
}

/// Writes the refusal into the audit trail. The typed name is not kept, because people type passwords into the wrong
/// field; the name of the entry it meant is.
async fn record_refusal(
    state: &AppState,
    directory: &Directory,
    attempt: &Attempt,
    refusal: &Refused,
    locks: bool,
) -> Result<(), Problem> {
    let now = state.clock.now();
    let mut event = failed(directory, attempt, refusal.code).summary(refusal.reason);
    if let Some(dn) = &refusal.dn {
        event = event.change(None, Some(json!({ "dn": dn })));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    if locks {
        let locked =
            AuditEvent::by(By::System, Some(directory.org_id), "auth.login.locked", "ldap_configuration")
                .on(directory.id)
                .labelled(&directory.name)
                .from_ip(attempt.ip)
                .summary("too many failed sign-ins with one name in a row");
        audit::append(&mut tx, &locked, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)
}

async fn record_unreached(
    state: &AppState,
    directory: &Directory,
    attempt: &Attempt,
    unreached: &Unreached,
) -> Result<(), Problem> {
    let (code, summary) = match unreached {
        Unreached::Busy => ("busy", "too many others are at the directory".to_owned()),
        Unreached::Failed(failure) => {
            (failure.code, format!("step {} failed: {}", failure.step.as_str(), failure.detail))
        }
    };
    let event = failed(directory, attempt, code).summary(summary);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
