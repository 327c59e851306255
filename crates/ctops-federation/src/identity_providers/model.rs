//! Identity providers and what is checked when people write them.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem, Role};
use ctops_slice::licence::Feature;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::settings::{OidcSettings, SamlSettings};

/// Providers of one organisation at most.
pub(super) const MAX_PROVIDERS: i64 = 20;
/// Rules of one role map at most.
const MAX_RULES: usize = 200;
/// Domains of one restriction at most.
const MAX_DOMAINS: usize = 100;
/// Instead of a default role: people in none of the mapped groups wait for an administrator.
pub(super) const PENDING: &str = "pending";
/// Longest group name, characters.
const MAX_GROUP_CHARS: usize = 300;

/// Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// OpenID Connect.
    Oidc,
    /// SAML 2.0.
    Saml,
}

impl Kind {
    /// The name in the database and the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Oidc => "oidc",
            Kind::Saml => "saml",
        }
    }

    /// What must be licensed (licensing, feature keys).
    pub(crate) fn feature(self) -> Feature {
        match self {
            Kind::Oidc => Feature::SsoOidc,
            Kind::Saml => Feature::SsoSaml,
        }
    }
}

/// Members of a group get a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleRule {
    /// As the provider writes it; compared letter by letter.
    pub(crate) group: String,
    /// `org_admin`, `engineer` or `read_only`.
    pub(crate) role: String,
}

/// What the protocol needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "an organisation has a handful of providers, read one at a time"
)]
pub(crate) enum Protocol {
    /// OpenID Connect.
    Oidc(OidcSettings),
    /// SAML 2.0.
    Saml(Box<SamlSettings>),
}

impl Protocol {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Protocol::Oidc(_) => Kind::Oidc,
            Protocol::Saml(_) => Kind::Saml,
        }
    }
}

/// A provider.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) protocol: Protocol,
    /// Domains of trusted addresses that may come in, lower case; empty lets all in.
    pub(crate) allowed_domains: Vec<String>,
    /// Addresses count as verified although the provider does not say so.
    pub(crate) trust_email: bool,
    pub(crate) role_map: Vec<RoleRule>,
    /// For people in none of the groups; without it they wait for an administrator.
    pub(crate) default_role: Option<Role>,
    /// Sealed.
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) secret_set_at: Option<DateTime<Utc>>,
    pub(crate) secret_set_by: Option<Uuid>,
    pub(crate) version: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider {
    /// Roles of somebody in these groups.
    pub(crate) fn roles_of<'a>(&self, groups: impl Iterator<Item = &'a str>) -> BTreeSet<Role> {
        let groups: BTreeSet<&str> = groups.collect();
        let mapped: BTreeSet<Role> = self
            .role_map
            .iter()
            .filter(|rule| groups.contains(rule.group.as_str()))
            .filter_map(|rule| rule.role.parse().ok())
            .filter(|role| *role != Role::SuperAdmin)
            .collect();
        if mapped.is_empty() { self.default_role.into_iter().collect() } else { mapped }
    }

    /// Whether somebody with this address may come in. A restriction never takes an address on trust that the
    /// provider does not vouch for.
    pub(crate) fn admits(&self, email: Option<&str>, email_trusted: bool) -> bool {
        if self.allowed_domains.is_empty() {
            return true;
        }
        let domain = email.filter(|_| email_trusted).and_then(|email| email.rsplit_once('@'));
        domain.is_some_and(|(_, domain)| {
            self.allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
        })
    }
}

/// What is common to both protocols, as somebody wrote it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) allowed_domains: Vec<String>,
    pub(super) trust_email: bool,
    pub(super) role_map: Vec<RoleRule>,
    pub(super) default_role: String,
}

impl Wanted {
    /// Checks and cleans it.
    ///
    /// # Errors
    /// `validation_failed` with every field that is wrong.
    pub(super) fn check(mut self) -> Result<(Self, Option<Role>), Problem> {
        let mut fields = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            fields.push(FieldProblem { path: path.to_owned(), code, message });
        };
        self.name = self.name.trim().to_owned();
        let chars = self.name.chars().count();
        if !(1..=100).contains(&chars) || self.name.chars().any(is_hostile) {
            refuse("name", "invalid", "must have 1 to 100 printable characters".to_owned());
        }
        for domain in &mut self.allowed_domains {
            *domain = domain.trim().trim_start_matches('@').to_lowercase();
        }
        self.allowed_domains.sort();
        self.allowed_domains.dedup();
        if self.allowed_domains.len() > MAX_DOMAINS {
            refuse("allowed_domains", "too_many", format!("has more than {MAX_DOMAINS} entries"));
        } else if !self.allowed_domains.iter().all(|domain| is_domain(domain)) {
            refuse(
                "allowed_domains",
                "not_a_domain",
                "must hold domain names, such as example.com".to_owned(),
            );
        }
        if self.role_map.len() > MAX_RULES {
            refuse("role_map", "too_many", format!("has more than {MAX_RULES} rules"));
        }
        for (place, rule) in self.role_map.iter().enumerate() {
            let chars = rule.group.chars().count();
            if !(1..=MAX_GROUP_CHARS).contains(&chars) || rule.group.chars().any(is_hostile) {
                let message = format!("must have 1 to {MAX_GROUP_CHARS} printable characters");
                refuse(&format!("role_map.{place}.group"), "invalid", message);
            }
            if let Err(message) = grantable(&rule.role) {
                refuse(&format!("role_map.{place}.role"), "invalid", message);
            }
        }
        let role =
            if self.default_role == PENDING { Ok(None) } else { grantable(&self.default_role).map(Some) };
        if let Err(message) = &role {
            refuse("default_role", "invalid", format!("{message}, or {PENDING}"));
        }
        let role = role.unwrap_or_default();
        if fields.is_empty() { Ok((self, role)) } else { Err(Problem::invalid(fields)) }
    }
}

/// A role that groups may give (users-teams-rbac 7).
fn grantable(text: &str) -> Result<Role, String> {
    match text.parse::<Role>() {
        Ok(Role::SuperAdmin) | Err(_) => Err("must be org_admin, engineer or read_only".to_owned()),
        Ok(role) => Ok(role),
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: " Corporate ".to_owned(),
            enabled: true,
            allowed_domains: vec!["@Example.com".to_owned(), "example.com".to_owned()],
            trust_email: false,
            role_map: vec![RoleRule { group: "ops".to_owned(), role: "engineer".to_owned() }],
            default_role: PENDING.to_owned(),
        }
    }

    fn provider() -> Provider {
        Provider {
            id: Uuid::nil(),
            org_id: Uuid::nil(),
            name: "Corporate".to_owned(),
            enabled: true,
            protocol: Protocol::Oidc(OidcSettings::default()),
            allowed_domains: vec!["example.com".to_owned()],
            trust_email: false,
            role_map: vec![
                RoleRule { group: "ops".to_owned(), role: "engineer".to_owned() },
                RoleRule { group: "admins".to_owned(), role: "org_admin".to_owned() },
                RoleRule { group: "gods".to_owned(), role: "super_admin".to_owned() },
            ],
            default_role: None,
            secret: Some(b"marker-4711".to_vec()),
            secret_set_at: None,
            secret_set_by: None,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_people_write_is_cleaned_and_judged() {
        let (clean, role) = wanted().check().unwrap();
        assert_eq!((clean.name.as_str(), role), ("Corporate", None));
        assert_eq!(clean.allowed_domains, ["example.com"]);
        let mut bad = wanted();
        bad.name = "a\u{202e}b".to_owned();
        bad.allowed_domains = vec!["not a domain".to_owned()];
        bad.role_map[0].role = "super_admin".to_owned();
        bad.default_role = "galactic_admin".to_owned();
        let problem = bad.check().unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["name", "allowed_domains", "role_map.0.role", "default_role"]);
    }

    /// Spec: auth 35
    #[test]
    fn groups_give_roles_but_never_super_admin() {
        let mut provider = provider();
        let roles = |provider: &Provider, groups: &[&str]| provider.roles_of(groups.iter().copied());
        assert_eq!(roles(&provider, &["ops", "admins"]), [Role::Engineer, Role::OrgAdmin].into());
        assert_eq!(
            roles(&provider, &["gods", "OPS"]),
            BTreeSet::new(),
            "letter by letter, and nobody becomes super_admin"
        );
        provider.default_role = Some(Role::ReadOnly);
        assert_eq!(roles(&provider, &[]), [Role::ReadOnly].into());
        assert_eq!(roles(&provider, &["ops"]), [Role::Engineer].into());
    }

    /// Spec: auth 35
    #[test]
    fn restriction_to_domains_takes_trusted_addresses_only() {
        let mut provider = provider();
        assert!(provider.admits(Some("ada@Example.com"), true));
        for (email, trusted) in [
            (Some("ada@example.com"), false),
            (Some("ada@sub.example.com"), true),
            (Some("ada@example.com.evil.test"), true),
            (Some("ada@example.com@evil.test"), true),
            (None, true),
        ] {
            assert!(!provider.admits(email, trusted), "{email:?}");
        }
        provider.allowed_domains.clear();
        assert!(provider.admits(None, false));
        assert!(!format!("{provider:?}").contains("4711"));
    }
}
