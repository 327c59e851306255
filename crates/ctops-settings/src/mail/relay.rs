//! Mail relays: the settings page of organisations and what the environment names.

use std::fmt;

use ctops_base::{FieldProblem, Problem};
use ctops_slice::settings::{KeyKind, Section, SettingKey, SettingsPage, read, read_secret};
use lettre::Address;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Deps;

/// Name of the secret on the page.
pub(super) const PASSWORD: &str = "password";

/// How the way to a relay is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Not at all.
    None,
    /// Begun in the clear, then TLS (RFC 3207); without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

/// The page `smtp-relay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmtpRelay {
    /// Whether mail goes through it.
    pub enabled: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the way is secured.
    pub encryption: Encryption,
    /// Account; empty sends without signing in.
    pub username: String,
    /// Sender.
    pub from_address: String,
    /// Sender's name.
    pub from_name: String,
    /// Authorities to trust instead of those of the system, PEM.
    pub ca_pem: String,
}

impl Default for SmtpRelay {
    fn default() -> Self {
        Self {
            enabled: false,
            host: String::new(),
            port: 587,
            encryption: Encryption::Starttls,
            username: String::new(),
            from_address: String::new(),
            from_name: "CT-Ops".to_owned(),
            ca_pem: String::new(),
        }
    }
}

const KEYS: &[SettingKey] = &[
    SettingKey::new(
        "enabled",
        "Send mail through this relay",
        KeyKind::Flag,
        "Off: mail goes through the relay of the server's environment, else it waits in the list of pending mail.",
    ),
    SettingKey::new(
        "host",
        "Host",
        KeyKind::Text { least: 0, most: 253 },
        "Name or address of the relay. One inside a private network needs an entry among the internal targets.",
    ),
    SettingKey::new(
        "port",
        "Port",
        KeyKind::Integer { least: 1, most: 65_535 },
        "587 for STARTTLS, 465 for TLS, 25 between servers, 2525 at some providers.",
    ),
    SettingKey::new(
        "encryption",
        "Encryption",
        KeyKind::Choice(&["none", "starttls", "tls"]),
        "starttls and tls never fall back to an unencrypted connection. none sends everything readable.",
    ),
    SettingKey::new(
        "username",
        "User name",
        KeyKind::Text { least: 0, most: 254 },
        "Empty sends without signing in to the relay.",
    ),
    SettingKey::new(
        PASSWORD,
        "Password",
        KeyKind::Secret { most: 1024 },
        "Kept encrypted and never shown. Leave it empty to keep the one that is set.",
    ),
    SettingKey::new(
        "from_address",
        "Sender address",
        KeyKind::Text { least: 0, most: 254 },
        "Address that mail comes from. The relay has to accept it.",
    ),
    SettingKey::new(
        "from_name",
        "Sender name",
        KeyKind::Text { least: 0, most: 100 },
        "Shown beside the address.",
    ),
    SettingKey::new(
        "ca_pem",
        "Trusted authorities",
        KeyKind::LongText { most: 65_536 },
        "Certificates (PEM) of the authority that issued the relay's certificate. Empty trusts those of the system.",
    ),
];

impl SettingsPage for SmtpRelay {
    const NAME: &'static str = "smtp-relay";
    const TITLE: &'static str = "Mail relay";
    const SECTION: Section = Section::Integrations;

    fn keys() -> &'static [SettingKey] {
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, code, message: &str| {
            wrong.push(FieldProblem { path: path.to_owned(), code, message: message.to_owned() });
        };
        if self.enabled && self.host.is_empty() {
            refuse("host", "required", "must name the relay");
        }
        if !self.host.is_empty() && !is_host(&self.host) {
            refuse("host", "not_a_host", "must be a host name or an address, without scheme and port");
        }
        if self.enabled && self.from_address.is_empty() {
            refuse("from_address", "required", "must name the sender");
        }
        if !self.from_address.is_empty() && self.from_address.parse::<Address>().is_err() {
            refuse("from_address", "not_an_address", "must be an e-mail address");
        }
        if !self.ca_pem.is_empty() && !self.ca_pem.contains("-----BEGIN CERTIFICATE-----") {
            refuse("ca_pem", "not_pem", "must hold certificates in PEM");
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn is_host(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
        || text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
}

/// The relay that `AUTH_EMAIL_SMTP_*` of the environment names (settings 11).
#[derive(Clone)]
pub struct EnvironmentRelay {
    /// Where and as whom.
    pub page: SmtpRelay,
    /// Password, if any.
    pub password: Option<Zeroizing<String>>,
}

impl fmt::Debug for EnvironmentRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvironmentRelay").field("page", &self.page).finish_non_exhaustive()
    }
}

/// A relay to use now.
#[derive(Clone)]
pub(super) struct Relay {
    /// Whose egress policy counts; none for the environment's.
    pub(super) org_id: Option<Uuid>,
    /// Where and as whom.
    pub(super) page: SmtpRelay,
    /// Password, if any.
    pub(super) password: Option<Zeroizing<String>>,
}

/// The relay for mail of this organisation: its own, else that of the environment, else none (settings 11).
pub(super) async fn relay_of(deps: &Deps, org_id: Option<Uuid>) -> Result<Option<Relay>, Problem> {
    if let Some(org_id) = org_id {
        let page: SmtpRelay = read(&deps.pool, org_id).await?;
        if page.enabled {
            let password = stored_password(deps, org_id).await?;
            return Ok(Some(Relay { org_id: Some(org_id), page, password }));
        }
    }
    let environment = deps.relay.clone();
    Ok(environment.map(|relay| Relay { org_id: None, page: relay.page, password: relay.password }))
}

/// The password an organisation stored for its relay.
pub(super) async fn stored_password(deps: &Deps, org_id: Uuid) -> Result<Option<Zeroizing<String>>, Problem> {
    let secret = read_secret::<SmtpRelay>(&deps.pool, &deps.seal, org_id, PASSWORD).await?;
    let text = secret.map(|bytes| std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())));
    text.transpose().map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut SmtpRelay)) -> Vec<String> {
        let mut relay = SmtpRelay {
            enabled: true,
            host: "mail.example.com".into(),
            from_address: "ops@example.com".into(),
            ..SmtpRelay::default()
        };
        change(&mut relay);
        relay.validate().err().unwrap_or_default().into_iter().map(|field| field.path).collect()
    }

    #[test]
    fn relay_when_enabled_needs_host_and_sender() {
        assert!(wrong(|_| {}).is_empty());
        assert!(SmtpRelay::default().validate().is_ok(), "nothing is asked for while it is off");
        assert_eq!(wrong(|relay| relay.host.clear()), ["host"]);
        assert_eq!(wrong(|relay| relay.host = "smtp://mail.example.com".into()), ["host"]);
        assert_eq!(wrong(|relay| relay.host = "mail.example.com:25".into()), ["host"]);
        assert!(wrong(|relay| relay.host = "fd00::25".into()).is_empty());
        assert_eq!(wrong(|relay| relay.from_address.clear()), ["from_address"]);
        assert_eq!(wrong(|relay| relay.from_address = "ops@example.com>\r\nRCPT".into()), ["from_address"]);
        assert_eq!(wrong(|relay| relay.ca_pem = "not pem".into()), ["ca_pem"]);
    }

    #[test]
    fn debug_of_the_environment_hides_the_password() {
        let relay =
            EnvironmentRelay { page: SmtpRelay::default(), password: Some(Zeroizing::new("hunter2".into())) };
        assert!(!format!("{relay:?}").contains("hunter2"));
    }
}
