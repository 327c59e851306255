//! What an attempt consists of.

use std::fmt;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_slice::state::Installation;
use uuid::Uuid;

/// People take this long at a provider at most.
pub(crate) const LIFE: TimeDelta = TimeDelta::minutes(10);
/// Characters of a browser key: 32 bytes in base64url.
const KEY_CHARS: usize = 43;

/// An attempt as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) id: Uuid,
    pub(crate) provider_id: Uuid,
    /// Whose sign-in is to be confirmed (auth 17); nobody's for an ordinary sign-in.
    pub(crate) confirm_user_id: Option<Uuid>,
    /// Local path to go on with.
    pub(crate) return_to: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What tells one browser from all others. `Debug` does not show it.
pub(crate) struct BrowserKey(String);

impl BrowserKey {
    /// A new random one.
    pub(super) fn new() -> Self {
        Self(random_token(""))
    }

    /// Reads a cookie.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == KEY_CHARS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }

    /// A value that only this browser's attempt can know, in base64url: 43 characters.
    pub(crate) fn derive(&self, purpose: &str, state: &str) -> String {
        URL_SAFE_NO_PAD.encode(sha256(format!("{purpose}\0{state}\0{}", self.0).as_bytes()))
    }
}

impl fmt::Debug for BrowserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserKey(..)")
    }
}

/// Name of the cookie: the `__Host-` prefix binds it to this origin, but needs TLS.
pub(crate) fn cookie_name(installation: &Installation) -> &'static str {
    if installation.is_https() { "__Host-ctops_sso" } else { "ctops_sso" }
}

/// The cookie. `Lax`, so that it comes back with the redirect from the provider's site.
pub(super) fn cookie(
    installation: &Installation,
    value: &str,
    max_age_s: i64,
) -> Result<HeaderValue, Problem> {
    let secure = if installation.is_https() { "; Secure" } else { "" };
    let name = cookie_name(installation);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    let mut header = HeaderValue::from_str(&text).map_err(Problem::internal)?;
    header.set_sensitive(true);
    Ok(header)
}

/// The refusal of an answer that belongs to no attempt of this browser.
pub(crate) fn replayed() -> Problem {
    let detail = "this sign-in was used already, took too long, or began in another browser; begin again";
    Problem::new(ProblemKind::Unauthenticated, "sign_in_replayed", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: auth 33
    #[test]
    fn derived_values_differ_by_purpose_state_and_browser() {
        let (one, other) = (BrowserKey::new(), BrowserKey::new());
        let nonce = one.derive("nonce", "state");
        assert_eq!(nonce.len(), KEY_CHARS, "as long as a code verifier must be (RFC 7636 section 4.1)");
        assert_eq!(nonce, one.derive("nonce", "state"));
        for different in
            [one.derive("verifier", "state"), one.derive("nonce", "other"), other.derive("nonce", "state")]
        {
            assert_ne!(nonce, different);
        }
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn cookies_that_are_no_key_are_refused() {
        assert!(BrowserKey::parse(BrowserKey::new().reveal()).is_some());
        for bad in ["", "short", &"ä".repeat(43), &"a".repeat(44), &format!("{}=", "a".repeat(42))] {
            assert!(BrowserKey::parse(bad).is_none(), "{bad}");
        }
    }
}
