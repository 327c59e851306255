//! The page `authentication`: who may join, how long sessions and keys live, what sign-in demands.

use std::time::Duration;

use ctops_base::FieldProblem;
use serde::{Deserialize, Serialize};

use super::{KeyKind, Section, SettingKey, SettingsPage, environment};
use crate::state::Installation;

/// How local accounts come to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// By invitation only.
    #[default]
    InviteOnly,
    /// Anyone may ask; an administrator approves.
    Approval,
    /// Nobody new, not even by invitation.
    Closed,
}

/// What counts for signing in to one organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthenticationSettings {
    /// How local accounts come to be.
    pub registration_mode: RegistrationMode,
    /// Domains of e-mail addresses that may register, lower case; empty allows all.
    pub allowed_domains: Vec<String>,
    /// Local accounts must verify their address before they sign in; the environment alone decides.
    pub require_email_verification: bool,
    /// Everybody needs a second factor.
    pub require_two_factor: bool,
    /// A session ends this many days after sign-in.
    pub session_max_days: u32,
    /// A session ends after this many hours without use.
    pub session_idle_hours: u32,
    /// Shortest password, characters.
    pub password_min_length: u32,
    /// Longest life of an API key, days.
    pub api_keys_max_days: u32,
    /// Directories may be used for sign-in without TLS.
    pub ldap_allow_plain: bool,
    /// Members sign in through an identity provider only; one super_admin keeps a password.
    pub sso_only: bool,
    /// A second factor that an identity provider asserts counts as ours.
    pub idp_second_factor_counts: bool,
}

impl Default for AuthenticationSettings {
    fn default() -> Self {
        Self {
            registration_mode: RegistrationMode::InviteOnly,
            allowed_domains: Vec::new(),
            require_email_verification: true,
            require_two_factor: false,
            session_max_days: 7,
            session_idle_hours: 24,
            password_min_length: 12,
            api_keys_max_days: 90,
            ldap_allow_plain: false,
            sso_only: false,
            idp_second_factor_counts: false,
        }
    }
}

impl AuthenticationSettings {
    /// How long a session lives: the variable of the environment to the second when it is set, else the page.
    pub fn session_lifetime(&self, installation: &Installation) -> Duration {
        match environment::in_force().of(Self::NAME, "session_max_days") {
            Some(_) => installation.session_lifetime,
            None => Duration::from_secs(u64::from(self.session_max_days) * 24 * 3600),
        }
    }

    /// How long a session lives without use, like [`Self::session_lifetime`].
    pub fn session_idle(&self, installation: &Installation) -> Duration {
        match environment::in_force().of(Self::NAME, "session_idle_hours") {
            Some(_) => installation.session_idle,
            None => Duration::from_secs(u64::from(self.session_idle_hours) * 3600),
        }
    }
}

const KEYS: &[SettingKey] = &[
    SettingKey::new(
        "registration_mode",
        "Registration",
        KeyKind::Choice(&["invite_only", "approval", "closed"]),
        "invite_only: people join by invitation. approval: anyone may register and waits for an administrator. closed: \
         nobody new.",
    ),
    SettingKey::new(
        "allowed_domains",
        "Allowed domains",
        KeyKind::List { items: 100, chars: 253 },
        "E-mail domains that may register, one per line. Empty allows every domain.",
    ),
    SettingKey::new(
        "require_email_verification",
        "Verified e-mail addresses",
        KeyKind::Flag,
        "Local accounts must verify their e-mail address before they can sign in.",
    )
    .env_only("REQUIRE_EMAIL_VERIFICATION"),
    SettingKey::new(
        "require_two_factor",
        "Second factor for everybody",
        KeyKind::Flag,
        "People without a second factor can do nothing but set one up.",
    ),
    SettingKey::new(
        "session_max_days",
        "Longest session, days",
        KeyKind::Integer { least: 1, most: 30 },
        "A session ends this many days after sign-in, used or not.",
    )
    .or_env("CT_OPS_SESSION_LIFETIME"),
    SettingKey::new(
        "session_idle_hours",
        "Idle session, hours",
        KeyKind::Integer { least: 1, most: 168 },
        "A session ends when it was not used for this many hours.",
    )
    .or_env("CT_OPS_SESSION_IDLE"),
    SettingKey::new(
        "password_min_length",
        "Shortest password",
        KeyKind::Integer { least: 12, most: 64 },
        "Characters a new password must have. Passwords in use stay valid.",
    ),
    SettingKey::new(
        "api_keys_max_days",
        "Longest life of an API key, days",
        KeyKind::Integer { least: 1, most: 365 },
        "New API keys end at the latest after this many days.",
    ),
    SettingKey::new(
        "ldap_allow_plain",
        "Sign-in over unencrypted LDAP",
        KeyKind::Flag,
        "Passwords then cross the network readable. Leave it off wherever the directory can do StartTLS or LDAPS.",
    ),
    SettingKey::new(
        "sso_only",
        "Sign-in through identity providers only",
        KeyKind::Flag,
        "Passwords and directories no longer sign anybody in, except one super_admin for emergencies.",
    ),
    SettingKey::new(
        "idp_second_factor_counts",
        "Second factor of the identity provider counts",
        KeyKind::Flag,
        "People whose identity provider reports a second factor are not asked for another one.",
    ),
];

impl SettingsPage for AuthenticationSettings {
    const NAME: &'static str = "authentication";
    const TITLE: &'static str = "Authentication";
    const SECTION: Section = Section::Authentication;

    fn keys() -> &'static [SettingKey] {
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        if self.allowed_domains.iter().all(|domain| is_domain(domain)) {
            return Ok(());
        }
        let message = "must hold domain names in lower case, such as example.com".to_owned();
        Err(vec![FieldProblem { path: "allowed_domains".to_owned(), code: "not_a_domain", message }])
    }
}

/// Letters, digits and hyphens in labels of 1 to 63, at least two labels (RFC 1035 section 2.3.1, RFC 1123).
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}
