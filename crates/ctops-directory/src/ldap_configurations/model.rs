//! A directory, its secrets, and what a test of it found.

use chrono::{DateTime, Utc};
use ctops_base::text::{clean, is_hostile};
use ctops_base::{FieldProblem, Problem};
use ctops_identity::passwords::Secret;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::settings::Settings;
use crate::connection::{Security, Step};

/// Most directories of one organisation.
pub(super) const MAX_DIRECTORIES: i64 = 50;
/// Longest name, characters.
const MAX_NAME_CHARS: usize = 255;
/// Longest list of authorities, bytes.
const MAX_PEM_BYTES: usize = 64 * 1024;
/// Longest name of the service account, characters.
const MAX_BIND_DN_CHARS: usize = 1000;
/// Longest password of the service account, characters.
const MAX_PASSWORD_CHARS: usize = 1000;

/// A directory as it is stored, with its secrets sealed.
#[derive(Clone)]
pub(crate) struct Configuration {
    pub(crate) id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) login_allowed: bool,
    pub(crate) settings: Settings,
    pub(super) sealed: Sealed,
    pub(super) version: i32,
    pub(super) last_test_at: Option<DateTime<Utc>>,
    pub(super) last_test_result: Option<TestResult>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// What is encrypted at rest (ldap-directory-lookup 17).
#[derive(Clone, Default)]
pub(super) struct Sealed {
    pub(super) bind_dn: Option<Vec<u8>>,
    pub(super) bind_password: Option<Vec<u8>>,
    pub(super) ca_pem: Option<Vec<u8>>,
}

/// A directory ready to be asked. It has no `Debug`, because it holds the service account.
#[derive(Clone, Default)]
pub(crate) struct Directory {
    pub(crate) id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) bind_dn: Option<String>,
    pub(crate) bind_password: Option<Secret>,
    pub(crate) ca_pem: Option<String>,
}

impl Directory {
    /// How its connections are secured.
    pub(crate) fn security(&self) -> Security<'_> {
        Security {
            tls: self.settings.transport.tls(),
            verify: self.settings.verify_certificate,
            ca_pem: self.ca_pem.as_deref(),
        }
    }
}

/// What somebody wants a directory to be. Nothing stays as it is.
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) login_allowed: Option<bool>,
    pub(super) settings: Option<Settings>,
    pub(super) bind_dn: Option<String>,
    pub(super) bind_password: Option<Secret>,
    pub(super) ca_pem: Option<String>,
}

impl Wanted {
    /// Checks everything that was given.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut faults = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            faults.push(FieldProblem { path: path.to_owned(), code, message });
        };
        if let Some(name) = &self.name {
            let chars = name.trim().chars().count();
            if !(1..=MAX_NAME_CHARS).contains(&chars) || name.chars().any(is_hostile) {
                refuse("name", "invalid", "must have 1 to 255 characters".to_owned());
            }
        }
        if let Some(dn) = &self.bind_dn
            && (dn.chars().count() > MAX_BIND_DN_CHARS || dn.chars().any(is_hostile))
        {
            refuse("bind_dn", "invalid", format!("must have at most {MAX_BIND_DN_CHARS} characters"));
        }
        if let Some(password) = &self.bind_password
            && password.reveal().chars().count() > MAX_PASSWORD_CHARS
        {
            refuse("bind_password", "too_long", format!("must have at most {MAX_PASSWORD_CHARS} characters"));
        }
        if let Some(pem) = &self.ca_pem
            && let Err(message) = check_pem(pem)
        {
            refuse("ca_pem", "bad_pem", message.to_owned());
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        self.settings.as_ref().map_or(Ok(()), Settings::check)
    }
}

/// Authorities as PEM; empty means none.
fn check_pem(pem: &str) -> Result<(), &'static str> {
    if pem.trim().is_empty() {
        return Ok(());
    }
    if pem.len() > MAX_PEM_BYTES {
        return Err("has more than 64 KiB");
    }
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| "is not PEM")?;
        x509_parser::parse_x509_certificate(&certificate)
            .map_err(|_| "holds something that is no certificate")?;
        count += 1;
    }
    if count == 0 { Err("holds no certificate") } else { Ok(()) }
}

/// One step of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LdapTestStep)]
pub(crate) struct TestStep {
    /// `resolve`, `connect`, `tls`, `bind` or `search`.
    pub(crate) step: String,
    /// Whether it worked.
    pub(crate) ok: bool,
    /// How long it took, milliseconds.
    pub(crate) ms: u64,
    /// Why it failed.
    pub(crate) detail: Option<String>,
}

/// The certificate a server showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LdapServerCertificate)]
pub(crate) struct ShownCertificate {
    /// Whom it names.
    pub(crate) subject: String,
    /// When it expires.
    pub(crate) not_after: String,
}

impl ShownCertificate {
    /// Reads it, or says nothing.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let not_after = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?;
        Some(Self {
            subject: clean(&certificate.subject().to_string(), 300),
            not_after: not_after.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        })
    }
}

/// The test of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LdapServerTest)]
pub(crate) struct ServerTest {
    /// `host:port`.
    pub(crate) server: String,
    /// Whether all steps worked.
    pub(crate) ok: bool,
    /// Steps in order, up to the first that failed.
    pub(crate) steps: Vec<TestStep>,
    /// What the server showed.
    pub(crate) certificate: Option<ShownCertificate>,
    /// Entries found for the sample name; none without one.
    pub(crate) entries: Option<usize>,
    /// Host that needs an entry among the internal targets.
    #[serde(default)]
    pub(crate) needs_target: Option<String>,
}

impl ServerTest {
    pub(super) fn passed(&mut self, step: Step, ms: u64) {
        self.steps.push(TestStep { step: step.as_str().to_owned(), ok: true, ms, detail: None });
    }
}

/// The test of all servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LdapTestResult)]
pub(crate) struct TestResult {
    /// Whether every server passed.
    pub(crate) ok: bool,
    /// Each server.
    pub(crate) servers: Vec<ServerTest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: None,
            enabled: None,
            login_allowed: None,
            settings: None,
            bind_dn: None,
            bind_password: None,
            ca_pem: None,
        }
    }

    fn fault(wanted: &Wanted) -> Option<String> {
        wanted.check().err().and_then(|problem| problem.fields().first().map(|field| field.path.clone()))
    }

    /// Spec: ldap-directory-lookup 15
    #[test]
    fn names_passwords_and_authorities_are_bounded() {
        assert_eq!(fault(&wanted()), None);
        assert_eq!(fault(&Wanted { name: Some("x".repeat(255)), ..wanted() }), None);
        for name in ["", "   ", &"x".repeat(256), "a\u{1b}b"] {
            assert_eq!(fault(&Wanted { name: Some(name.to_owned()), ..wanted() }).as_deref(), Some("name"));
        }
        let long = Secret::new("p".repeat(1001));
        assert_eq!(
            fault(&Wanted { bind_password: Some(long), ..wanted() }).as_deref(),
            Some("bind_password")
        );
        for pem in [
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &"x".repeat(70_000),
        ] {
            assert_eq!(
                fault(&Wanted { ca_pem: Some(pem.to_owned()), ..wanted() }).as_deref(),
                Some("ca_pem")
            );
        }
        assert_eq!(fault(&Wanted { ca_pem: Some(String::new()), ..wanted() }), None, "none at all");
    }
}
