//! What an account and an organisation consist of.

use std::collections::BTreeSet;

use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Role};
use uuid::Uuid;

/// Longest e-mail address, characters (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const MAX_EMAIL_CHARS: usize = 254;
/// Longest part before the `@`, characters (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL_CHARS: usize = 64;
/// Length of the names of people and organisations, characters (auth 1).
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=100;

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
}

/// A member of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub user_id: Uuid,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Whether the address was verified.
    pub email_verified: bool,
    /// The organisation.
    pub organisation: Organisation,
    /// Roles in it.
    pub roles: BTreeSet<Role>,
}

/// An e-mail address: trimmed, lower case, plausible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks an address as it was typed. Host names without a dot are accepted: many internal networks use them.
    ///
    /// # Errors
    /// `too_long` or `invalid`, on the field `path`.
    pub fn parse(path: &str, text: &str) -> Result<Self, FieldProblem> {
        let refused = |code, message: String| Err(FieldProblem { path: path.to_owned(), code, message });
        let folded = Self::fold(text);
        let chars = folded.chars().count();
        if chars > MAX_EMAIL_CHARS {
            return refused("too_long", format!("has {chars} characters, at most {MAX_EMAIL_CHARS}"));
        }
        let plausible = folded.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && local.chars().count() <= MAX_LOCAL_CHARS && is_domain(domain)
        });
        if !plausible || folded.chars().any(|c| c.is_whitespace() || is_hostile(c)) {
            return refused("invalid", "is not an e-mail address".to_owned());
        }
        Ok(Self(folded))
    }

    /// The form in which addresses are stored, compared and counted.
    pub fn fold(text: &str) -> String {
        text.trim().to_lowercase()
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_domain(domain: &str) -> bool {
    let forbidden = |c: char| matches!(c, '@' | '<' | '>' | ',' | ';' | '"' | '(' | ')' | '/' | '\\');
    !domain.is_empty() && !domain.split('.').any(str::is_empty) && !domain.contains(forbidden)
}

/// Checks the name of a person or organisation and returns it trimmed.
///
/// # Errors
/// `too_short`, `too_long` or `invalid`, on the field `path`.
pub fn check_name(path: &str, text: &str) -> Result<String, FieldProblem> {
    let refused = |code, message: String| Err(FieldProblem { path: path.to_owned(), code, message });
    let name = text.trim();
    let chars = name.chars().count();
    if chars < *NAME_CHARS.start() {
        return refused("too_short", format!("has {chars} characters, at least {}", NAME_CHARS.start()));
    }
    if chars > *NAME_CHARS.end() {
        return refused("too_long", format!("has {chars} characters, at most {}", NAME_CHARS.end()));
    }
    if name.chars().any(is_hostile) {
        return refused("invalid", "contains control characters".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_folded_and_implausible_ones_refused() {
        assert_eq!(Email::parse("email", "  Ada@Ops.Example.COM ").unwrap().as_str(), "ada@ops.example.com");
        assert!(Email::parse("email", "root@localhost").is_ok());
        for bad in [
            "",
            "ada",
            "@x.y",
            "ada@",
            "a@b@c",
            "a b@c.d",
            "a@b..c",
            "a@.b",
            "a\0@b.c",
            "a@b\u{202e}c",
            "a@<b>",
        ] {
            assert_eq!(Email::parse("email", bad).unwrap_err().code, "invalid", "{bad:?}");
        }
        assert!(Email::parse("email", &format!("{}@b.c", "a".repeat(64))).is_ok());
        assert!(Email::parse("email", &format!("{}@b.c", "a".repeat(65))).is_err());
        assert_eq!(Email::parse("email", &format!("a@{}", "b".repeat(253))).unwrap_err().code, "too_long");
    }

    /// Spec: auth 1
    #[test]
    fn names_have_two_to_a_hundred_characters() {
        assert_eq!(check_name("name", " Al ").unwrap(), "Al");
        assert_eq!(check_name("name", "A").unwrap_err().code, "too_short");
        assert_eq!(check_name("name", "   ").unwrap_err().code, "too_short");
        assert!(check_name("name", &"é".repeat(100)).is_ok());
        assert_eq!(check_name("name", &"é".repeat(101)).unwrap_err().code, "too_long");
        assert_eq!(check_name("name", "ev\u{1b}il").unwrap_err().code, "invalid");
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_its_own_folded_form(text in "[ -~àéİK]{0,30}@[ -~É.]{0,20}") {
            if let Ok(email) = Email::parse("email", &text) {
                prop_assert!(email.as_str().chars().count() <= MAX_EMAIL_CHARS);
                prop_assert!(!email.as_str().chars().any(char::is_whitespace));
            }
        }
    }
}
