//! Java's own key store format, versions 1 and 2, also in its variant JCEKS. Certificates lie in it in the clear; the
//! digest at its end proves the password.

use ring::digest;
use rustls_pki_types::CertificateDer;

const JKS: u32 = 0xfeed_feed;
const JCEKS: u32 = 0xcece_cece;
const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;
const DIGEST_BYTES: usize = 20;

struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn bytes(&mut self, count: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.bytes(2)?.try_into().ok()?);
        self.bytes(usize::from(length)).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn blob(&mut self) -> Option<&'d [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.bytes(length)
    }

    fn certificate(&mut self, version: u32) -> Option<&'d [u8]> {
        if version == 2 {
            self.text()?;
        }
        self.blob()
    }
}

struct Entry<'d> {
    alias: String,
    trusted: bool,
    certificate: Option<&'d [u8]>,
}

/// The certificate under `alias`; without one the first trusted one, else the first of the first key's chain.
///
/// # Errors
/// When the file is damaged, the password is wrong, or there is no such certificate.
pub(in crate::work::checks) fn certificate(
    content: &[u8],
    password: &str,
    alias: &str,
) -> Result<CertificateDer<'static>, String> {
    let (content, digest) =
        content.len().checked_sub(DIGEST_BYTES).map(|at| content.split_at(at)).ok_or("not a JKS file")?;
    let entries = entries(content)?;
    if !password.is_empty() && signature(content, password).as_ref() != digest {
        return Err("wrong password, or the file is damaged".to_owned());
    }
    let found = if alias.is_empty() {
        let trusted = entries.iter().find(|entry| entry.trusted);
        trusted.or_else(|| entries.iter().find(|entry| entry.certificate.is_some()))
    } else {
        // Java keeps aliases in lower case.
        entries.iter().find(|entry| entry.alias.eq_ignore_ascii_case(alias))
    };
    let Some(entry) = found else {
        return Err(if alias.is_empty() {
            "no certificate in the file".to_owned()
        } else {
            format!("no entry {alias} in the file")
        });
    };
    let certificate = entry.certificate.ok_or("the entry has no certificate")?;
    Ok(CertificateDer::from(certificate.to_vec()))
}

fn entries(content: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    let mut reader = Reader(content);
    let magic = reader.u32();
    if !matches!(magic, Some(JKS | JCEKS)) {
        return Err("not a JKS file".to_owned());
    }
    let damaged = || "the file is damaged".to_owned();
    let version = reader.u32().filter(|version| matches!(version, 1 | 2)).ok_or_else(damaged)?;
    let count = reader.u32().ok_or_else(damaged)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let tag = reader.u32().ok_or_else(damaged)?;
        // The length of a secret key is not told, so what is behind one cannot be read.
        if !matches!(tag, KEY_ENTRY | TRUSTED_ENTRY) {
            break;
        }
        entries.push(entry(&mut reader, tag, version).ok_or_else(damaged)?);
    }
    Ok(entries)
}

fn entry<'d>(reader: &mut Reader<'d>, tag: u32, version: u32) -> Option<Entry<'d>> {
    let alias = reader.text()?;
    reader.bytes(8)?;
    if tag == TRUSTED_ENTRY {
        return Some(Entry { alias, trusted: true, certificate: Some(reader.certificate(version)?) });
    }
    reader.blob()?;
    let mut first = None;
    for _ in 0..reader.u32()? {
        let certificate = reader.certificate(version)?;
        first = first.or(Some(certificate));
    }
    Some(Entry { alias, trusted: false, certificate: first })
}

/// SHA-1 over the password in UTF-16, a fixed phrase and the content.
fn signature(content: &[u8], password: &str) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    password.encode_utf16().for_each(|unit| context.update(&unit.to_be_bytes()));
    context.update(b"Mighty Aphrodite");
    context.update(content);
    context.finish()
}
