//! Limits of signing in, and what a sign-in consists of.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem};
use ctops_slice::throttle::{LockOut, Rate};
use ctops_slice::{Actor, SignInMethod};
use rand::RngExt;
use uuid::Uuid;

use crate::accounts::{Email, MAX_EMAIL_CHARS};
use crate::passwords::{self, Passwords, Secret};
use crate::sessions::DeclaredPermissions;

/// Requests that carry credentials, of whatever kind, per client address (auth 22).
pub const CREDENTIAL_POSTS: Rate =
    Rate { scope: "credential_post", limit: 10, window: Duration::from_secs(60) };

/// Wrong passwords for one account, existing or not (auth 22).
pub(crate) const ACCOUNT_LOCK: LockOut = LockOut {
    scope: "account_lock",
    failures: 5,
    window: Duration::from_secs(15 * 60),
    first: Duration::from_secs(5 * 60),
    longest: Duration::from_secs(60 * 60),
};

/// Time after which a refused sign-in is answered, milliseconds. auth 23 promises 400 to 600 ms at the client; the
/// margins are for everything around the handler.
const REFUSAL_MS: std::ops::RangeInclusive<u64> = 415..=570;

/// A new random time after which to answer a refused sign-in.
pub fn refusal_time() -> Duration {
    Duration::from_millis(rand::rng().random_range(REFUSAL_MS))
}

/// Answers to the second step of sign-ins, per client address (auth 19).
pub(super) const MFA_POSTS: Rate = Rate { scope: "mfa_post", limit: 10, window: Duration::from_secs(60) };
/// How long the second step lives (auth 19).
pub(super) const PENDING_FOR: TimeDelta = TimeDelta::minutes(10);
/// Wrong second factors that end a sign-in (auth 19).
pub(super) const MAX_FAILURES: i32 = 5;

/// Wrong second factors for one account over several sign-ins, so that who has the password cannot go on guessing by
/// beginning anew.
pub(crate) const SECOND_FACTOR_LOCK: LockOut = LockOut {
    scope: "second_factor_lock",
    failures: 10,
    window: Duration::from_secs(60 * 60),
    first: Duration::from_secs(15 * 60),
    longest: Duration::from_secs(60 * 60),
};

/// A sign-in that waits for its second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) method: SignInMethod,
    /// The session that ends with this sign-in.
    pub(crate) replaces: Option<Uuid>,
    pub(crate) failures: i32,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What routes that start sessions need besides the state of all handlers.
#[derive(Clone)]
pub(crate) struct SignInDeps {
    pub(crate) passwords: Passwords,
    pub(crate) declared: DeclaredPermissions,
}

/// A sign-in as it was asked for.
pub(super) struct Attempt {
    /// Folded e-mail address; also what failures are counted under.
    pub(super) email: String,
    pub(super) password: Secret,
    pub(super) ip: IpAddr,
    pub(super) user_agent: String,
    /// Who this browser spoke for until now.
    pub(super) before: Option<Actor>,
}

/// Checks what can be checked without knowing the account, before anything is counted under it or hashed.
///
/// # Errors
/// `validation_failed` for over-long input and for control characters, which the database could not look up.
pub(super) fn check_input(email: &str, password: &Secret) -> Result<String, Problem> {
    let mut fields = Vec::new();
    let folded = Email::fold(email);
    let refused = |code, message: String| FieldProblem { path: "email".to_owned(), code, message };
    let chars = folded.chars().count();
    if chars > MAX_EMAIL_CHARS {
        fields.push(refused("too_long", format!("has {chars} characters, at most {MAX_EMAIL_CHARS}")));
    } else if folded.chars().any(is_hostile) {
        fields.push(refused("invalid", "contains control characters".to_owned()));
    }
    fields.extend(passwords::check_length("password", password).err());
    if fields.is_empty() { Ok(folded) } else { Err(Problem::invalid(fields)) }
}

/// An account as sign-in sees it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) password_hash: Option<String>,
    pub(super) email_verified: bool,
    pub(super) active: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn problem_of(email: &str, password: &str) -> Option<(String, &'static str)> {
        let problem = check_input(email, &Secret::new(password)).err()?;
        problem.fields().first().map(|field| (field.path.clone(), field.code))
    }

    #[test]
    fn input_at_the_limits_passes_and_beyond_them_is_refused() {
        assert_eq!(check_input(" Ada@Example.COM", &Secret::new("x")).unwrap(), "ada@example.com");
        assert_eq!(problem_of(&"a".repeat(254), &"p".repeat(128)), None);
        assert_eq!(problem_of(&"a".repeat(255), "p"), Some(("email".into(), "too_long")));
        assert_eq!(problem_of("a", &"p".repeat(129)), Some(("password".into(), "too_long")));
        assert_eq!(problem_of("a\0b", "p"), Some(("email".into(), "invalid")));
    }

    /// Spec: auth 23
    #[test]
    fn refusal_times_are_spread_over_the_promised_range() {
        let times: Vec<u128> = (0..1000).map(|_| refusal_time().as_millis()).collect();
        assert!(times.iter().all(|ms| (400..=600).contains(ms)));
        assert!(times.iter().any(|ms| *ms < 450) && times.iter().any(|ms| *ms > 535), "not a fixed time");
    }
}
