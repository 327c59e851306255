//! The directory of the updated programs: `<data_dir>/program`.
//!
//! ```text
//! state.json             which program runs
//! v1.2.3.part            a download that goes on
//! v1.2.3/ct-ops-agent    a program
//! v1.2.3/manifest.json   its manifest, exactly as it was signed
//! v1.2.3/manifest.sig    the manifest's signature
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

    pub(super) fn key(&self) -> &Key {
        &self.key
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
        let manifest: Manifest = verify_manifest(&self.key, &json, &signature)?;
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
