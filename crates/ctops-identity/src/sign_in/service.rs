//! The decision whether somebody may sign in.

use ctops_base::{Problem, ProblemKind};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{Actor, AppState, SignInMethod, throttle};
use tokio::time::{Instant, sleep_until};

use super::complete::{FirstFactor, SignInOutcome, complete};
use super::model::{ACCOUNT_LOCK, Account, Attempt, CREDENTIAL_POSTS, refusal_time};
use super::{sso_only, store};
use crate::passwords::Passwords;
use crate::{registration, sessions};

/// Signs in. A refusal is answered after a random time that does not depend on what the refusal was (auth 23).
///
/// # Errors
/// `rate_limited`, `invalid_credentials`, `email_not_verified`, `unavailable`, `internal`.
pub(super) async fn sign_in(
    state: &AppState,
    passwords: &Passwords,
    attempt: Attempt,
) -> Result<SignInOutcome, Problem> {
    let refuse_at = Instant::now() + refusal_time();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &attempt.ip.to_string(), state.clock.now()).await?;
    match decide(state, passwords, &attempt).await? {
        Ok(account) => {
            let first = FirstFactor {
                user_id: account.user_id,
                org_id: account.org_id,
                method: SignInMethod::Password,
                second_factor_asserted: false,
                ip: attempt.ip,
                user_agent: attempt.user_agent,
                replaces: attempt.before,
            };
            complete(state, first).await
        }
        Err(refusal) => {
            sleep_until(refuse_at).await;
            Err(refusal.problem())
        }
    }
}

/// Why credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NoAccount,
    NoLocalPassword,
    WrongPassword,
    Deactivated,
    EmailNotVerified,
    /// Nobody proved the address that was registered with this password, whether or not it has an account.
    RegistrationWaits,
    SsoOnly,
}

impl Refusal {
    /// What the caller is told: nothing about the account before the password was right.
    fn problem(self) -> Problem {
        match self {
            Refusal::EmailNotVerified | Refusal::RegistrationWaits => Problem::new(
                ProblemKind::Forbidden,
                "email_not_verified",
                "verify your e-mail address before you sign in",
            ),
            Refusal::SsoOnly => Problem::new(
                ProblemKind::Forbidden,
                "sso_only",
                "sign in through your identity provider; passwords are switched off here",
            ),
            _ => Problem::new(
                ProblemKind::Unauthenticated,
                "invalid_credentials",
                "the e-mail address or the password is wrong",
            ),
        }
    }

    /// What the audit trail is told.
    fn reason(self) -> &'static str {
        match self {
            Refusal::NoAccount => "no such account",
            Refusal::NoLocalPassword => "the account has no password",
            Refusal::WrongPassword => "wrong password",
            Refusal::Deactivated => "the account is deactivated",
            Refusal::EmailNotVerified => "the e-mail address is not verified",
            Refusal::RegistrationWaits => "the address of a registration is not verified",
            Refusal::SsoOnly => "only identity providers sign people in",
        }
    }
}

/// Counts the attempt, compares the password, and judges. The outer error is for attempts that were not judged.
async fn decide(
    state: &AppState,
    passwords: &Passwords,
    attempt: &Attempt,
) -> Result<Result<Account, Refusal>, Problem> {
    let turn = passwords.turn().await?;
    let (pool, now) = (&state.pool, state.clock.now());
    throttle::check_lock(pool, &ACCOUNT_LOCK, &attempt.email, now).await?;
    let locks = throttle::fail(pool, &ACCOUNT_LOCK, &attempt.email, now).await?;
    let account = store::find_account(pool, &attempt.email).await.map_err(Problem::internal)?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let matches = turn.verify(attempt.password.clone(), stored).await?;
    let refusal = match &account {
        None => Some(Refusal::NoAccount),
        Some(account) => match judge(account, matches, state.installation.require_email_verification) {
            None if sso_only::keeps_passwords_out(state, account.user_id, account.org_id).await? => {
                Some(Refusal::SsoOnly)
            }
            judged => judged,
        },
    };
    let refusal = match refusal {
        Some(Refusal::NoAccount | Refusal::NoLocalPassword | Refusal::WrongPassword)
            if registration_waits(state, passwords, attempt).await? =>
        {
            Some(Refusal::RegistrationWaits)
        }
        other => other,
    };
    if matches!(refusal, None | Some(Refusal::EmailNotVerified | Refusal::SsoOnly)) {
        throttle::clear(pool, ACCOUNT_LOCK.scope, &attempt.email).await?;
    }
    if let Some(refusal) = refusal {
        record_refusal(state, attempt, account.as_ref(), refusal, locks).await?;
        return Ok(Err(refusal));
    }
    Ok(account.ok_or(Refusal::NoAccount))
}

/// Whether somebody registered with this address and password and has not proved the address. The failure stays counted,
/// so that accounts and unknown addresses are locked alike.
async fn registration_waits(
    state: &AppState,
    passwords: &Passwords,
    attempt: &Attempt,
) -> Result<bool, Problem> {
    let waiting = registration::newest(&state.pool, &attempt.email, state.clock.now()).await?;
    match waiting {
        None => Ok(false),
        Some(waiting) => {
            passwords.turn().await?.verify(attempt.password.clone(), Some(waiting.password_hash)).await
        }
    }
}

fn judge(account: &Account, matches: bool, verification_required: bool) -> Option<Refusal> {
    if account.password_hash.is_none() {
        Some(Refusal::NoLocalPassword)
    } else if !matches {
        Some(Refusal::WrongPassword)
    } else if !account.active {
        Some(Refusal::Deactivated)
    } else if verification_required && !account.email_verified {
        Some(Refusal::EmailNotVerified)
    } else {
        None
    }
}

/// Writes the refusal into the audit trail. The typed address is kept only when it is that of an account: people type
/// passwords into the wrong field.
async fn record_refusal(
    state: &AppState,
    attempt: &Attempt,
    account: Option<&Account>,
    refusal: Refusal,
    locks: bool,
) -> Result<(), Problem> {
    let now = state.clock.now();
    let org_id = account.map(|account| account.org_id);
    let event = |by, action| {
        let event = AuditEvent::by(by, org_id, action, "user").from_ip(attempt.ip);
        match account {
            Some(account) => event.on(account.user_id),
            None => event,
        }
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let failed = event(By::Anonymous, "auth.login.failed")
        .summary(refusal.reason())
        .failed(refusal.reason().replace([' ', '-'], "_"));
    audit::append(&mut tx, &failed, now).await.map_err(Problem::internal)?;
    if locks && !matches!(refusal, Refusal::EmailNotVerified | Refusal::SsoOnly) {
        let locked = event(By::System, "auth.login.locked")
            .because("lock_out")
            .summary("too many failed sign-ins in a row");
        audit::append(&mut tx, &locked, now).await.map_err(Problem::internal)?;
        tracing::info!(client.ip = %attempt.ip, "sign-in was locked after too many failures");
    }
    tx.commit().await.map_err(Problem::internal)
}

/// Signs out.
///
/// # Errors
/// `internal` when the database fails. A session that ended a moment ago is no error: the outcome is the same.
pub(super) async fn sign_out(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    let session_id = actor.session_id().ok_or_else(Problem::forbidden)?;
    match sessions::end(state, actor, session_id, "signed out").await {
        Err(problem) if problem.kind() == ProblemKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account() -> Account {
        Account {
            user_id: Uuid::nil(),
            org_id: Uuid::nil(),
            password_hash: Some("h".into()),
            email_verified: true,
            active: true,
        }
    }

    /// Spec: auth 6, 23
    #[test]
    fn what_is_wrong_with_an_account_shows_only_after_the_right_password() {
        let unverified = Account { email_verified: false, ..account() };
        assert_eq!(judge(&unverified, true, true), Some(Refusal::EmailNotVerified));
        assert_eq!(judge(&unverified, true, false), None, "verification switched off");
        assert_eq!(judge(&unverified, false, true), Some(Refusal::WrongPassword));
        assert_eq!(judge(&account(), true, true), None);
        let inactive = Account { active: false, email_verified: false, ..account() };
        assert_eq!(judge(&inactive, true, true), Some(Refusal::Deactivated));
        let external = Account { password_hash: None, ..account() };
        assert_eq!(
            judge(&external, true, true),
            Some(Refusal::NoLocalPassword),
            "whatever the comparison said"
        );
    }

    /// Spec: auth 23
    #[test]
    fn all_refusals_but_one_read_the_same() {
        let same =
            [Refusal::NoAccount, Refusal::NoLocalPassword, Refusal::WrongPassword, Refusal::Deactivated];
        for refusal in same {
            let problem = refusal.problem();
            assert_eq!(
                (problem.code(), problem.kind()),
                ("invalid_credentials", ProblemKind::Unauthenticated)
            );
            assert_eq!(problem.detail(), Refusal::WrongPassword.problem().detail());
        }
    }
}
