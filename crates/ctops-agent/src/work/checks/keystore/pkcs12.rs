//! PKCS#12 (RFC 7292): the certificate that belongs to the key in it, else the first one.

use ring::{digest, hmac};
use rustls_pki_types::CertificateDer;

use super::der::{CONTEXT_0, CONTEXT_0_BYTES, INTEGER, OCTETS, OID, Reader, SEQUENCE, SET, number};
use super::pbe;

// Object identifiers in DER.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// Nested bags are followed this deep.
const MAX_DEPTH: usize = 4;

/// What was found.
#[derive(Default)]
struct Found {
    certificates: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    key_ids: Vec<Vec<u8>>,
}

/// The certificate of the first key, else the first one.
///
/// # Errors
/// When the file is damaged or uses algorithms that are not supported, the password is wrong, or there is no
/// certificate.
pub(in crate::work::checks) fn certificate(
    content: &[u8],
    password: &str,
) -> Result<CertificateDer<'static>, String> {
    let damaged = || "not a PKCS#12 file, or damaged".to_owned();
    let mut file = Reader::new(content).inside(SEQUENCE).ok_or_else(damaged)?;
    file.expect(INTEGER).ok_or_else(damaged)?;
    let mut info = file.inside(SEQUENCE).ok_or_else(damaged)?;
    if info.expect(OID) != Some(DATA) {
        return Err("the file is signed with a key, only a password is supported".to_owned());
    }
    let safe = info.inside(CONTEXT_0).and_then(|mut inside| inside.expect(OCTETS)).ok_or_else(damaged)?;
    if let Some(mac) = file.inside(SEQUENCE) {
        verify(mac, password, safe)?;
    }
    let mut found = Found::default();
    let mut parts = Reader::new(safe).inside(SEQUENCE).ok_or_else(damaged)?;
    while !parts.is_empty() {
        let mut part = parts.inside(SEQUENCE).ok_or_else(damaged)?;
        let kind = part.expect(OID).ok_or_else(damaged)?;
        let mut inside = part.inside(CONTEXT_0).ok_or_else(damaged)?;
        if kind == DATA {
            let bags = inside.expect(OCTETS).ok_or_else(damaged)?;
            found.read(bags, MAX_DEPTH).ok_or_else(damaged)?;
        } else if kind == ENCRYPTED {
            let bags = decrypted(&mut inside, password)?;
            found.read(&bags, MAX_DEPTH).ok_or_else(damaged)?;
        }
    }
    found.leaf().ok_or_else(|| "no certificate in the file".to_owned())
}

fn decrypted(inside: &mut Reader<'_>, password: &str) -> Result<Vec<u8>, String> {
    let damaged = || "not a PKCS#12 file, or damaged".to_owned();
    let mut data = inside.inside(SEQUENCE).ok_or_else(damaged)?;
    data.expect(INTEGER).ok_or_else(damaged)?;
    let mut content = data.inside(SEQUENCE).ok_or_else(damaged)?;
    content.expect(OID).ok_or_else(damaged)?;
    let algorithm = content.inside(SEQUENCE).ok_or_else(damaged)?;
    let (tag, bytes) = content.element().ok_or_else(damaged)?;
    match tag {
        CONTEXT_0_BYTES => pbe::decrypt(algorithm, password, bytes),
        // Some writers split the bytes into several strings.
        CONTEXT_0 => {
            let (mut strings, mut joined) = (Reader::new(bytes), Vec::new());
            while !strings.is_empty() {
                joined.extend_from_slice(strings.expect(OCTETS).ok_or_else(damaged)?);
            }
            pbe::decrypt(algorithm, password, &joined)
        }
        _ => Err(damaged()),
    }
}

/// Checks the digest under the password. Its absence is allowed, as in files without a password.
fn verify(mut mac: Reader<'_>, password: &str, safe: &[u8]) -> Result<(), String> {
    let damaged = || "not a PKCS#12 file, or damaged".to_owned();
    let mut info = mac.inside(SEQUENCE).ok_or_else(damaged)?;
    let oid = info.inside(SEQUENCE).and_then(|mut algorithm| algorithm.expect(OID)).ok_or_else(damaged)?;
    let expected = info.expect(OCTETS).ok_or_else(damaged)?;
    let salt = mac.expect(OCTETS).ok_or_else(damaged)?;
    let rounds = match mac.optional(INTEGER) {
        Some(rounds) => number(rounds).ok_or_else(damaged)?,
        None => 1,
    };
    let (hash, keyed) = match (oid == SHA1, oid.strip_prefix(SHA2).and_then(|arc| arc.first())) {
        (true, _) => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        (_, Some(1)) => (&digest::SHA256, hmac::HMAC_SHA256),
        (_, Some(2)) => (&digest::SHA384, hmac::HMAC_SHA384),
        (_, Some(3)) => (&digest::SHA512, hmac::HMAC_SHA512),
        // What cannot be verified here is still protected by its encryption.
        _ => return Ok(()),
    };
    let fits = |password: &[u8]| -> Result<bool, String> {
        let key = pbe::pkcs12_key(hash, 3, password, salt, rounds, hash.output_len())?;
        Ok(hmac::verify(&hmac::Key::new(keyed, &key), safe, expected).is_ok())
    };
    // No password is written in two ways: as an empty text, and as no text at all.
    if fits(&pbe::utf16(password))? || (password.is_empty() && fits(&[])?) {
        return Ok(());
    }
    Err("wrong password, or the file is damaged".to_owned())
}

impl Found {
    /// Reads a sequence of bags.
    fn read(&mut self, bags: &[u8], depth: usize) -> Option<()> {
        let mut bags = Reader::new(bags).inside(SEQUENCE)?;
        while !bags.is_empty() {
            let mut bag = bags.inside(SEQUENCE)?;
            let oid = bag.expect(OID)?;
            let mut value = bag.inside(CONTEXT_0)?;
            let id = bag.optional(SET).and_then(key_id);
            match oid.strip_prefix(BAG).and_then(|arc| arc.first()) {
                // A key, in the clear or encrypted.
                Some(1 | 2) => self.key_ids.extend(id),
                Some(3) => {
                    let mut certificate = value.inside(SEQUENCE)?;
                    if certificate.expect(OID) == Some(X509) {
                        let der = certificate.inside(CONTEXT_0)?.expect(OCTETS)?;
                        self.certificates.push((der.to_vec(), id));
                    }
                }
                Some(6) if depth > 0 => {
                    let (_, inner) = value.element()?;
                    let mut sequence = Vec::from([SEQUENCE, 0x84]);
                    sequence.extend(u32::try_from(inner.len()).ok()?.to_be_bytes());
                    sequence.extend_from_slice(inner);
                    self.read(&sequence, depth - 1)?;
                }
                _ => {}
            }
        }
        Some(())
    }

    fn leaf(self) -> Option<CertificateDer<'static>> {
        let Self { certificates, key_ids } = self;
        let of_key = |id: &Option<Vec<u8>>| id.as_ref().is_some_and(|id| key_ids.contains(id));
        let position = certificates
            .iter()
            .position(|(_, id)| of_key(id))
            .or_else(|| certificates.iter().position(|(_, id)| id.is_some()))
            .unwrap_or(0);
        certificates.into_iter().nth(position).map(|(der, _)| CertificateDer::from(der))
    }
}

fn key_id(attributes: &[u8]) -> Option<Vec<u8>> {
    let mut attributes = Reader::new(attributes);
    while !attributes.is_empty() {
        let mut attribute = attributes.inside(SEQUENCE)?;
        if attribute.expect(OID)? == LOCAL_KEY_ID {
            return attribute.inside(SET)?.expect(OCTETS).map(<[u8]>::to_vec);
        }
    }
    None
}
