//! `cert_file`: the certificate in a file of this host is within its life time.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::describe::Facts;
use super::{Outcome, Verdict, document, keystore};
use crate::files;

/// Largest file, bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Longest path, bytes (monitoring, table of check types).
const MAX_PATH: usize = 4096;
/// File systems of the kernel are no place for certificates.
const FORBIDDEN: &[&str] = &["/proc", "/sys", "/dev"];

/// Parameters; the spelling of the original's forms is accepted too.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct CertFile {
    #[serde(alias = "filePath")]
    file_path: String,
    format: String,
    password: String,
    alias: String,
}

impl std::fmt::Debug for CertFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertFile").field("file_path", &self.file_path).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Report<'r> {
    file_path: &'r str,
    format: &'r str,
    #[serde(flatten)]
    facts: Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl CertFile {
    pub(super) fn run(&self, now: DateTime<Utc>) -> Outcome {
        let (verdict, facts, error) = match self.certificate().and_then(|der| Facts::of(&der, now)) {
            Ok((facts, true)) => (Verdict::Pass, facts, None),
            Ok((facts, false)) => (Verdict::Fail, facts, None),
            Err(error) => (Verdict::Error, Facts::none(), Some(error)),
        };
        let report = Report { file_path: &self.file_path, format: &self.format, facts, error };
        Outcome::document(verdict, document(&report))
    }

    fn certificate(&self) -> Result<CertificateDer<'static>, String> {
        let content = self.content()?;
        match self.format.as_str() {
            "pem" => CertificateDer::from_pem_slice(&content)
                .map_err(|_| "no certificate in PEM found in the file".to_owned()),
            "pkcs12" => keystore::pkcs12::certificate(&content, &self.password),
            // Since Java 9 its tools write PKCS#12 under the old name.
            "jks" if content.first() == Some(&0x30) => {
                keystore::pkcs12::certificate(&content, &self.password)
            }
            "jks" => keystore::jks::certificate(&content, &self.password, &self.alias),
            other => Err(format!("unsupported format: {other}")),
        }
    }

    fn content(&self) -> Result<Vec<u8>, String> {
        let path = Path::new(&self.file_path);
        if !path.is_absolute() || self.file_path.len() > MAX_PATH {
            return Err(format!("the path must be absolute and have at most {MAX_PATH} bytes"));
        }
        if path.components().any(|part| matches!(part, Component::ParentDir)) {
            return Err("the path must not contain ..".to_owned());
        }
        let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
        if fs::symlink_metadata(path).map_err(unreadable)?.is_symlink() {
            return Err("the path is a symbolic link".to_owned());
        }
        let real = fs::canonicalize(path).map_err(unreadable)?;
        if FORBIDDEN.iter().any(|forbidden| real.starts_with(forbidden) || path.starts_with(forbidden)) {
            return Err("the path must not be under /proc, /sys or /dev".to_owned());
        }
        let mut options = OpenOptions::new();
        // Without O_NONBLOCK, opening a named pipe would wait for ever.
        let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path);
        let file = file.map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err("the path is not a regular file".to_owned());
        }
        files::read_open(file, MAX_FILE).map_err(unreadable)
    }
}
