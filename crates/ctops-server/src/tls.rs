//! Certificates of the web server and of the agents' listener: given as files, or made here and kept in the state
//! directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use base64::Engine;
use chrono::{DateTime, Utc};
use ctops_crypto::authority::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::settings::TlsFiles;

/// A certificate of ours is made anew in the last of so many parts of its life.
const LIFE_PARTS: i32 = 3;

/// A certificate chain with its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// Leaf first.
    pub chain_pem: String,
    /// Private key.
    pub key_pem: String,
}

impl ServerCertificate {
    /// Reads the given files.
    ///
    /// # Errors
    /// Naming the file that cannot be used.
    pub fn from_files(files: &TlsFiles) -> Result<Self> {
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
        let certificate = Self { chain_pem: read(&files.cert)?, key_pem: read(&files.key)? };
        certificate.chain().with_context(|| format!("{} holds no certificate", files.cert.display()))?;
        certificate.key().with_context(|| format!("{} holds no private key", files.key.display()))?;
        Ok(certificate)
    }

    /// The certificate that the server makes for itself: kept in `dir`, made anew when it ends soon, when it lacks one of
    /// `names`, or when another authority signs now.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn load_or_make(
        dir: &Path,
        authority: &Authority,
        names: &[String],
        now: DateTime<Utc>,
    ) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        // Processes that share a state directory must not mix their keys and certificates.
        let lock_file = dir.join("server.lock");
        let lock =
            fs::File::create(&lock_file).with_context(|| format!("writing {}", lock_file.display()))?;
        lock.lock().with_context(|| format!("locking {}", lock_file.display()))?;
        let files = TlsFiles { cert: dir.join("server.crt"), key: dir.join("server.key") };
        if files.cert.exists() && files.key.exists() {
            let kept = Self::from_files(&files)?;
            if kept.still_serves(authority, names, now)? {
                return Ok(kept);
            }
        }
        let made = authority.issue_server(names, now).context("making a server certificate")?;
        write_atomically(&files.key, made.key_pem.as_bytes(), 0o600)?;
        write_atomically(&files.cert, made.cert_chain_pem.as_bytes(), 0o644)?;
        tracing::info!(not_after = %made.not_after, names = names.join(","), "made a server certificate");
        Ok(Self { chain_pem: made.cert_chain_pem, key_pem: made.key_pem.to_string() })
    }

    fn still_serves(&self, authority: &Authority, names: &[String], now: DateTime<Utc>) -> Result<bool> {
        let chain = self.chain()?;
        let Some(leaf_der) = chain.first() else { return Ok(false) };
        let (_, leaf) = X509Certificate::from_der(leaf_der).context("reading the server certificate")?;
        let (begins, ends) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
        let last_part = (ends - begins) / i64::from(LIFE_PARTS);
        let signed_here = chain.get(1).is_some_and(|issuer| issuer.as_ref() == authority.cert_der());
        let held = names_of(&leaf);
        Ok(signed_here && ends - now.timestamp() > last_part && names.iter().all(|name| held.contains(name)))
    }

    /// The certificates, leaf first.
    ///
    /// # Errors
    /// When the PEM text holds none.
    pub fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .context("reading the certificate chain")?;
        if chain.is_empty() {
            bail!("no certificate in the file");
        }
        Ok(chain)
    }

    /// The private key.
    ///
    /// # Errors
    /// When the PEM text holds none.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).context("reading the private key")
    }

    /// When the leaf ends.
    ///
    /// # Errors
    /// When the leaf cannot be read.
    pub fn not_after(&self) -> Result<DateTime<Utc>> {
        let chain = self.chain()?;
        let leaf = chain.first().context("no certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf).context("reading the server certificate")?;
        DateTime::from_timestamp(leaf.validity().not_after.timestamp(), 0).context("no such moment")
    }

    fn certified_key(&self) -> Result<CertifiedKey> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(self.chain()?, self.key()?, &provider)
            .context("the private key does not belong to the certificate")
    }

    /// `sha256//<base64>` of the leaf's public key, the form `curl --pinnedpubkey` takes (RFC 7469 section 2.4).
    ///
    /// # Errors
    /// When the leaf cannot be read.
    pub fn public_key_pin(&self) -> Result<String> {
        let chain = self.chain()?;
        let leaf = chain.first().context("no certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf).context("reading the server certificate")?;
        let digest = Sha256::digest(leaf.public_key().raw);
        Ok(format!("sha256//{}", base64::engine::general_purpose::STANDARD.encode(digest)))
    }
}

/// The certificate that a listener shows. It can be exchanged while connections are open.
#[derive(Debug)]
pub struct ShownCertificate(ArcSwap<CertifiedKey>);

impl ShownCertificate {
    /// Shows `certificate`.
    ///
    /// # Errors
    /// When it cannot be read or its key belongs to another one.
    pub fn new(certificate: &ServerCertificate) -> Result<Self> {
        Ok(Self(ArcSwap::from_pointee(certificate.certified_key()?)))
    }

    /// Shows another one from the next handshake on.
    ///
    /// # Errors
    /// As for [`Self::new`]; the present one stays then.
    pub fn set(&self, certificate: &ServerCertificate) -> Result<()> {
        self.0.store(Arc::new(certificate.certified_key()?));
        Ok(())
    }
}

impl ResolvesServerCert for ShownCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// DNS names and addresses a certificate of this machine should carry, the name people use first.
pub fn own_names(public_host: &str, extra: &[String]) -> Vec<String> {
    let mut names = vec![public_host.trim_matches(['[', ']']).to_owned()];
    names.extend(extra.iter().cloned());
    names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]);
    if let Ok(hostname) = nix::unistd::gethostname() {
        names.push(hostname.to_string_lossy().to_lowercase());
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    names
}

fn names_of(leaf: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return BTreeSet::new() };
    let name = |general: &GeneralName<'_>| match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            long => <[u8; 16]>::try_from(long).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

/// Writes a file so that a crash leaves the old or the new content.
///
/// # Errors
/// Naming the file.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let draft = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;
    use ctops_crypto::authority::Purpose;

    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_certificate_is_kept_until_a_name_is_missing_or_its_end_is_near() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let authority = Authority::generate(Purpose::ServerCa, now).unwrap();
        let make = |list: &[&str], at| {
            ServerCertificate::load_or_make(dir.path(), &authority, &names(list), at).unwrap()
        };
        let first = make(&["localhost", "127.0.0.1", "::1"], now);
        assert_eq!(make(&["localhost", "::1"], now).chain_pem, first.chain_pem, "kept");
        let renamed = make(&["ops.example.com", "localhost"], now);
        assert_ne!(renamed.chain_pem, first.chain_pem, "a new name makes a new certificate");
        let life = renamed.not_after().unwrap() - now;
        let before_the_last_third = now + life * 2 / 3 - TimeDelta::days(2);
        assert_eq!(make(&["localhost"], before_the_last_third).chain_pem, renamed.chain_pem, "kept");
        let in_the_last_third = now + life * 2 / 3 + TimeDelta::days(2);
        assert_ne!(make(&["localhost"], in_the_last_third).chain_pem, renamed.chain_pem, "renewed");
        assert!(first.public_key_pin().unwrap().starts_with("sha256//"));
    }

    /// Spec: deployment 10
    #[test]
    fn a_certificate_with_the_key_of_another_is_refused_and_the_present_one_stays() {
        let authority = Authority::generate(Purpose::ServerCa, Utc::now()).unwrap();
        let make = || {
            let made = authority.issue_server(&names(&["localhost"]), Utc::now()).unwrap();
            ServerCertificate { chain_pem: made.cert_chain_pem, key_pem: made.key_pem.to_string() }
        };
        let (one, other) = (make(), make());
        let shown = ShownCertificate::new(&one).unwrap();
        let leaf = || shown.0.load().cert[0].clone();
        let mixed = ServerCertificate { chain_pem: other.chain_pem.clone(), key_pem: one.key_pem.clone() };
        assert!(shown.set(&mixed).is_err());
        assert_eq!(leaf(), one.chain().unwrap()[0]);
        shown.set(&other).unwrap();
        assert_eq!(leaf(), other.chain().unwrap()[0]);
    }

    #[test]
    fn another_authority_makes_a_new_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let make = || {
            let authority = Authority::generate(Purpose::ServerCa, now).unwrap();
            ServerCertificate::load_or_make(dir.path(), &authority, &names(&["localhost"]), now)
                .unwrap()
                .chain_pem
        };
        assert_ne!(make(), make());
    }

    #[test]
    fn names_are_unique_and_begin_with_the_public_one() {
        let list = own_names("[::1]", &names(&["localhost", "ops.local"]));
        assert_eq!(list[0], "::1");
        assert_eq!(list.iter().filter(|name| *name == "localhost").count(), 1);
        assert!(list.contains(&"ops.local".to_owned()));
    }
}
