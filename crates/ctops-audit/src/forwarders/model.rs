//! A forwarder and the check of what people enter.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem};
use http::Uri;
use uuid::Uuid;

/// Forwarders of one organisation at most.
pub(super) const MAX_FORWARDERS: i64 = 10;
/// Characters of a webhook's secret.
const SECRET: std::ops::RangeInclusive<usize> = 16..=200;
/// First and longest pause after a failure, seconds.
const FIRST_PAUSE_S: i64 = 5;
const LONGEST_PAUSE_S: i64 = 900;
/// Port of syslog over TLS (RFC 5425) and, by custom, over TCP.
const TLS_PORT: u16 = 6514;
const TCP_PORT: u16 = 514;

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RFC 5424 over TCP (RFC 6587).
    SyslogTcp,
    /// RFC 5424 over TLS (RFC 5425).
    SyslogTls,
    /// HTTPS with a signature.
    Webhook,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::SyslogTcp, Self::SyslogTls, Self::Webhook];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::SyslogTcp => "syslog_tcp",
            Self::SyslogTls => "syslog_tls",
            Self::Webhook => "webhook",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A forwarder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarder {
    pub(super) id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) endpoint: String,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) enabled: bool,
    pub(super) cursor_seq: i64,
    pub(super) failures: i32,
    pub(super) last_error: Option<String>,
    pub(super) last_sent_at: Option<DateTime<Utc>>,
}

impl Forwarder {
    /// Name of the sealed secret: it cannot be moved to another forwarder.
    pub(super) fn secret_name(id: Uuid) -> String {
        format!("audit_forwarders.secret_encrypted.{id}")
    }
}

/// What is wanted of a forwarder.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) endpoint: String,
    /// A new secret; none keeps the present one.
    pub(super) secret: Option<String>,
    pub(super) enabled: bool,
}

impl Wanted {
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(mut self, has_secret: bool) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            wrong.push(FieldProblem { path: path.to_owned(), code, message });
        };
        self.name = ctops_base::text::clean(&self.name, usize::MAX);
        if !(1..=100).contains(&self.name.chars().count()) {
            refuse("name", "invalid", "must have 1 to 100 characters".to_owned());
        }
        self.endpoint = self.endpoint.trim().to_owned();
        if let Err(message) = check_endpoint(self.kind, &self.endpoint) {
            refuse("endpoint", "invalid", message.to_owned());
        }
        match &self.secret {
            Some(secret) if !SECRET.contains(&secret.chars().count()) => {
                let message = format!("must have {} to {} characters", SECRET.start(), SECRET.end());
                refuse("secret", "invalid", message);
            }
            None if self.kind == Kind::Webhook && !has_secret => {
                refuse("secret", "required", "is what deliveries are signed with".to_owned());
            }
            _ => {}
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }
}

fn check_endpoint(kind: Kind, endpoint: &str) -> Result<(), &'static str> {
    match kind {
        Kind::SyslogTcp | Kind::SyslogTls => {
            host_and_port(kind, endpoint).map(drop).ok_or("must be host or host:port")
        }
        Kind::Webhook => {
            let uri: Uri = endpoint.parse().map_err(|_| "must be an https:// address")?;
            let authority = uri.authority().map(|authority| authority.as_str().to_owned());
            if !matches!(uri.scheme_str(), Some("https" | "http")) || authority.is_none() {
                return Err("must be an https:// address");
            }
            // What stands in an address is shown to people and logged by proxies.
            if authority.is_some_and(|authority| authority.contains('@')) || uri.query().is_some() {
                return Err(
                    "must hold neither a password nor a query; deliveries are signed with the secret",
                );
            }
            Ok(())
        }
    }
}

/// Host and port of a syslog server.
pub(super) fn host_and_port(kind: Kind, endpoint: &str) -> Option<(String, u16)> {
    let standard = if kind == Kind::SyslogTls { TLS_PORT } else { TCP_PORT };
    let (host, port) = if let Some(rest) = endpoint.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, if rest.is_empty() { standard } else { rest.strip_prefix(':')?.parse().ok()? })
    } else if endpoint.matches(':').count() > 1 {
        (endpoint, standard)
    } else {
        match endpoint.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (endpoint, standard),
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    (port != 0 && (1..=253).contains(&host.len()) && host.chars().all(plain)).then(|| (host.to_owned(), port))
}

/// How long to wait after so many failures in a row.
pub(super) fn pause(failures: i32) -> TimeDelta {
    let doublings = u32::try_from(failures.clamp(1, 10) - 1).unwrap_or(0);
    TimeDelta::seconds((FIRST_PAUSE_S << doublings).min(LONGEST_PAUSE_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: Kind, endpoint: &str, secret: Option<&str>) -> Wanted {
        Wanted {
            name: "SIEM".into(),
            kind,
            endpoint: endpoint.into(),
            secret: secret.map(str::to_owned),
            enabled: true,
        }
    }

    /// Spec: audit-log 15
    #[test]
    fn endpoints_are_checked_by_kind() {
        for (kind, endpoint, fine) in [
            (Kind::SyslogTcp, "logs.example.com", true),
            (Kind::SyslogTls, "10.0.0.1:6514", true),
            (Kind::SyslogTls, "[fd00::1]:7000", true),
            (Kind::SyslogTcp, "logs.example.com:0", false),
            (Kind::SyslogTcp, "logs example", false),
            (Kind::SyslogTcp, "", false),
            (Kind::SyslogTcp, "host:port", false),
            (Kind::Webhook, "https://siem.example.com/in", true),
            (Kind::Webhook, "https://u:p@siem.example.com/in", false),
            (Kind::Webhook, "https://siem.example.com/in?token=1", false),
            (Kind::Webhook, "ftp://siem.example.com", false),
            (Kind::Webhook, "siem.example.com", false),
        ] {
            let secret = (kind == Kind::Webhook).then_some("0123456789abcdef");
            assert_eq!(wanted(kind, endpoint, secret).check(false).is_ok(), fine, "{endpoint}");
        }
        assert_eq!(host_and_port(Kind::SyslogTls, "fd00::1"), Some(("fd00::1".into(), 6514)));
        assert!(wanted(Kind::Webhook, "https://a.example.com", None).check(false).is_err());
        assert!(wanted(Kind::Webhook, "https://a.example.com", None).check(true).is_ok());
        assert!(wanted(Kind::Webhook, "https://a.example.com", Some("short")).check(true).is_err());
    }

    /// Spec: audit-log 15
    #[test]
    fn pause_doubles_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<i64> = [1, 2, 3, 8, 9, 100].map(|n| pause(n).num_seconds()).to_vec();
        assert_eq!(seconds, [5, 10, 20, 640, 900, 900]);
    }
}
