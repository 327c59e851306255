//! Who may reach what (security 7 to 9).

use std::net::IpAddr;

use crate::address::{AddressKind, kind_of};
use crate::target::Target;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Directories.
    Ldap,
    /// Mail relays.
    Smtp,
    /// Webhooks and chat services.
    Webhook,
    /// Forwarding of the audit log.
    Syslog,
    /// OpenID Connect: discovery, keys, tokens.
    Oidc,
    /// Metadata of SAML providers.
    Saml,
    /// The revocation list of licences.
    LicenceRevocation,
    /// Certificate tools.
    Certificates,
}

impl Purpose {
    /// Name in logs and refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::Smtp => "smtp",
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::LicenceRevocation => "licence_revocation",
            Self::Certificates => "certificates",
        }
    }

    /// Whether private networks are open to it without an entry.
    pub fn reaches_private(self) -> bool {
        matches!(self, Self::Ldap | Self::Syslog | Self::Certificates)
    }

    /// Whether it may use a port: the ones registered for it, and all from 1024 up.
    pub fn allows_port(self, port: u16) -> bool {
        let registered: &[u16] = match self {
            Self::Ldap => &[389, 636],
            Self::Smtp => &[25, 465, 587],
            Self::Syslog => &[514, 601],
            Self::Webhook | Self::Oidc | Self::Saml => &[443],
            Self::LicenceRevocation => &[80, 443],
            Self::Certificates => &[21, 25, 110, 143, 389, 443, 465, 587, 636, 853, 989, 990, 993, 995],
        };
        port >= 1024 || registered.contains(&port)
    }

    /// Whether plain HTTP will do, because what is fetched is signed.
    pub fn allows_plain_http(self) -> bool {
        self == Self::LicenceRevocation
    }
}

/// How far an organisation reaches out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The internet, and private networks by purpose and entry.
    #[default]
    Internal,
    /// The internet only.
    PublicOnly,
    /// Entries only.
    Closed,
}

impl Mode {
    /// As the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::PublicOnly => "public-only",
            Self::Closed => "closed",
        }
    }

    /// Reads it back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Internal, Self::PublicOnly, Self::Closed].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Nobody may reach it.
    Forbidden,
    /// It is one of this installation's own services.
    OwnService,
    /// A private network that needs an entry.
    NeedsEntry,
    /// The mode allows public addresses only.
    PublicOnly,
    /// The mode allows entries only.
    Closed,
    /// The port is not one of the purpose's.
    Port,
}

impl Refusal {
    /// One clause for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Forbidden => {
                "its address is never reached (this machine, link-local, metadata service or reserved)"
            }
            Self::OwnService => "it is one of this installation's own services",
            Self::NeedsEntry => "its address is private; add it to the internal targets",
            Self::PublicOnly => {
                "its address is private, and outgoing connections are set to public addresses only"
            }
            Self::Closed => "outgoing connections are closed; add it to the internal targets",
            Self::Port => "its port is not one that this use may reach",
        }
    }

    /// Whether an entry in the internal targets would help.
    pub fn helped_by_entry(self) -> bool {
        matches!(self, Self::NeedsEntry | Self::Closed)
    }
}

/// The rules of one organisation.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How far it reaches.
    pub mode: Mode,
    /// What its administrators opened.
    pub targets: Vec<Target>,
}

impl Policy {
    /// Judges one address of `host`.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn judge(
        &self,
        purpose: Purpose,
        host: &str,
        address: IpAddr,
        allow_loopback: bool,
    ) -> Result<(), Refusal> {
        let kind = kind_of(address);
        let opened = || self.targets.iter().any(|target| target.names(host) || target.covers(address));
        match (kind, self.mode) {
            (AddressKind::Loopback, _) if allow_loopback => Ok(()),
            (AddressKind::Loopback | AddressKind::Forbidden, _) => Err(Refusal::Forbidden),
            (_, Mode::Closed) => {
                if opened() {
                    Ok(())
                } else {
                    Err(Refusal::Closed)
                }
            }
            (AddressKind::Public, _) => Ok(()),
            (AddressKind::Private, Mode::PublicOnly) => Err(Refusal::PublicOnly),
            (AddressKind::Private, Mode::Internal) if purpose.reaches_private() || opened() => Ok(()),
            (AddressKind::Private, Mode::Internal) => Err(Refusal::NeedsEntry),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn policy(mode: Mode, targets: &[&str]) -> Policy {
        Policy { mode, targets: targets.iter().map(|text| Target::parse(text).unwrap()).collect() }
    }

    fn judge(policy: &Policy, purpose: Purpose, address: &str) -> Result<(), Refusal> {
        policy.judge(purpose, "hooks.corp.example", address.parse().unwrap(), false)
    }

    /// Spec: security 7, 8
    #[test]
    fn private_networks_are_open_by_purpose_and_by_entry() {
        let plain = policy(Mode::Internal, &[]);
        for purpose in [Purpose::Ldap, Purpose::Certificates] {
            assert_eq!(judge(&plain, purpose, "10.1.1.1"), Ok(()));
        }
        for purpose in [Purpose::Webhook, Purpose::Smtp, Purpose::Oidc] {
            assert_eq!(judge(&plain, purpose, "10.1.1.1"), Err(Refusal::NeedsEntry));
            assert_eq!(judge(&plain, purpose, "8.8.8.8"), Ok(()));
            for entry in ["10.1.0.0/16", "hooks.corp.example", ".corp.example"] {
                assert_eq!(judge(&policy(Mode::Internal, &[entry]), purpose, "10.1.1.1"), Ok(()), "{entry}");
            }
        }
    }

    /// Spec: security 7
    #[test]
    fn no_entry_opens_what_is_never_reached() {
        let named = policy(Mode::Internal, &["hooks.corp.example", ".corp.example"]);
        for address in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]
        {
            assert_eq!(judge(&named, Purpose::Webhook, address), Err(Refusal::Forbidden), "{address}");
            assert_eq!(judge(&named, Purpose::Ldap, address), Err(Refusal::Forbidden), "{address}");
        }
        let development = named.judge(Purpose::Webhook, "localhost", [127, 0, 0, 1].into(), true);
        assert_eq!(development, Ok(()));
    }

    /// Spec: security 8
    #[test]
    fn modes_narrow_what_is_reached() {
        let public = policy(Mode::PublicOnly, &["10.1.0.0/16"]);
        assert_eq!(judge(&public, Purpose::Ldap, "10.1.1.1"), Err(Refusal::PublicOnly));
        assert_eq!(judge(&public, Purpose::Webhook, "8.8.8.8"), Ok(()));
        let closed = policy(Mode::Closed, &["10.1.0.0/16"]);
        assert_eq!(judge(&closed, Purpose::Webhook, "8.8.8.8"), Err(Refusal::Closed));
        assert_eq!(judge(&closed, Purpose::Ldap, "10.2.1.1"), Err(Refusal::Closed));
        assert_eq!(judge(&closed, Purpose::Webhook, "10.1.1.1"), Ok(()));
        for mode in [Mode::Internal, Mode::PublicOnly, Mode::Closed] {
            assert_eq!(Mode::parse(mode.as_str()), Some(mode));
        }
    }

    /// Spec: security 9
    #[test]
    fn low_ports_belong_to_their_purpose() {
        assert!(
            Purpose::Ldap.allows_port(636)
                && Purpose::Ldap.allows_port(3269)
                && !Purpose::Ldap.allows_port(22)
        );
        assert!(Purpose::Webhook.allows_port(443) && !Purpose::Webhook.allows_port(25));
        assert!(!Purpose::Webhook.allows_plain_http() && Purpose::LicenceRevocation.allows_plain_http());
    }
}
