//! Activation tokens: what an installation shows to the issuer (licensing 5, 6). Not secret, not signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::json;
use crate::licence::text;

/// What every token begins with.
pub const PREFIX: &str = "infw-act_";
/// Older tokens are refused by the issuer.
pub const MAX_AGE: TimeDelta = TimeDelta::days(30);
/// Tokens dated further ahead are refused by the issuer.
pub const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// Longest token, bytes.
const MAX_BYTES: usize = 4096;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token.
    #[error("this is not an activation token")]
    Malformed,
    /// Another version.
    #[error("this activation token was made by a newer version of CT-Ops")]
    Version,
    /// Older than 30 days.
    #[error("the activation token is older than 30 days; generate a new one")]
    TooOld,
    /// Dated ahead.
    #[error("the activation token is dated more than 5 minutes ahead; check the clock of the installation")]
    Ahead,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationToken {
    /// Organisation the key will be for.
    pub organisation_id: String,
    /// Its name, for people to compare.
    pub organisation_name: String,
    /// When it was made.
    pub generated_at: DateTime<Utc>,
    /// Tells tokens apart.
    pub nonce: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    v: u8,
    install_organisation_id: &'a str,
    install_organisation_name: &'a str,
    generated_at: String,
    nonce: &'a str,
}

impl ActivationToken {
    /// Writes it.
    pub fn encode(&self) -> String {
        let wire = Wire {
            v: 1,
            install_organisation_id: &self.organisation_id,
            install_organisation_name: &self.organisation_name,
            generated_at: self.generated_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            nonce: &self.nonce,
        };
        // A struct of texts always becomes JSON.
        let body = serde_json::to_string(&wire).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body))
    }

    /// Reads one; white space from copying is ignored, and both spellings of the names are understood.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::Version`].
    pub fn decode(pasted: &str) -> Result<Self, TokenError> {
        let packed: String = pasted.chars().filter(|c| !c.is_whitespace()).take(MAX_BYTES + 1).collect();
        let body =
            packed.strip_prefix(PREFIX).filter(|_| packed.len() <= MAX_BYTES).ok_or(TokenError::Malformed)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Malformed)?;
        let members = json::object(&body).ok_or(TokenError::Malformed)?;
        match members.get("v").and_then(serde_json::Value::as_u64) {
            Some(1) => {}
            Some(_) => return Err(TokenError::Version),
            None => return Err(TokenError::Malformed),
        }
        let either = |one: &str, other: &str| match (members.get(one), members.get(other)) {
            (value @ Some(_), None) | (None, value @ Some(_)) => text(value).ok_or(TokenError::Malformed),
            _ => Err(TokenError::Malformed),
        };
        let generated_at = text(members.get("generatedAt")).ok_or(TokenError::Malformed)?;
        let generated_at = DateTime::parse_from_rfc3339(&generated_at).map_err(|_| TokenError::Malformed)?;
        Ok(Self {
            organisation_id: either("installOrganisationId", "installInstanceId")?,
            organisation_name: either("installOrganisationName", "installInstanceName")?,
            generated_at: generated_at.with_timezone(&Utc),
            nonce: text(members.get("nonce")).ok_or(TokenError::Malformed)?,
        })
    }

    /// Whether the issuer may still act on it.
    ///
    /// # Errors
    /// [`TokenError::TooOld`], [`TokenError::Ahead`].
    pub fn check_age(&self, now: DateTime<Utc>) -> Result<(), TokenError> {
        let age = now.signed_duration_since(self.generated_at);
        if age > MAX_AGE {
            return Err(TokenError::TooOld);
        }
        if age < -MAX_AHEAD {
            return Err(TokenError::Ahead);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn token(name: &str) -> ActivationToken {
        ActivationToken {
            organisation_id: "0198c3d2-0000-7000-8000-000000000001".into(),
            organisation_name: name.into(),
            generated_at: "2026-11-22T10:00:00.123Z".parse().unwrap(),
            nonce: "n0nce".into(),
        }
    }

    fn wrap(body: &str) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body))
    }

    /// Spec: licensing 5
    #[test]
    fn a_token_is_compact_json_behind_its_prefix() {
        let text = token("Dubois & Söhne").encode();
        let body = URL_SAFE_NO_PAD.decode(text.strip_prefix("infw-act_").unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "{\"v\":1,\"installOrganisationId\":\"0198c3d2-0000-7000-8000-000000000001\",\
             \"installOrganisationName\":\"Dubois & Söhne\",\"generatedAt\":\"2026-11-22T10:00:00.123Z\",\"nonce\":\"n0nce\"}"
        );
        let folded = format!("  {}\n{}\r\n", &text[..40], &text[40..]);
        assert_eq!(ActivationToken::decode(&folded).unwrap(), token("Dubois & Söhne"));
    }

    /// Spec: licensing 5
    #[test]
    fn the_later_spelling_is_understood_and_a_mixture_is_not() {
        let later = r#"{"v":1,"installInstanceId":"i","installInstanceName":"n","generatedAt":"2026-11-22T11:00:00+01:00","nonce":"x"}"#;
        let read = ActivationToken::decode(&wrap(later)).unwrap();
        assert_eq!((read.organisation_id.as_str(), read.organisation_name.as_str()), ("i", "n"));
        assert_eq!(read.generated_at, "2026-11-22T10:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let both = later.replace("{\"v\":1,", "{\"v\":1,\"installOrganisationId\":\"j\",");
        for bad in [
            both.as_str(),
            "{}",
            "[]",
            r#"{"v":1}"#,
            &later.replace("\"x\"", "7"),
            &later.replace("\"x\"", "\"\""),
        ] {
            assert_eq!(ActivationToken::decode(&wrap(bad)), Err(TokenError::Malformed), "{bad}");
        }
        let newer = later.replace("\"v\":1", "\"v\":2");
        assert_eq!(ActivationToken::decode(&wrap(&newer)), Err(TokenError::Version));
        assert_eq!(ActivationToken::decode("infw-act_"), Err(TokenError::Malformed));
        assert_eq!(ActivationToken::decode(&wrap(&" ".repeat(9000))), Err(TokenError::Malformed));
    }

    /// Spec: licensing 6
    #[test]
    fn age_is_checked_to_the_second() {
        let token = token("x");
        let at = |delta| token.check_age(token.generated_at + delta);
        assert_eq!(at(TimeDelta::days(30)), Ok(()));
        assert_eq!(at(TimeDelta::days(30) + TimeDelta::seconds(1)), Err(TokenError::TooOld));
        assert_eq!(at(-TimeDelta::minutes(5)), Ok(()));
        assert_eq!(at(-TimeDelta::minutes(5) - TimeDelta::seconds(1)), Err(TokenError::Ahead));
        assert_ne!(TokenError::TooOld.to_string(), TokenError::Ahead.to_string());
    }

    proptest! {
        #[test]
        fn decode_of_anything_never_panics(text in "\\PC{0,200}") {
            prop_assert!(ActivationToken::decode(&text).is_err());
            prop_assert!(ActivationToken::decode(&wrap(&text)).is_err());
        }

        #[test]
        fn every_name_travels(name in "[^\\p{C}\\s][^\\p{C}]{0,99}") {
            let token = token(&name);
            prop_assert_eq!(ActivationToken::decode(&token.encode()).unwrap(), token);
        }
    }
}
