//! The public host keys of the SSH server (wire contract 5.7): what people and the terminal compare when they connect.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ctops_proto::agent::SshHostKey;
use ring::digest;

use crate::files;

/// An RSA key of 16,384 bits has 2.8 KB.
const MAX_BYTES: u64 = 16 * 1024;
/// A host has three or four.
const MAX_KEYS: usize = 16;

/// The keys of `etc`/ssh/ssh_host_*.pub in the order of their paths, each once. Files that cannot be understood are left
/// out.
pub fn collect(etc: &Path) -> Vec<SshHostKey> {
    let Ok(entries) = fs::read_dir(etc.join("ssh")) else { return Vec::new() };
    let is_key = |name: &str| name.starts_with("ssh_host_") && name.ends_with(".pub");
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_key))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let mut keys: Vec<SshHostKey> = Vec::new();
    for path in paths {
        let key = files::read_text_if_present(&path, MAX_BYTES).ok().flatten().as_deref().and_then(parse);
        if let Some(key) = key
            && keys.len() < MAX_KEYS
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// One line `algorithm base64 comment` (sshd(8), ssh-keygen(1)). The fingerprint is that of OpenSSH: `SHA256:` and the
/// hash of the key in base64 without padding.
fn parse(text: &str) -> Option<SshHostKey> {
    let mut fields = text.lines().next()?.split_ascii_whitespace();
    let (algorithm, encoded) = (fields.next()?, fields.next()?);
    let blob = STANDARD.decode(encoded).ok()?;
    // The key itself begins with its algorithm as a string with its length (RFC 4253 section 6.6).
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if rest.get(..length)? != algorithm.as_bytes() {
        return None;
    }
    let hash = digest::digest(&digest::SHA256, &blob);
    Some(SshHostKey {
        algorithm: algorithm.to_owned(),
        fingerprint_sha256: format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    // Made with ssh-keygen; the fingerprints are those `ssh-keygen -lf` prints.
    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnnpBXBswPuugQkLDKwbrVlyz4GJFcYQou6ck4BlnF5 root@example";
    const ED25519_PRINT: &str = "SHA256:Esid8/516Q6Czrbb2O66l8KbEc67ZI2R6nG4Ml4BgDw";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLU1ezB/qwTLg9++RBBkxunlgGsi3YsLEiuuZ2zrNCuTIgJDC1Piaim2JJ261/SjyaJ8kzVPxJutCdQPT4uUS/U= root@example";
    const ECDSA_PRINT: &str = "SHA256:u/62kVPGPTqsA5unAtZB0pQr0LAZ06YMDSzfVeR+MLA";

    /// Spec: agents-enrolment 8
    #[test]
    fn keys_when_collected_then_are_sorted_by_path_once_each_with_the_fingerprint_of_openssh() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(collect(dir.path()), []);
        let ssh = dir.path().join("ssh");
        fs::create_dir(&ssh).unwrap();
        for (name, content) in [
            ("ssh_host_ed25519_key.pub", ED25519),
            ("ssh_host_ecdsa_key.pub", ECDSA),
            ("ssh_host_copy_key.pub", ED25519),
            ("ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
            ("ssh_host_odd_key.pub", "nonsense"),
            ("ssh_config", "Host *"),
            ("moduli.pub", ECDSA),
        ] {
            fs::write(ssh.join(name), content).unwrap();
        }
        let key = |algorithm: &str, print: &str| SshHostKey {
            algorithm: algorithm.to_owned(),
            fingerprint_sha256: print.to_owned(),
        };
        assert_eq!(
            collect(dir.path()),
            [key("ssh-ed25519", ED25519_PRINT), key("ecdsa-sha2-nistp256", ECDSA_PRINT)]
        );
    }

    #[test]
    fn key_when_it_is_not_what_it_says_then_is_left_out() {
        for bad in ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5"]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&ED25519.replace("ssh-ed25519 ", "ssh-rsa ")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*|ssh-rsa [A-Za-z0-9+/]{0,40}=?") {
            let _ = parse(&text);
        }
    }
}
