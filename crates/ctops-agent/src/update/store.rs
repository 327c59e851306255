//! The directory of the updated programs: `<data_dir>/program`.
//!
//! ```text
//! state.json             which program runs
//! v1.2.3.part            a download that goes on
//! v1.2.3/ct-ops-agent    a program
//! v1.2.3/manifest.json   its manifest, exactly as it was signed
//! v1.2.3/manifest.sig    the manifest's signature
//! trust/v1.2.3.json      a manifest that names further keys, with its signature beside it; kept for good
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ctops_proto::release::{Artifact, MAX_MANIFEST_BYTES, Manifest, SIGNATURE_BYTES, Version};
use ring::digest;
use tracing::warn;

use super::offer::{Key, Platform, Refusal, verify_manifest};
use super::state::{Entry, UpdateState};
use crate::data_dir::hex;
use crate::files;

/// Directory below the data directory.
pub const PROGRAM_DIR: &str = "program";
const STATE_FILE: &str = "state.json";
const PROGRAM_FILE: &str = "ct-ops-agent";
const MANIFEST_FILE: &str = "manifest.json";
const SIGNATURE_FILE: &str = "manifest.sig";
const TRUST_DIR: &str = "trust";
/// Changes of the signing key that are followed.
const MAX_TRUST_FILES: usize = 64;
const MAX_STATE_BYTES: u64 = 64 * 1024;

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
    key: Key,
}

/// Why a stored program is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("program cannot be read")]
    File(#[from] io::Error),
    #[error("program differs from its manifest")]
    Changed,
}

impl Store {
    pub(super) fn new(data_dir: &Path, key: Key) -> Self {
        Self { dir: data_dir.join(PROGRAM_DIR), key }
    }

    /// The keys that are trusted: the own one, and those that signed releases have named since. The installed program
    /// knows its own key only and finds the way from there to the present one.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = vec![self.key];
        let mut named = self.trust_files();
        loop {
            let before = named.len();
            named.retain(|(json, signature)| match verify_manifest(&keys, json, signature) {
                Ok(manifest) => {
                    keys.extend(manifest.trusted().unwrap_or_default());
                    false
                }
                Err(_) => true,
            });
            if named.len() == before {
                return keys;
            }
        }
    }

    /// Manifests that name further keys, with their signatures, not verified.
    fn trust_files(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.dir.join(TRUST_DIR)) else { return Vec::new() };
        let manifests = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension() == Some("json".as_ref()));
        let read = |path: PathBuf| {
            let signature = files::read(&path.with_extension("sig"), SIGNATURE_BYTES as u64).ok()?;
            Some((files::read(&path, MAX_MANIFEST_BYTES as u64).ok()?, signature))
        };
        manifests.take(MAX_TRUST_FILES).filter_map(read).collect()
    }

    /// Remembers the further keys that a verified manifest names.
    pub(super) fn trust(&self, version: Version, manifest: &[u8], signature: &[u8]) -> io::Result<()> {
        let dir = self.dir.join(TRUST_DIR);
        self.make_dir(&dir)?;
        files::replace(&dir.join(format!("{version}.sig")), signature, 0o600)?;
        files::replace(&dir.join(format!("{version}.json")), manifest, 0o600)
    }

    /// The stored state. One that cannot be read counts as none: the installed program runs then.
    pub(super) fn load(&self) -> UpdateState {
        let text = match files::read_text_if_present(&self.dir.join(STATE_FILE), MAX_STATE_BYTES) {
            Ok(None) => return UpdateState::default(),
            Ok(Some(text)) => UpdateState::parse(&text),
            Err(error) => Err(error),
        };
        text.unwrap_or_else(|error| {
            warn!(err = %error, "state of updates cannot be read, starting without");
            UpdateState::default()
        })
    }

    pub(super) fn save(&self, state: &UpdateState) -> io::Result<()> {
        self.make_dir(&self.dir)?;
        let text = serde_json::to_string_pretty(state)?;
        files::replace(&self.dir.join(STATE_FILE), text.as_bytes(), 0o600)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn version_dir(&self, version: Version) -> PathBuf {
        self.dir.join(version.to_string())
    }

    /// Where a version's program is.
    pub(super) fn program(&self, version: Version) -> PathBuf {
        self.version_dir(version).join(PROGRAM_FILE)
    }

    /// The version whose program `path` is.
    pub(super) fn version_of(&self, path: &Path) -> Option<Version> {
        let dir = fs::canonicalize(&self.dir).ok()?;
        let inside = fs::canonicalize(path).ok()?;
        let mut parts = inside.strip_prefix(dir).ok()?.components();
        parts.next()?.as_os_str().to_str()?.parse().ok()
    }

    fn partial(&self, version: Version) -> PathBuf {
        self.dir.join(format!("{version}.part"))
    }

    /// Opens the unfinished download of a version; how many bytes of it there are.
    pub(super) fn open_partial(&self, version: Version, size: u64) -> io::Result<(File, u64)> {
        self.make_dir(&self.dir)?;
        let path = self.partial(version);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let present = file.metadata()?.len();
        if present <= size {
            return Ok((file, present));
        }
        file.set_len(0)?;
        Ok((file, 0))
    }

    /// Throws the unfinished download away.
    pub(super) fn drop_partial(&self, version: Version) {
        if let Err(error) = files::remove_if_present(&self.partial(version)) {
            warn!(err = %error, "download cannot be removed");
        }
    }

    /// Makes a complete download the program of its version, with the manifest it was checked against.
    pub(super) fn adopt(&self, version: Version, manifest: &[u8], signature: &[u8]) -> io::Result<()> {
        let dir = self.version_dir(version);
        self.make_dir(&dir)?;
        files::replace(&dir.join(MANIFEST_FILE), manifest, 0o600)?;
        files::replace(&dir.join(SIGNATURE_FILE), signature, 0o600)?;
        let partial = self.partial(version);
        fs::set_permissions(&partial, Permissions::from_mode(0o700))?;
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, dir.join(PROGRAM_FILE))?;
        File::open(&dir)?.sync_all()?;
        File::open(&self.dir)?.sync_all()
    }

    /// Whether the unfinished download is the artifact, complete.
    pub(super) fn partial_is(&self, version: Version, artifact: &Artifact) -> io::Result<bool> {
        is_artifact(&self.partial(version), artifact)
    }

    /// Checks a stored program against its signed manifest; where it is.
    pub(super) fn usable(&self, entry: &Entry, platform: Platform) -> Result<PathBuf, Unusable> {
        let dir = self.version_dir(entry.version);
        let json = files::read(&dir.join(MANIFEST_FILE), MAX_MANIFEST_BYTES as u64)?;
        let signature = files::read(&dir.join(SIGNATURE_FILE), SIGNATURE_BYTES as u64)?;
        let manifest: Manifest = verify_manifest(&self.keys(), &json, &signature)?;
        let program = self.program(entry.version);
        let artifact = manifest.artifact(platform.os, platform.arch).ok_or(Unusable::Changed)?;
        if manifest.version != entry.version || !is_artifact(&program, artifact)? {
            return Err(Unusable::Changed);
        }
        Ok(program)
    }

    /// Removes programs and downloads that `state` does not need.
    pub(super) fn tidy(&self, state: &UpdateState) {
        let kept: Vec<String> = state.kept().iter().map(Version::to_string).collect();
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.strip_suffix(".part").unwrap_or(&name);
            if version.parse::<Version>().is_err() || kept.contains(&name) {
                continue;
            }
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed {
                warn!(err = %error, "program no longer needed cannot be removed");
            }
        }
    }
}

/// Whether a file has size and digest of the artifact. Reads it in pieces: a program has megabytes.
fn is_artifact(path: &Path, artifact: &Artifact) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.metadata()?.len() != artifact.size {
        return Ok(false);
    }
    let mut context = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 32 * 1024];
    let mut rest = file.take(artifact.size);
    loop {
        let read = rest.read(&mut piece)?;
        if read == 0 {
            return Ok(hex(context.finish().as_ref()) == artifact.sha256);
        }
        context.update(&piece[..read]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use ctops_proto::release;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const PLATFORM: Platform = Platform { os: "linux", arch: "amd64" };

    fn entry(version: &str) -> Entry {
        let version = version.parse().unwrap();
        Entry { version, pinned: false, installed_version: version }
    }

    /// A store that holds v1.1.0, and the manifest of it.
    fn filled(content: &[u8]) -> (tempfile::TempDir, Store, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let signer = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let store = Store::new(dir.path(), signer.public_key().as_ref().try_into().unwrap());
        let artifact = Artifact {
            os: "linux".into(),
            arch: "amd64".into(),
            url: String::new(),
            size: content.len() as u64,
            sha256: hex(digest::digest(&digest::SHA256, content).as_ref()),
            signature: release::to_hex(&[0; SIGNATURE_BYTES]),
        };
        let manifest = Manifest {
            channel: "stable".into(),
            version: "v1.1.0".parse().unwrap(),
            minimum_version: "v1.0.0".parse().unwrap(),
            released_at: String::new(),
            artifacts: vec![artifact],
            also_trust: Vec::new(),
        };
        let json = serde_json::to_vec(&manifest).unwrap();
        let (mut file, present) = store.open_partial(manifest.version, 100).unwrap();
        assert_eq!(present, 0);
        file.write_all(content).unwrap();
        assert!(store.partial_is(manifest.version, &manifest.artifacts[0]).unwrap());
        store.adopt(manifest.version, &json, signer.sign(&json).as_ref()).unwrap();
        (dir, store, manifest)
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn program_when_changed_after_its_update_then_is_not_used() {
        let (_dir, store, _) = filled(b"program");
        let program = store.usable(&entry("v1.1.0"), PLATFORM).unwrap();
        assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(store.version_of(&program).unwrap().to_string(), "v1.1.0");
        assert!(store.version_of(Path::new("/bin/sh")).is_none());
        let other = Platform { os: "linux", arch: "arm64" };
        assert!(matches!(store.usable(&entry("v1.1.0"), other), Err(Unusable::Changed)));
        assert!(matches!(store.usable(&entry("v1.2.0"), PLATFORM), Err(Unusable::File(_))));
        fs::write(&program, b"Program").unwrap();
        assert!(matches!(store.usable(&entry("v1.1.0"), PLATFORM), Err(Unusable::Changed)));
        fs::write(&program, b"programs").unwrap();
        assert!(matches!(store.usable(&entry("v1.1.0"), PLATFORM), Err(Unusable::Changed)));
        fs::write(&program, b"program").unwrap();
        let manifest = program.with_file_name(MANIFEST_FILE);
        let mut json = fs::read(&manifest).unwrap();
        json.push(b' ');
        fs::write(&manifest, json).unwrap();
        assert!(matches!(
            store.usable(&entry("v1.1.0"), PLATFORM),
            Err(Unusable::Refused(Refusal::Signature))
        ));
    }

    /// Three keys, each named by a release that the one before signed.
    #[test]
    fn keys_when_releases_name_further_ones_then_are_followed_in_any_order_and_strangers_are_not() {
        let (_dir, store, mut manifest) = filled(b"program");
        let signer = |seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = |seed| -> Key { signer(seed).public_key().as_ref().try_into().unwrap() };
        let mut name = |version: &str, by: u8, key: u8| {
            manifest.also_trust = vec![release::to_hex(&public(key))];
            let json = serde_json::to_vec(&manifest).unwrap();
            store.trust(version.parse().unwrap(), &json, signer(by).sign(&json).as_ref()).unwrap();
        };
        name("v1.1.0", 2, 3);
        assert_eq!(store.keys(), [public(1)], "nobody trusted has named key 2 yet");
        name("v1.2.0", 1, 2);
        name("v1.3.0", 9, 8);
        assert_eq!(store.keys(), [public(1), public(2), public(3)]);
    }

    #[test]
    fn download_when_cut_off_then_goes_on_and_one_that_is_too_long_begins_anew() {
        let (_dir, store, manifest) = filled(b"program");
        let version = "v1.2.0".parse().unwrap();
        store.open_partial(version, 7).unwrap().0.write_all(b"prog").unwrap();
        let (mut file, present) = store.open_partial(version, 7).unwrap();
        assert_eq!(present, 4);
        file.write_all(b"ram").unwrap();
        assert!(store.partial_is(version, &manifest.artifacts[0]).unwrap());
        assert_eq!(store.open_partial(version, 3).unwrap().1, 0);
    }

    #[test]
    fn programs_that_nothing_refers_to_are_removed_and_a_damaged_state_counts_as_none() {
        let (dir, store, _) = filled(b"program");
        assert_eq!(store.load(), UpdateState::default());
        let state = UpdateState { current: Some(entry("v1.1.0")), ..UpdateState::default() };
        store.save(&state).unwrap();
        assert_eq!(store.load(), state);
        drop(store.open_partial("v1.2.0".parse().unwrap(), 7).unwrap());
        fs::create_dir(dir.path().join("program/v1.0.0")).unwrap();
        store.tidy(&state);
        let mut left: Vec<_> =
            fs::read_dir(dir.path().join("program")).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["state.json", "v1.1.0"]);
        fs::write(dir.path().join("program/state.json"), "{").unwrap();
        assert_eq!(store.load(), UpdateState::default());
    }
}
