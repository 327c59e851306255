//! The install key: encrypts what the database keeps sealed. Derived from `BETTER_AUTH_SECRET` or kept in a file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use ctops_config::Secret;
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::sha256;

/// Separates this use of the secret from every other.
const PURPOSE: &[u8] = b"ct-ops install key v1\0";

/// The install key: from the given secret, else from `<state>/install.key`, which is made when missing.
///
/// # Errors
/// When the file cannot be read, written or understood.
pub fn load_or_create(state_dir: &Path, secret: Option<&Secret>) -> Result<InstallKey> {
    if let Some(secret) = secret {
        let mut material = PURPOSE.to_vec();
        material.extend_from_slice(secret.expose().as_bytes());
        return Ok(InstallKey::from_bytes(&sha256(&material)));
    }
    let path = state_dir.join("install.key");
    if path.exists() {
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        return InstallKey::from_base64(text.trim()).with_context(|| {
            format!(
                "{} is damaged; restore it from a backup, the database cannot be read without it",
                path.display()
            )
        });
    }
    let key = InstallKey::generate();
    let draft = state_dir.join("install.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .with_context(|| format!("writing {}", draft.display()))?;
    file.write_all(key.to_base64().as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    fs::File::open(state_dir)?.sync_all()?;
    tracing::info!(path = %path.display(), "made a new install key; keep a copy of this file in a safe place");
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_key_is_kept_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path(), None).unwrap();
        let again = load_or_create(dir.path(), None).unwrap();
        assert_eq!(first.key_id(), again.key_id());
        let mode = fs::metadata(dir.path().join("install.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_stops_instead_of_being_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("install.key"), "not a key").unwrap();
        assert!(load_or_create(dir.path(), None).is_err());
        assert_eq!(fs::read_to_string(dir.path().join("install.key")).unwrap(), "not a key");
    }

    #[test]
    fn a_given_secret_always_makes_the_same_key_and_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let first = load_or_create(dir.path(), Some(&secret)).unwrap();
        assert_eq!(first.key_id(), load_or_create(dir.path(), Some(&secret)).unwrap().key_id());
        assert_ne!(
            first.key_id(),
            load_or_create(dir.path(), Some(&Secret::new("x".repeat(32)))).unwrap().key_id()
        );
        assert!(!dir.path().join("install.key").exists());
    }
}
