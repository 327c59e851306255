//! Certificate authorities: one signs the client certificates of agents, one the certificates of our own listeners.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use crate::csr::Csr;
use crate::secret::{fill_random, sha256, sha256_hex};
use crate::spiffe::{agent_uri, is_agent_id};

/// Lifetime of a certificate authority, days: ten years.
pub const AUTHORITY_DAYS: i64 = 3650;
/// Lifetime of an agent's certificate, days (agents-enrolment 13).
pub const CLIENT_DAYS: i64 = 90;
/// Lifetime of a listener's certificate, days: the longest that browsers accept.
pub const SERVER_DAYS: i64 = 397;
/// Certificates are valid from this much before their issue, so that a slightly late clock accepts them.
const BACKDATE: TimeDelta = TimeDelta::minutes(1);
/// 127 random bits: positive, below 2^127, and within the 20 bytes of RFC 5280.
const SERIAL_BYTES: usize = 16;
/// Longest common name (RFC 5280, upper bound of `ub-common-name`).
const MAX_COMMON_NAME: usize = 64;

/// Why an authority cannot be loaded or cannot issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// No readable certificate in the PEM text.
    #[error("authority certificate is not a certificate in PEM")]
    BadCertificate,
    /// No readable private key in the PEM text.
    #[error("authority key is not an unencrypted private key in PEM")]
    BadKey,
    /// The certificate may not sign others: basic constraints or key usage are missing.
    #[error("certificate is not a certificate authority")]
    NotAnAuthority,
    /// Only ECDSA P-256 authorities are supported.
    #[error("authority key is of an unsupported kind, only ECDSA P-256 is accepted")]
    UnsupportedKey,
    /// Certificate and private key do not belong together.
    #[error("authority key does not belong to the certificate")]
    KeyMismatch,
    /// The authority is not valid at the time of issue.
    #[error("authority is outside its period of validity")]
    NotValidNow,
    /// An agent id has 24 characters of `[a-z0-9]`.
    #[error("agent id is malformed")]
    BadAgentId,
    /// No name, or one that is neither a DNS name nor an address.
    #[error("server name is neither a DNS name nor an IP address")]
    BadName,
    /// The certificate could not be encoded or signed.
    #[error("certificate cannot be signed")]
    Signing,
}

/// What an authority signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Client certificates of agents.
    AgentCa,
    /// Certificates of our own listeners.
    ServerCa,
}

/// An agent's new certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// One `CERTIFICATE` block.
    pub pem: String,
    /// The same certificate in DER.
    pub der: Vec<u8>,
    /// Serial number in lower-case hex without leading zeros.
    pub serial_hex: String,
    /// First moment of validity.
    pub not_before: DateTime<Utc>,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
}

/// Certificate and private key of one of our listeners.
pub struct ServerIdentity {
    /// The leaf and after it the authority that signed it.
    pub cert_chain_pem: String,
    /// PKCS#8 private key.
    pub key_pem: Zeroizing<String>,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
}

/// A certificate authority with its private key (ECDSA P-256).
///
/// Its name carries eight digits of its key, so that no two authorities share one: clients choose their certificate by
/// the issuer's name, and an agent that comes from another installation must not present a certificate we cannot verify.
pub struct Authority {
    cert_pem: String,
    cert_der: Vec<u8>,
    key_pem: Zeroizing<String>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority, valid for ten years.
    ///
    /// # Errors
    /// [`AuthorityError::Signing`] when `now` is outside the years that a certificate can express.
    pub fn generate(purpose: Purpose, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let key = new_key()?;
        let (not_before, not_after) = validity(now, AUTHORITY_DAYS);
        let tag = hex::encode(&sha256(key.public_key_raw())[..4]);
        let mut params = params(not_before, not_after)?;
        params.distinguished_name.push(
            DnType::CommonName,
            match purpose {
                Purpose::AgentCa => format!("CT-Ops Agent CA {tag}"),
                Purpose::ServerCa => format!("CT-Ops Server CA {tag}"),
            },
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|_| AuthorityError::Signing)?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// Loads an authority. The first `CERTIFICATE` block counts; the key may be PKCS#8 or SEC1, and other blocks before it
    /// (such as `EC PARAMETERS`) are skipped.
    ///
    /// # Errors
    /// [`AuthorityError`] says which of the two is unusable and why.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let cert_der = first_block(cert_pem, &["CERTIFICATE"]).ok_or(AuthorityError::BadCertificate)?;
        let (_, certificate) =
            X509Certificate::from_der(&cert_der).map_err(|_| AuthorityError::BadCertificate)?;
        let may_sign = certificate
            .key_usage()
            .map_err(|_| AuthorityError::BadCertificate)?
            .is_none_or(|usage| usage.value.key_cert_sign());
        if !certificate.is_ca() || !may_sign {
            return Err(AuthorityError::NotAnAuthority);
        }
        let key_der = Zeroizing::new(
            first_block(key_pem, &["PRIVATE KEY", "EC PRIVATE KEY"]).ok_or(AuthorityError::BadKey)?,
        );
        let key = KeyPair::try_from(key_der.as_slice()).map_err(|_| AuthorityError::BadKey)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(AuthorityError::UnsupportedKey);
        }
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(AuthorityError::KeyMismatch);
        }
        let not_before = from_unix(certificate.validity().not_before.timestamp())?;
        let not_after = from_unix(certificate.validity().not_after.timestamp())?;
        let key_text = Zeroizing::new(key.serialize_pem());
        let issuer = Issuer::from_ca_cert_der(&cert_der.as_slice().into(), key)
            .map_err(|_| AuthorityError::BadCertificate)?;
        Ok(Self { cert_pem: cert_pem.to_owned(), cert_der, key_pem: key_text, not_before, not_after, issuer })
    }

    /// The certificate as PEM, as it was loaded or made.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The certificate as DER.
    pub fn cert_der(&self) -> &[u8] {
        &self.cert_der
    }

    /// The private key as PEM. For sealing only.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// SHA-256 of the certificate, 64 lower-case hex digits.
    pub fn fingerprint_sha256(&self) -> String {
        sha256_hex(&self.cert_der)
    }

    /// First moment of validity.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.not_before
    }

    /// Last moment of validity.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Issues a client certificate for 90 days, or until the authority ends. Of the request only the key is used.
    ///
    /// # Errors
    /// [`AuthorityError::BadAgentId`], [`AuthorityError::NotValidNow`], [`AuthorityError::Signing`].
    pub fn issue_client(
        &self,
        csr: &Csr,
        agent_id: &str,
        now: DateTime<Utc>,
    ) -> Result<Leaf, AuthorityError> {
        if !is_agent_id(agent_id) {
            return Err(AuthorityError::BadAgentId);
        }
        let uri = agent_uri(agent_id).try_into().map_err(|_| AuthorityError::BadAgentId)?;
        let (not_before, not_after) = self.leaf_validity(now, CLIENT_DAYS)?;
        let mut params = params(not_before, not_after)?;
        params.distinguished_name.push(DnType::CommonName, agent_id);
        params.subject_alt_names = vec![SanType::URI(uri)];
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth, csr, not_before, not_after)
    }

    /// Issues a certificate for a listener that is reached under `names` (DNS names and IP addresses), with a new key.
    ///
    /// # Errors
    /// [`AuthorityError::BadName`] for an empty list or a malformed name; otherwise as [`Self::issue_client`].
    pub fn issue_server(
        &self,
        names: &[String],
        now: DateTime<Utc>,
    ) -> Result<ServerIdentity, AuthorityError> {
        let first = names.first().ok_or(AuthorityError::BadName)?;
        let (not_before, not_after) = self.leaf_validity(now, SERVER_DAYS)?;
        let mut params = params(not_before, not_after)?;
        let common_name = if first.len() <= MAX_COMMON_NAME { first } else { "ct-ops" };
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
        let key = new_key()?;
        let leaf = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth, &key, not_before, not_after)?;
        Ok(ServerIdentity {
            cert_chain_pem: format!("{}{}", leaf.pem, self.cert_pem),
            key_pem: Zeroizing::new(key.serialize_pem()),
            not_after: leaf.not_after,
        })
    }

    fn leaf_validity(
        &self,
        now: DateTime<Utc>,
        days: i64,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), AuthorityError> {
        if now < self.not_before || now >= self.not_after {
            return Err(AuthorityError::NotValidNow);
        }
        let (not_before, not_after) = validity(now, days);
        Ok((not_before.max(self.not_before), not_after.min(self.not_after)))
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
        key: &impl PublicKeyData,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<Leaf, AuthorityError> {
        let serial = random_serial();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).map_err(|_| AuthorityError::Signing)?;
        Ok(Leaf {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            serial_hex: hex::encode(serial),
            not_before,
            not_after,
        })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint_sha256", &self.fingerprint_sha256())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerIdentity").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn new_key() -> Result<KeyPair, AuthorityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| AuthorityError::Signing)
}

fn params(not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(not_before)?;
    params.not_after = epoch + since_epoch(not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()));
    Ok(params)
}

/// 16 bytes whose first is never zero, so that the hex form has no leading zeros either way it is made.
fn random_serial() -> [u8; SERIAL_BYTES] {
    let mut serial = [0u8; SERIAL_BYTES];
    fill_random(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

fn server_name(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label) {
        return Err(AuthorityError::BadName);
    }
    Ok(SanType::DnsName(name.try_into().map_err(|_| AuthorityError::BadName)?))
}

/// From a minute before `now` for `days` days, in whole seconds: certificates know no fractions.
fn validity(now: DateTime<Utc>, days: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let now = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    (now - BACKDATE, now + TimeDelta::days(days))
}

/// X.509 writes years of four digits, and no certificate made here begins before the Unix epoch.
fn since_epoch(at: DateTime<Utc>) -> Result<Duration, AuthorityError> {
    if at.year() > 9999 {
        return Err(AuthorityError::Signing);
    }
    u64::try_from(at.timestamp()).map(Duration::from_secs).map_err(|_| AuthorityError::Signing)
}

fn from_unix(seconds: i64) -> Result<DateTime<Utc>, AuthorityError> {
    DateTime::from_timestamp(seconds, 0).ok_or(AuthorityError::BadCertificate)
}

fn first_block(pem: &str, labels: &[&str]) -> Option<Vec<u8>> {
    Pem::iter_from_buffer(pem.as_bytes())
        .map_while(Result::ok)
        .find(|block| labels.contains(&block.label.as_str()))
        .map(|block| block.contents)
}

#[cfg(test)]
mod tests;
