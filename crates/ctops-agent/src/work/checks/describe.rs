//! What the checks say about a certificate (wire contract 6.1), in the words of the original's X.509 library.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use ring::digest;
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use crate::data_dir::hex;

/// How the original writes a time that is not known.
pub(super) const NO_TIME: &str = "0001-01-01T00:00:00Z";
/// Longest name, characters.
const MAX_NAME: usize = 1024;
/// Alternative names beyond these are left out, bytes.
const MAX_NAMES: usize = 8 * 1024;

/// Everything about a certificate, in the order of the wire contract.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Facts {
    pub(super) common_name: String,
    subject: String,
    issuer: String,
    sans: Option<Vec<String>>,
    not_before: String,
    not_after: String,
    pub(super) fingerprint_sha256: String,
    serial_number: String,
    signature_algorithm: String,
    key_algorithm: String,
    is_self_signed: bool,
}

/// One certificate of a chain.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Link {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    fingerprint_sha256: String,
}

impl Facts {
    /// Nothing is known.
    pub(super) fn none() -> Self {
        Self {
            common_name: String::new(),
            subject: String::new(),
            issuer: String::new(),
            sans: None,
            not_before: NO_TIME.to_owned(),
            not_after: NO_TIME.to_owned(),
            fingerprint_sha256: String::new(),
            serial_number: String::new(),
            signature_algorithm: String::new(),
            key_algorithm: String::new(),
            is_self_signed: false,
        }
    }

    /// Reads a certificate; also whether `now` lies in its life time.
    ///
    /// # Errors
    /// When it is no certificate.
    pub(super) fn of(der: &CertificateDer<'_>, now: DateTime<Utc>) -> Result<(Self, bool), String> {
        let certificate = parsed(der)?;
        let sans = alternative_names(&certificate);
        let subject = name(certificate.subject());
        let issuer_name = name(certificate.issuer());
        let common = common_name(certificate.subject())
            .or_else(|| sans.iter().find_map(|san| san.strip_prefix("DNS:")).map(str::to_owned));
        let validity = certificate.validity();
        let now = now.timestamp();
        let valid = validity.not_before.timestamp() <= now && now <= validity.not_after.timestamp();
        let facts = Self {
            common_name: common.unwrap_or_default(),
            is_self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
            subject,
            issuer: common_name(certificate.issuer()).unwrap_or(issuer_name),
            sans: Some(sans),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
            fingerprint_sha256: fingerprint(der),
            serial_number: certificate.tbs_certificate.serial.to_string(),
            signature_algorithm: signature_algorithm(&certificate),
            key_algorithm: key_algorithm(&certificate),
        };
        Ok((facts, valid))
    }

    /// A whole issuer name that stands in for a common name loses its leading `CN=`.
    pub(super) fn with_bare_issuer(mut self) -> Self {
        if let Some(bare) = self.issuer.strip_prefix("CN=") {
            self.issuer = bare.to_owned();
        }
        self
    }
}

impl Link {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When it is no certificate.
    pub(super) fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = parsed(der)?;
        Ok(Self {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            fingerprint_sha256: fingerprint(der),
        })
    }
}

fn parsed<'c>(der: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, String> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))
}

fn fingerprint(der: &CertificateDer<'_>) -> String {
    hex(digest::digest(&digest::SHA256, der).as_ref())
}

fn time(at: ASN1Time) -> String {
    DateTime::from_timestamp(at.timestamp(), 0)
        .map_or_else(|| NO_TIME.to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    let text = name.iter_common_name().last()?.as_str().ok()?;
    Some(bounded(text)).filter(|text| !text.is_empty())
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

/// The name as RFC 2253 writes it: most specific part first.
fn name(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|rdn| {
            let attributes: Vec<String> = rdn
                .iter()
                .map(|attribute| {
                    let oid = attribute.attr_type().to_id_string();
                    let value = attribute.as_str().map(escaped);
                    let value = value.unwrap_or_else(|_| format!("#{}", hex(attribute.as_slice())));
                    format!("{}={value}", label(&oid).unwrap_or(&oid))
                })
                .collect();
            attributes.join("+")
        })
        .collect();
    bounded(&parts.into_iter().rev().collect::<Vec<_>>().join(","))
}

fn label(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.17" => "POSTALCODE",
        _ => return None,
    })
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let edge = c == ' ' && (at == 0 || at + 1 == value.chars().count());
        if edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') || (c == '#' && at == 0) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let (mut dns, mut ips, mut mails, mut uris) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(text) => dns.push(format!("DNS:{}", bounded(text))),
            GeneralName::IPAddress(bytes) => ips.extend(address(bytes).map(|ip| format!("IP:{ip}"))),
            GeneralName::RFC822Name(text) => mails.push(format!("email:{}", bounded(text))),
            GeneralName::URI(text) => uris.push(format!("URI:{}", bounded(text))),
            _ => {}
        }
    }
    let mut room = MAX_NAMES;
    let all = dns.into_iter().chain(ips).chain(mails).chain(uris);
    all.take_while(|name: &String| {
        let fits = name.len() <= room;
        room = room.saturating_sub(name.len());
        fits
    })
    .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn signature_algorithm(certificate: &X509Certificate<'_>) -> String {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    let known = match oid.as_str() {
        "1.2.840.113549.1.1.4" => "MD5-RSA",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "SHA1-RSA",
        "1.2.840.113549.1.1.10" => return pss(certificate),
        "1.2.840.113549.1.1.11" => "SHA256-RSA",
        "1.2.840.113549.1.1.12" => "SHA384-RSA",
        "1.2.840.113549.1.1.13" => "SHA512-RSA",
        "1.2.840.10040.4.3" => "DSA-SHA1",
        "2.16.840.1.101.3.4.3.2" => "DSA-SHA256",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256",
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512",
        "1.3.101.112" => "Ed25519",
        _ => return oid,
    };
    known.to_owned()
}

/// The hash of RSASSA-PSS is in its parameters (RFC 4055 section 3.1); the last arc tells them apart.
fn pss(certificate: &X509Certificate<'_>) -> String {
    const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let parameters =
        certificate.signature_algorithm.parameters.as_ref().map(|any| any.data).unwrap_or_default();
    let hash =
        parameters.windows(9).find(|window| window.starts_with(&SHA2)).and_then(|window| window.last());
    match hash {
        Some(2) => "SHA384-RSAPSS",
        Some(3) => "SHA512-RSAPSS",
        _ => "SHA256-RSAPSS",
    }
    .to_owned()
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA-{}", bits(rsa.modulus)),
        Ok(PublicKey::EC(_)) => "ECDSA".to_owned(),
        Ok(PublicKey::DSA(_)) => "DSA".to_owned(),
        _ if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
        _ => key.algorithm.algorithm.to_id_string(),
    }
}

/// Length of a number in bits.
pub(super) fn bits(number: &[u8]) -> usize {
    let digits = number.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &number[first..]);
    digits.first().map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
