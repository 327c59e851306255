//! `ssh_key_scan`: public keys that may log in to this host, and those its accounts hold.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ctops_base::text;
use ring::digest;
use serde::{Deserialize, Serialize};

use super::describe::bits;
use super::{Outcome, Tools, Verdict, accounts, document, fitted};
use crate::files;

/// Largest key file, bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// Keys and warnings in one report.
const MAX_KEYS: usize = 5000;
const MAX_WARNINGS: usize = 100;
const MAX_TEXT: usize = 512;
const IDENTITIES: &[&str] = &["id_rsa.pub", "id_ed25519.pub", "id_ecdsa.pub", "id_dsa.pub"];

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SshKeys {
    scan_paths: Option<Vec<String>>,
    skip_paths: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Report<'r> {
    keys: Option<&'r [Key]>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'r [String],
}

#[derive(Debug, Serialize)]
struct Key {
    key_type: String,
    #[serde(skip_serializing_if = "is_zero")]
    bit_length: usize,
    fingerprint_sha256: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
    file_path: String,
    key_source: &'static str,
    associated_username: String,
    #[serde(skip_serializing_if = "is_zero")]
    key_age_seconds: usize,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// What a scan collects.
struct Scan<'s> {
    skipped: &'s [String],
    now: i64,
    keys: Vec<Key>,
    warnings: Vec<String>,
}

impl SshKeys {
    pub(super) fn run(&self, tools: &Tools) -> Outcome {
        let now = tools.clock.now();
        let skipped = self.skip_paths.as_deref().unwrap_or_default();
        let mut scan = Scan { skipped, now: now.timestamp(), keys: Vec::new(), warnings: Vec::new() };
        match accounts::logins(&tools.sources.etc) {
            Ok(logins) => {
                let mut homes = std::collections::HashSet::new();
                for login in logins.iter().filter(|login| login.home.starts_with('/')) {
                    // Several accounts may share a home; the first one counts.
                    if homes.insert(login.home.clone()) {
                        scan.home(Path::new(&login.home), &login.name);
                    }
                }
            }
            Err(error) => scan.warn(&format!("passwd: {error}")),
        }
        for path in self.scan_paths.iter().flatten() {
            scan.file(Path::new(path), "authorized_keys", &user_of(path));
        }
        scan.outcome(tools.max_document)
    }
}

impl Scan<'_> {
    fn home(&mut self, home: &Path, user: &str) {
        let folder = home.join(".ssh");
        self.file(&folder.join("authorized_keys"), "authorized_keys", user);
        for name in IDENTITIES {
            self.file(&folder.join(name), "identity", user);
        }
    }

    fn warn(&mut self, warning: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(text::clean(warning, MAX_TEXT));
        }
    }

    fn file(&mut self, path: &Path, source: &'static str, user: &str) {
        if self.skipped.iter().any(|skipped| Path::new(skipped) == path) {
            return;
        }
        let (content, age) = match read(path, self.now) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.warn(&format!("{}: {error}", path.display())),
        };
        for line in content.lines() {
            if self.keys.len() == MAX_KEYS {
                return self.warn(&format!("more than {MAX_KEYS} keys, the rest is left out"));
            }
            if let Some(public) = parse(line) {
                self.keys.push(Key {
                    key_type: public.key_type,
                    bit_length: public.bit_length,
                    fingerprint_sha256: public.fingerprint,
                    comment: public.comment,
                    file_path: path.display().to_string(),
                    key_source: source,
                    associated_username: user.to_owned(),
                    key_age_seconds: age,
                });
            }
        }
    }

    fn outcome(self, max_document: usize) -> Outcome {
        let Self { keys, warnings, .. } = self;
        let text = fitted(keys, max_document, |keys, truncated| {
            let keys = Some(keys).filter(|keys| !keys.is_empty());
            document(&Report { keys, truncated, warnings: &warnings })
        });
        Outcome::document(Verdict::Pass, text)
    }
}

fn read(path: &Path, now: i64) -> io::Result<(String, usize)> {
    // Without O_NONBLOCK, opening a named pipe would wait for ever.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let modified = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(i64::try_from(modified.as_secs()).unwrap_or(i64::MAX));
    let content = files::read_open(file, MAX_FILE)?;
    Ok((String::from_utf8_lossy(&content).into_owned(), usize::try_from(age).unwrap_or(0)))
}

/// The account a path belongs to: the part behind `home`, or `root`.
fn user_of(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let behind_home = parts.iter().position(|part| *part == "home").and_then(|at| parts.get(at + 1));
    match behind_home {
        Some(user) => (*user).to_owned(),
        None if parts.contains(&"root") => "root".to_owned(),
        None => String::new(),
    }
}

/// One public key.
#[derive(Debug, PartialEq, Eq)]
struct Public {
    key_type: String,
    bit_length: usize,
    fingerprint: String,
    comment: String,
}

/// A line of sshd(8)'s AUTHORIZED_KEYS FILE FORMAT: options, type, key, comment. `None` if it holds no key.
fn parse(line: &str) -> Option<Public> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (key_type, rest) = first_word(line);
    let (key_type, rest) = if is_key_type(key_type) {
        (key_type, rest)
    } else {
        let behind = behind_options(line)?;
        first_word(behind)
    };
    if !is_key_type(key_type) {
        return None;
    }
    let (encoded, comment) = first_word(rest);
    let blob = STANDARD.decode(encoded).ok()?;
    let mut fields = Fields(&blob);
    // The type is also inside the key; a line where both differ is none.
    if fields.next()? != key_type.as_bytes() {
        return None;
    }
    let hash = digest::digest(&digest::SHA256, &blob);
    Some(Public {
        key_type: text::clean(key_type, 64),
        bit_length: bit_length(key_type, fields),
        fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)),
        comment: text::clean(comment, MAX_TEXT),
    })
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Behind the first blank that is not in quotes.
fn behind_options(line: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return Some(&line[at..]),
            _ => {}
        }
    }
    None
}

fn is_key_type(word: &str) -> bool {
    word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-") || word.starts_with("sk-")
}

/// The fields of a key (RFC 4253 section 6.6), each with its length in front.
struct Fields<'f>(&'f [u8]);

impl<'f> Fields<'f> {
    fn next(&mut self) -> Option<&'f [u8]> {
        let (length, rest) = self.0.split_at_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }
}

/// Size of the key in bits, 0 if unknown.
fn bit_length(key_type: &str, mut fields: Fields<'_>) -> usize {
    match key_type {
        "ssh-ed25519" | "sk-ssh-ed25519@openssh.com" => 256,
        "ssh-rsa" => {
            let _exponent = fields.next();
            fields.next().map_or(0, bits)
        }
        "ssh-dss" => fields.next().map_or(0, bits),
        _ if key_type.contains("nistp256") => 256,
        _ if key_type.contains("nistp384") => 384,
        _ if key_type.contains("nistp521") => 521,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// A key blob of a type with fields.
    pub(super) fn line(key_type: &str, fields: &[&[u8]], comment: &str) -> String {
        let mut blob = Vec::new();
        for field in [key_type.as_bytes()].iter().chain(fields) {
            blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            blob.extend_from_slice(field);
        }
        format!("{key_type} {} {comment}", STANDARD.encode(blob))
    }

    #[test]
    fn size_of_an_rsa_key_when_read_then_is_that_of_its_modulus() {
        for (bytes, expected) in [(256, 2048), (384, 3072), (512, 4096)] {
            let mut modulus = vec![0u8];
            modulus.extend(std::iter::repeat_n(0xc5, bytes));
            let key = parse(&line("ssh-rsa", &[&[1, 0, 1], &modulus], "a b")).unwrap();
            assert_eq!((key.bit_length, key.comment.as_str()), (expected, "a b"));
        }
    }

    #[test]
    fn line_with_options_when_read_then_the_key_behind_them_is_found() {
        let plain = line("ssh-ed25519", &[&[7; 32]], "me@host");
        let key = parse(&plain).unwrap();
        assert_eq!(key.bit_length, 256);
        assert!(key.fingerprint.starts_with("SHA256:") && key.fingerprint.len() == 50);
        let with_options = format!("no-pty,command=\"echo \\\"hi there\\\"\" {plain}");
        assert_eq!(parse(&with_options), Some(key));
        for bad in ["", "# comment", "ssh-rsa", "ssh-rsa !!!", "words that are no key", "\"open"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let other_type = plain.replacen("ssh-ed25519", "ssh-rsa", 1);
        assert_eq!(parse(&other_type), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in "\\PC{0,80}", blob: Vec<u8>) {
            let _ = parse(&line);
            let _ = parse(&format!("ssh-rsa {}", STANDARD.encode(blob)));
        }
    }
}
