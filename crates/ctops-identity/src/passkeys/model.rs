//! What a passkey is, and the site it belongs to.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::text::is_hostile;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::state::Installation;
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// A challenge is answered within this time.
pub(super) const CEREMONY_FOR: TimeDelta = TimeDelta::minutes(5);
/// Passkeys of one person.
pub(super) const MAX_PASSKEYS: usize = 20;
/// Characters of a passkey's name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=100;

/// What a challenge was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Register,
    SignIn,
    SecondStep,
    Confirm,
}

impl Purpose {
    /// The name in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Purpose::Register => "register",
            Purpose::SignIn => "sign_in",
            Purpose::SecondStep => "second_step",
            Purpose::Confirm => "confirm",
        }
    }
}

/// A challenge for the browser. The token names it; only its hash is kept.
pub(super) struct Challenge {
    pub(super) ceremony: String,
    pub(super) options: Value,
}

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ListedPasskey {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
}

/// A passkey with what verifies its signatures.
#[derive(Clone, Debug)]
pub(super) struct StoredPasskey {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) passkey: Passkey,
}

/// This installation as browsers know it.
///
/// # Errors
/// `unavailable` when people reach it by a bare address: passkeys belong to a name (WebAuthn section 5.1.2).
pub(super) fn site(installation: &Installation) -> Result<Webauthn, Problem> {
    let unavailable = || {
        Problem::new(
            ProblemKind::Conflict,
            "wrong_state",
            "passkeys need a server that is reached by name over https; see the public address in the settings",
        )
    };
    let origin = Url::parse(&installation.public_url).map_err(|_| unavailable())?;
    let domain = origin.domain().ok_or_else(unavailable)?.to_owned();
    let site = WebauthnBuilder::new(&domain, &origin).map_err(|_| unavailable())?;
    site.rp_name("CT-Ops").build().map_err(Problem::internal)
}

/// Checks the name of a passkey and returns it trimmed.
///
/// # Errors
/// `validation_failed`.
pub(super) fn check_passkey_name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if !NAME_CHARS.contains(&name.chars().count()) || name.chars().any(is_hostile) {
        return Err(Problem::invalid_field(
            "name",
            "invalid",
            "must have 1 to 100 characters, none of control",
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_of_passkeys_are_short_and_plain() {
        assert_eq!(check_passkey_name(" Key ").unwrap(), "Key");
        for wrong in ["", "  ", "a\u{1b}b", &"x".repeat(101)] {
            assert!(check_passkey_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
