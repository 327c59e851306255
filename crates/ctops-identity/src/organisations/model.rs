//! What an organisation consists of.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Role};
use uuid::Uuid;

/// Organisations of one installation (users-teams-rbac, limits).
pub(super) const MAX_ORGANISATIONS: i64 = 50;
/// How long a deleted organisation can be restored (users-teams-rbac 3).
pub(super) const RESTORABLE: TimeDelta = TimeDelta::days(30);
/// Largest logo, bytes.
pub(super) const MAX_LOGO_BYTES: usize = 64 * 1024;
/// Longest address name, characters.
const MAX_SLUG_CHARS: usize = 63;

/// An organisation somebody belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnOrganisation {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) time_zone: String,
    pub(super) has_logo: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) deleted_at: Option<DateTime<Utc>>,
    pub(super) roles: BTreeSet<Role>,
    /// An administrator has still to let them in.
    pub(super) pending: bool,
}

/// A picture that a browser shows as one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Logo {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Logo {
    /// Reads a picture from base 64. The kind is told by the first bytes, never by what the sender says of it; SVG is
    /// not taken, because it can hold scripts.
    ///
    /// # Errors
    /// `invalid`, `too_long`, on the field `logo`.
    pub(super) fn parse(text: &str) -> Result<Self, FieldProblem> {
        let problem =
            |code, message: &str| FieldProblem { path: "logo".to_owned(), code, message: message.to_owned() };
        if text.len() > MAX_LOGO_BYTES * 4 / 3 + 4 {
            return Err(problem("too_long", "has more than 64 KiB"));
        }
        let bytes = STANDARD.decode(text).map_err(|_| problem("invalid", "is not base 64"))?;
        if bytes.len() > MAX_LOGO_BYTES {
            return Err(problem("too_long", "has more than 64 KiB"));
        }
        let media_type = media_type_of(&bytes);
        let media_type = media_type.ok_or_else(|| problem("invalid", "is no PNG, JPEG or WebP picture"))?;
        Ok(Self { media_type, bytes })
    }
}

/// The known kind of a stored picture, by its first bytes.
pub(super) fn media_type_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// What an administrator wants to change; what is absent stays.
#[derive(Clone, Default)]
pub(super) struct OrganisationPatch {
    pub(super) name: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) time_zone: Option<String>,
    /// The inner none removes the logo.
    pub(super) logo: Option<Option<Logo>>,
}

/// Checks an address name: lower-case letters, digits and inner dashes.
///
/// # Errors
/// `too_long`, `invalid`, on the field `slug`.
pub(super) fn check_slug(text: &str) -> Result<String, FieldProblem> {
    let problem =
        |code, message: &str| FieldProblem { path: "slug".to_owned(), code, message: message.to_owned() };
    if text.len() > MAX_SLUG_CHARS {
        return Err(problem("too_long", "has more than 63 characters"));
    }
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if text.is_empty() || !plain || text.starts_with('-') || text.ends_with('-') {
        return Err(problem("invalid", "is made of lower-case letters, digits and dashes between them"));
    }
    Ok(text.to_owned())
}

/// An address name made from a name; none when nothing of the name is left.
pub(super) fn slug_from(name: &str) -> Option<String> {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG_CHARS - 8 {
            break;
        }
    }
    let slug = slug.trim_matches('-').to_owned();
    (!slug.is_empty()).then_some(slug)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn logo(bytes: &[u8]) -> Result<&'static str, &'static str> {
        Logo::parse(&STANDARD.encode(bytes)).map(|logo| logo.media_type).map_err(|problem| problem.code)
    }

    #[test]
    fn logo_is_known_by_its_bytes_and_scripts_are_no_pictures() {
        assert_eq!(logo(b"\x89PNG\r\n\x1a\nrest"), Ok("image/png"));
        assert_eq!(logo(b"\xff\xd8\xff\xe0rest"), Ok("image/jpeg"));
        assert_eq!(logo(b"RIFF\x01\x02\x03\x04WEBPrest"), Ok("image/webp"));
        for bad in [&b"<svg onload=alert(1)>"[..], b"<html>", b"", b"GIF89a", b"\x89PNG"] {
            assert_eq!(logo(bad), Err("invalid"), "{bad:?}");
        }
        let mut big = b"\x89PNG\r\n\x1a\n".to_vec();
        big.resize(MAX_LOGO_BYTES, 0);
        assert_eq!(logo(&big), Ok("image/png"));
        big.push(0);
        assert_eq!(logo(&big), Err("too_long"));
        assert_eq!(Logo::parse("not base 64!").err().unwrap().code, "invalid");
    }

    /// Spec: users-teams-rbac 3
    #[test]
    fn address_names_are_plain_words_with_dashes() {
        assert!(check_slug("north-wind-2").is_ok());
        assert!(check_slug(&"a".repeat(63)).is_ok());
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert!(check_slug(bad).is_err(), "{bad:?}");
        }
        assert_eq!(slug_from("  Analytical Engines, Ltd. "), Some("analytical-engines-ltd".into()));
        assert_eq!(slug_from("日本"), None);
    }

    proptest! {
        #[test]
        fn an_address_name_made_from_any_name_is_acceptable(name in "\\PC{0,120}") {
            if let Some(slug) = slug_from(&name) {
                prop_assert!(check_slug(&slug).is_ok(), "{slug}");
            }
        }
    }
}
