//! Limits of recovery, and new passwords as they are typed.

use std::time::Duration;

use chrono::TimeDelta;
use ctops_base::{FieldProblem, Problem};
use ctops_slice::throttle::Rate;
use uuid::Uuid;

use crate::passwords::{self, Context, Secret};

/// How long a link lives (auth 10).
pub(super) const LIFE: TimeDelta = TimeDelta::hours(1);
/// What every token begins with.
pub(super) const TOKEN_PREFIX: &str = "rst_";
/// Requests for a link, per client address (auth 10).
pub(super) const REQUESTS_OF_CLIENT: Rate =
    Rate { scope: "password_reset_ip", limit: 10, window: Duration::from_secs(60) };
/// Requests for a link, per e-mail address, whether it is that of an account or not (auth 10).
pub(super) const REQUESTS_FOR_ADDRESS: Rate =
    Rate { scope: "password_reset_address", limit: 5, window: Duration::from_secs(3600) };

/// An account that may get a link.
pub(super) struct Account {
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) email: String,
    pub(super) organisation: String,
    /// It has a password now.
    pub(super) has_password: bool,
}

/// A new password, typed twice.
pub(super) struct NewPassword {
    pub(super) password: Secret,
    pub(super) confirmation: Secret,
}

impl NewPassword {
    /// # Errors
    /// What the rule for new passwords says, or `mismatch` on `password_confirmation`.
    pub(super) fn check(&self, account: &Account) -> Result<(), Problem> {
        let context = Context { email: &account.email, organisation_name: &account.organisation };
        passwords::check("password", &self.password, context)
            .map_err(|field| Problem::invalid(vec![field]))?;
        if self.password.reveal() == self.confirmation.reveal() {
            return Ok(());
        }
        Err(Problem::invalid(vec![FieldProblem {
            path: "password_confirmation".to_owned(),
            code: "mismatch",
            message: "differs from the password".to_owned(),
        }]))
    }
}

/// The answer to every token that cannot be used, whatever the reason (auth 10).
pub(super) fn unusable_token() -> Problem {
    Problem::invalid_field("token", "invalid_token", "is unknown, used or too old; ask for a new link")
}
