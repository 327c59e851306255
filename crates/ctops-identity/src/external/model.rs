//! What a provider says of somebody, and what that makes of them here.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_base::text::clean;
use ctops_slice::licence::{Entitlement, Feature};
use uuid::Uuid;

use crate::accounts::Email;

/// How long a link can be confirmed.
pub(super) const CONFIRMATION_LIFE: TimeDelta = TimeDelta::minutes(15);
/// Longest subject that is kept, bytes: the index over it takes no more.
const MAX_SUBJECT_BYTES: usize = 2000;
/// Longest name that is kept, characters.
const MAX_NAME_CHARS: usize = 100;
/// Domain of addresses that stand for a missing one (RFC 2606: nobody can own it).
const PLACEHOLDER_DOMAIN: &str = "placeholder.invalid";

/// Kind of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// An LDAP directory.
    Ldap,
    /// An OpenID Connect provider.
    Oidc,
    /// A SAML identity provider.
    Saml,
}

impl ProviderKind {
    /// Every kind.
    const ALL: [Self; 3] = [Self::Ldap, Self::Oidc, Self::Saml];

    /// The kind with this name in the database.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the licence lets people sign in this way; directories are free (auth 29).
    pub(crate) fn is_open(self, entitlement: &Entitlement) -> bool {
        match self {
            Self::Ldap => true,
            Self::Oidc => entitlement.has(Feature::SsoOidc),
            Self::Saml => entitlement.has(Feature::SsoSaml),
        }
    }

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ProviderKind::Ldap => "ldap",
            ProviderKind::Oidc => "oidc",
            ProviderKind::Saml => "saml",
        }
    }
}

/// Somebody a provider has authenticated.
#[derive(Clone, Debug)]
pub struct ExternalIdentity<'a> {
    /// Kind of provider.
    pub provider: ProviderKind,
    /// The provider's row.
    pub provider_id: Uuid,
    /// The organisation the provider belongs to.
    pub org_id: Uuid,
    /// What the provider calls them for ever: objectGUID or entryUUID, `sub`, NameID.
    pub subject: &'a str,
    /// Their address, as the provider wrote it.
    pub email: Option<&'a str>,
    /// The provider vouches for the address.
    pub email_trusted: bool,
    /// Full name.
    pub name: &'a str,
    /// Roles of the provider's group map; empty means that an administrator must decide.
    pub roles: BTreeSet<Role>,
}

impl ExternalIdentity<'_> {
    /// Whether the subject can tell people apart.
    pub(super) fn has_usable_subject(&self) -> bool {
        !self.subject.trim().is_empty()
            && self.subject.len() <= MAX_SUBJECT_BYTES
            && !self.subject.contains('\0')
    }

    /// The address, when it is one.
    pub(super) fn address(&self) -> Option<Email> {
        self.email.and_then(|text| Email::parse("email", text).ok())
    }

    /// The name that is kept: cleaned, else made from the address.
    pub(super) fn display_name(&self) -> String {
        let address = self.address();
        let local = address.as_ref().and_then(|email| email.as_str().split('@').next());
        let candidates = [Some(self.name), local];
        let cleaned = candidates.into_iter().flatten().map(|text| clean(text, MAX_NAME_CHARS));
        cleaned.into_iter().find(|name| name.chars().count() >= 2).unwrap_or_else(|| "New member".to_owned())
    }

    /// The roles a group map may grant: never super_admin.
    pub(super) fn grantable_roles(&self) -> BTreeSet<Role> {
        self.roles.iter().copied().filter(|role| *role != Role::SuperAdmin).collect()
    }
}

/// Who that is here.
#[derive(Clone, PartialEq, Eq)]
pub enum Resolved {
    /// This account, which may be pending.
    Account {
        /// The user.
        user_id: Uuid,
        /// The organisation to sign in to.
        org_id: Uuid,
    },
    /// An account has the address already. Its owner signs in their own way and confirms with the token.
    ConfirmFirst {
        /// Secret for the browser of the person who signs in; usable once.
        token: String,
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Nobody who may sign in.
    Refused {
        /// For the audit trail and the administrator, not for the person.
        reason: &'static str,
    },
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolved::Account { user_id, org_id } => {
                f.debug_struct("Account").field("user_id", user_id).field("org_id", org_id).finish()
            }
            Resolved::ConfirmFirst { expires_at, .. } => {
                f.debug_struct("ConfirmFirst").field("expires_at", expires_at).finish_non_exhaustive()
            }
            Resolved::Refused { reason } => f.debug_struct("Refused").field("reason", reason).finish(),
        }
    }
}

/// The address of an account whose provider gave none.
pub(super) fn placeholder_address(user_id: Uuid) -> String {
    format!("{}@{PLACEHOLDER_DOMAIN}", user_id.simple())
}

/// Whether an address stands for a missing one, so that its owner must enter and verify theirs (auth 32).
pub fn is_placeholder_address(email: &str) -> bool {
    email.strip_suffix(PLACEHOLDER_DOMAIN).is_some_and(|rest| rest.ends_with('@'))
}

/// An account as an identity meets it: by link or by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) user_id: Uuid,
    /// The account itself may sign in.
    pub(super) usable: bool,
}

/// An identity linked to somebody's account.
#[derive(Clone, Debug)]
pub(super) struct LinkedIdentity {
    pub(super) id: Uuid,
    pub(super) provider: String,
    pub(super) provider_id: Uuid,
    pub(super) name: String,
    pub(super) linked_at: DateTime<Utc>,
    pub(super) last_used_at: DateTime<Utc>,
}

/// A confirmation that waits.
#[derive(Clone, Debug)]
pub(super) struct Confirmation {
    pub(super) id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) provider: String,
    pub(super) provider_id: Uuid,
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) roles: BTreeSet<Role>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn identity<'a>(subject: &'a str, email: Option<&'a str>, name: &'a str) -> ExternalIdentity<'a> {
        ExternalIdentity {
            provider: ProviderKind::Ldap,
            provider_id: Uuid::nil(),
            org_id: Uuid::nil(),
            subject,
            email,
            email_trusted: true,
            name,
            roles: Role::ALL.into(),
        }
    }

    #[test]
    fn subjects_that_tell_nobody_apart_are_not_usable() {
        assert!(identity("a1", None, "").has_usable_subject());
        assert!(identity(&"x".repeat(2000), None, "").has_usable_subject());
        for bad in ["", "  ", "a\0b", &"x".repeat(2001)] {
            assert!(!identity(bad, None, "").has_usable_subject(), "{}", bad.len());
        }
    }

    #[test]
    fn name_is_cleaned_and_falls_back_to_the_address() {
        assert_eq!(identity("s", None, " Ada\u{1b}[0m ").display_name(), "Ada[0m");
        assert_eq!(identity("s", Some("grace@example.com"), "").display_name(), "grace");
        assert_eq!(identity("s", Some("nonsense"), "x").display_name(), "New member");
    }

    /// Spec: users-teams-rbac 7
    #[test]
    fn a_group_map_never_grants_super_admin() {
        let granted = identity("s", None, "Ada").grantable_roles();
        assert_eq!(granted, BTreeSet::from([Role::ReadOnly, Role::Engineer, Role::OrgAdmin]));
    }

    /// Spec: auth 29, 35
    #[test]
    fn each_kind_is_open_with_its_own_feature_and_directories_always() {
        let open = |features: &[Feature]| {
            let entitlement =
                Entitlement { features: features.iter().copied().collect(), ..Entitlement::community() };
            let names = ["ldap", "oidc", "saml"].map(|name| ProviderKind::from_name(name).unwrap());
            names.map(|kind| kind.is_open(&entitlement))
        };
        assert_eq!(open(&[]), [true, false, false]);
        assert_eq!(open(&[Feature::SsoOidc]), [true, true, false]);
        assert_eq!(open(&[Feature::SsoSaml]), [true, false, true]);
        assert!(ProviderKind::from_name("kerberos").is_none());
    }

    #[test]
    fn placeholders_are_told_from_addresses() {
        assert!(is_placeholder_address(&placeholder_address(Uuid::nil())));
        for real in ["ada@example.com", "placeholder.invalid", "ada@myplaceholder.invalid"] {
            assert!(!is_placeholder_address(real), "{real}");
        }
    }

    #[test]
    fn debug_of_a_confirmation_does_not_show_the_token() {
        let shown = Resolved::ConfirmFirst { token: "marker-4711".into(), expires_at: DateTime::UNIX_EPOCH };
        assert!(!format!("{shown:?}").contains("4711"));
    }
}
