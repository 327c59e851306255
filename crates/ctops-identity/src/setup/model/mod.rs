//! The set-up code, and what set-up creates.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem};
use ctops_crypto::secret::{constant_time_eq, fill_random, sha256};
use uuid::Uuid;

use crate::accounts::{Email, check_name};
use crate::passwords::{self, Secret};

/// Wrong codes that lock set-up (auth 1).
pub(super) const MAX_FAILURES: i32 = 5;
/// How long it stays locked (auth 1).
pub(super) const LOCK: TimeDelta = TimeDelta::minutes(15);

/// Letters of a made code: Crockford's base 32, which has no letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Length of a made code: 100 random bits.
const CODE_LEN: usize = 20;
/// Letters between two dashes of a made code.
const GROUP_LEN: usize = 5;

/// Where the set-up code comes from (`CT_OPS_SETUP_CODE`).
#[derive(Clone, Debug)]
pub enum SetupCode {
    /// No code is asked for; for trusted networks.
    Off,
    /// A code the operator chose.
    Preset(Secret),
    /// A code made at start.
    Generate,
}

impl SetupCode {
    /// Reads the setting: `off`, a code, or nothing.
    pub fn from_setting(text: Option<&str>) -> Self {
        match text.map(str::trim) {
            None | Some("") => SetupCode::Generate,
            Some(text) if text.eq_ignore_ascii_case("off") => SetupCode::Off,
            Some(code) => SetupCode::Preset(Secret::new(code)),
        }
    }
}

/// A new code, for example `7k2mq-…`: four groups of five.
pub(super) fn make_code() -> String {
    let mut random = [0u8; CODE_LEN];
    fill_random(&mut random);
    // 256 is a multiple of 32, so every letter is equally likely.
    let letters = random.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]);
    letters
        .chunks(GROUP_LEN)
        .map(|group| group.iter().copied().map(char::from).collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
}

/// SHA-256 of a code. Case, white space and dashes do not count, because people copy codes by hand.
pub(super) fn code_hash(code: &Secret) -> [u8; 32] {
    let folded: String = code.reveal().chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    sha256(folded.to_lowercase().as_bytes())
}

/// The row behind the code. An empty hash stands for "no code is asked for".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeState {
    pub(super) code_hash: Vec<u8>,
    pub(super) failures: i32,
    pub(super) locked_until: Option<DateTime<Utc>>,
}

/// What the code that somebody sent means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CodeVerdict {
    /// Set-up may go on.
    Accepted,
    /// Nothing was sent; not counted as a guess.
    Missing,
    /// Wrong: from now on so many failures, and the lock if it was one too many.
    Wrong { failures: i32, locked_until: Option<DateTime<Utc>> },
    /// Set-up is locked; the code was not looked at.
    Locked { seconds: u64 },
}

impl CodeState {
    /// Whether a code is asked for.
    pub(super) fn is_required(&self) -> bool {
        !self.code_hash.is_empty()
    }

    /// Judges a code at `now`.
    pub(super) fn judge(&self, given: Option<&Secret>, now: DateTime<Utc>) -> CodeVerdict {
        if !self.is_required() {
            return CodeVerdict::Accepted;
        }
        if let Some(until) = self.locked_until.filter(|until| *until > now) {
            let seconds = u64::try_from((until - now).num_seconds()).unwrap_or(0).saturating_add(1);
            return CodeVerdict::Locked { seconds };
        }
        let Some(given) = given.filter(|code| !code.reveal().trim().is_empty()) else {
            return CodeVerdict::Missing;
        };
        if constant_time_eq(&code_hash(given), &self.code_hash) {
            return CodeVerdict::Accepted;
        }
        let failures = self.failures + 1;
        if failures >= MAX_FAILURES {
            CodeVerdict::Wrong { failures: 0, locked_until: Some(now + LOCK) }
        } else {
            CodeVerdict::Wrong { failures, locked_until: None }
        }
    }
}

/// A set-up as it was asked for.
pub(super) struct SetupRequest {
    pub(super) organisation_name: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password: Secret,
    pub(super) password_confirmation: Secret,
    pub(super) setup_code: Option<Secret>,
}

/// What a set-up creates.
#[derive(Debug)]
pub(super) struct FirstAccount {
    pub(super) organisation_name: String,
    pub(super) name: String,
    pub(super) email: Email,
    pub(super) password: Secret,
}

impl SetupRequest {
    /// Checks everything but the code.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(&self) -> Result<FirstAccount, Problem> {
        let organisation_name = check_name("organisation_name", &self.organisation_name);
        let name = check_name("name", &self.name);
        let email = Email::parse("email", &self.email);
        let context = passwords::Context { email: &self.email, organisation_name: &self.organisation_name };
        let password = passwords::check("password", &self.password, context);
        let same = constant_time_eq(
            self.password.reveal().as_bytes(),
            self.password_confirmation.reveal().as_bytes(),
        );
        let confirmed = if same { Ok(()) } else { Err(mismatch()) };
        match (organisation_name, name, email, password, confirmed) {
            (Ok(organisation_name), Ok(name), Ok(email), Ok(()), Ok(())) => {
                Ok(FirstAccount { organisation_name, name, email, password: self.password.clone() })
            }
            (organisation_name, name, email, password, confirmed) => {
                let problems =
                    [organisation_name.err(), name.err(), email.err(), password.err(), confirmed.err()];
                Err(Problem::invalid(problems.into_iter().flatten().collect()))
            }
        }
    }
}

fn mismatch() -> FieldProblem {
    FieldProblem {
        path: "password_confirmation".to_owned(),
        code: "mismatch",
        message: "differs from the password".to_owned(),
    }
}

/// Ids of what a set-up created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Created {
    pub(super) org_id: Uuid,
    pub(super) user_id: Uuid,
}

#[cfg(test)]
mod tests;
