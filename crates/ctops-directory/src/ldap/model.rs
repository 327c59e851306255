//! Limits of signing in with a directory, and what is read of a person.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem, Role};
use ctops_identity::passwords::{self, Secret};
use ctops_slice::Actor;
use ctops_slice::throttle::{LockOut, Rate};
use uuid::Uuid;

use crate::dn::Dn;
use crate::entry::{Entry, guid};
use crate::filter::{Hole, escape, fill};
use crate::groups::Groups;
use crate::ldap_configurations::{Preset, Settings, grantable};

/// Sign-ins with directories per client address (auth 22).
pub(super) const LOGINS: Rate = Rate { scope: "ldap_login", limit: 5, window: Duration::from_secs(60) };

/// Wrong passwords for one name in one directory, existing or not (auth 22). It also keeps us from locking people out of
/// their directory.
pub(super) const ACCOUNT_LOCK: LockOut = LockOut {
    scope: "ldap_account_lock",
    failures: 5,
    window: Duration::from_secs(15 * 60),
    first: Duration::from_secs(5 * 60),
    longest: Duration::from_secs(60 * 60),
};

/// Longest name that can be typed, characters.
const MAX_USERNAME_CHARS: usize = 128;
/// Beginning of a subject that is a name in the directory, for directories that give entries no identifier.
const DN_SUBJECT: &str = "dn:";

/// A sign-in as it was asked for.
pub(super) struct Attempt {
    pub(super) directory_id: Uuid,
    /// Name as it was typed, without spaces around it.
    pub(super) username: String,
    pub(super) password: Secret,
    pub(super) ip: IpAddr,
    pub(super) user_agent: String,
    /// Who this browser spoke for until now.
    pub(super) before: Option<Actor>,
}

impl Attempt {
    /// What failures are counted under: every spelling of a name that may mean the same person counts together.
    pub(super) fn lock_key(&self) -> String {
        let folded = self.username.to_lowercase();
        let name = folded.split('@').next().unwrap_or_default();
        format!("{}:{name}", self.directory_id)
    }
}

/// Checks what can be checked without asking anybody.
///
/// # Errors
/// `validation_failed`.
pub(super) fn check_input(username: &str, password: &Secret) -> Result<String, Problem> {
    let username = username.trim();
    let mut fields = Vec::new();
    let refused =
        |code, message: &str| FieldProblem { path: "username".into(), code, message: message.into() };
    if username.is_empty() {
        fields.push(refused("required", "is missing"));
    } else if username.chars().count() > MAX_USERNAME_CHARS {
        fields.push(refused("too_long", "has at most 128 characters"));
    } else if username.chars().any(is_hostile) {
        fields.push(refused("invalid", "contains control characters"));
    }
    fields.extend(passwords::check_length("password", password).err());
    if fields.is_empty() { Ok(username.to_owned()) } else { Err(Problem::invalid(fields)) }
}

/// The filter that finds whom a typed name means (auth 30): the template; for `user@domain` also the principal name and
/// the part before the sign.
pub(super) fn person_filter(settings: &Settings, username: &str) -> String {
    let filled = |name: &str| fill(&settings.user_filter, &[(Hole::Username, &escape(name))]);
    match username.split_once('@') {
        Some((before, _)) if !before.is_empty() => {
            let principal = format!("(userPrincipalName={})", escape(username));
            format!("(|{}{principal}{})", filled(username), filled(before))
        }
        _ => filled(username),
    }
}

/// Attributes that sign-in reads.
pub(super) fn attributes(settings: &Settings) -> Vec<&str> {
    let mut names = vec!["objectGUID", "entryUUID", "memberOf", "primaryGroupID", "objectSid"];
    names.extend([
        settings.username_attribute.as_str(),
        settings.email_attribute.as_str(),
        settings.display_attribute.as_str(),
    ]);
    names
}

/// What a directory calls somebody for ever (auth 31): the identifier of the entry, its name only without one.
pub(super) fn subject_of(settings: &Settings, entry: &Entry) -> Option<String> {
    let identifier = match settings.preset {
        Preset::ActiveDirectory => entry.first("objectGUID").and_then(guid),
        Preset::Openldap => entry.text("entryUUID").map(str::to_ascii_lowercase),
    };
    identifier.or_else(|| Some(format!("{DN_SUBJECT}{}", Dn::parse(&entry.dn).ok()?.normalised())))
}

/// How to find a linked person again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// By this filter.
    Filter(String),
    /// Under this name.
    Dn(String),
}

/// How to find the person with this subject.
pub(super) fn known_as(settings: &Settings, subject: &str) -> Option<Known> {
    if let Some(dn) = subject.strip_prefix(DN_SUBJECT) {
        return Some(Known::Dn(dn.to_owned()));
    }
    let id: Uuid = subject.parse().ok()?;
    Some(Known::Filter(match settings.preset {
        Preset::ActiveDirectory => format!("(objectGUID={})", escape(id.to_bytes_le())),
        Preset::Openldap => format!("(entryUUID={id})"),
    }))
}

/// The roles of somebody in these groups: all that the map names, else the one for everybody else. None means that an
/// administrator decides.
pub(super) fn roles_of(settings: &Settings, groups: &Groups) -> BTreeSet<Role> {
    let rules = settings.group_roles.iter().filter(|rule| groups.contain(&rule.group));
    let mapped: BTreeSet<Role> = rules.filter_map(|rule| grantable(&rule.role)).collect();
    if mapped.is_empty() { settings.role_of_others().into_iter().collect() } else { mapped }
}

/// Whether somebody in these groups may sign in at all.
pub(super) fn is_allowed(settings: &Settings, groups: &Groups) -> bool {
    settings.allowed_groups.is_empty() || settings.allowed_groups.iter().any(|group| groups.contain(group))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn settings(preset: Preset) -> Settings {
        Settings::of_preset(preset)
    }

    fn entry(attributes: &[(&str, &[u8])]) -> Entry {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.to_vec()])).collect();
        Entry { dn: "UID=Ada,DC=example".into(), attributes }
    }

    /// Spec: auth 30
    #[test]
    fn a_name_with_a_domain_is_tried_in_three_ways() {
        let ad = settings(Preset::ActiveDirectory);
        assert_eq!(person_filter(&ad, "ada"), "(sAMAccountName=ada)");
        assert_eq!(
            person_filter(&ad, "ada@corp.example"),
            "(|(sAMAccountName=ada@corp.example)(userPrincipalName=ada@corp.example)(sAMAccountName=ada))"
        );
        assert_eq!(person_filter(&ad, "@corp"), "(sAMAccountName=@corp)");
        let hostile = person_filter(&ad, "*)(objectClass=*@x");
        assert!(!hostile.contains('*'), "{hostile}");
    }

    /// Spec: auth 31
    #[test]
    fn people_are_known_by_the_identifier_of_their_entry_and_by_its_name_only_without() {
        let bytes = hex::decode("33221100554477668899aabbccddeeff").unwrap();
        let ad = settings(Preset::ActiveDirectory);
        let subject = subject_of(&ad, &entry(&[("objectGUID", &bytes)])).unwrap();
        assert_eq!(subject, "00112233-4455-6677-8899-aabbccddeeff");
        let again = known_as(&ad, &subject).unwrap();
        assert!(
            matches!(&again, Known::Filter(filter) if filter.starts_with("(objectGUID=3\\22\\11\\00UDwf")
            || filter.starts_with("(objectGUID=3\"\\11\\00UDwf")),
            "{again:?}"
        );
        let open = settings(Preset::Openldap);
        let uuid = entry(&[("entryUUID", b"0A112233-4455-6677-8899-aabbccddeeff"), ("objectGUID", &bytes)]);
        assert_eq!(subject_of(&open, &uuid).as_deref(), Some("0a112233-4455-6677-8899-aabbccddeeff"));
        let subject = subject_of(&open, &entry(&[])).unwrap();
        assert_eq!(subject, "dn:uid=ada,dc=example");
        assert_eq!(known_as(&open, &subject), Some(Known::Dn("uid=ada,dc=example".into())));
        assert_eq!(known_as(&open, "nonsense"), None);
    }

    #[test]
    fn every_spelling_of_a_name_is_counted_together() {
        let key = |username: &str| {
            let attempt = Attempt {
                directory_id: Uuid::nil(),
                username: username.into(),
                password: Secret::new("x"),
                ip: [192, 0, 2, 1].into(),
                user_agent: String::new(),
                before: None,
            };
            attempt.lock_key()
        };
        assert_eq!(key("ADA"), key("ada@corp.example"));
        assert_ne!(key("ada"), key("grace"));
    }

    #[test]
    fn input_is_bounded_before_anybody_is_asked() {
        let field = |name: &str, password: &str| {
            let problem = check_input(name, &Secret::new(password)).err()?;
            problem.fields().first().map(|field| field.path.clone())
        };
        assert_eq!(check_input(" ada ", &Secret::new("x")).unwrap(), "ada");
        assert_eq!(field("", "x").as_deref(), Some("username"));
        assert_eq!(field(&"a".repeat(129), "x").as_deref(), Some("username"));
        assert_eq!(field("a\0", "x").as_deref(), Some("username"));
        assert_eq!(field("ada", &"x".repeat(129)).as_deref(), Some("password"));
    }
}
