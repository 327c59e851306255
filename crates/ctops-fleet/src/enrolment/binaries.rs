//! Agent programs for download.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use ctops_base::{FieldProblem, Problem};
use ctops_crypto::secret::sha256_hex;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Operating systems with an agent.
const SYSTEMS: [&str; 3] = ["linux", "darwin", "windows"];
/// Architectures with an agent.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// Bytes read from the file at a time.
const CHUNK: usize = 64 * 1024;

/// A platform that an agent may exist for. Its names come from fixed lists, so a path made of them stays where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Platform {
    os: &'static str,
    arch: &'static str,
}

impl Platform {
    /// The platform with these names.
    ///
    /// # Errors
    /// `validation_failed` listing what there is.
    pub(super) fn parse(os: Option<&str>, arch: Option<&str>) -> Result<Self, Problem> {
        let pick = |path: &str, given: Option<&str>, allowed: &[&'static str]| {
            allowed.iter().copied().find(|name| Some(*name) == given).ok_or_else(|| FieldProblem {
                path: path.to_owned(),
                code: "invalid",
                message: format!("must be one of {}", allowed.join(", ")),
            })
        };
        match (pick("os", os, &SYSTEMS), pick("arch", arch, &ARCHITECTURES)) {
            (Ok(os), Ok(arch)) => Ok(Self { os, arch }),
            (os, arch) => Err(Problem::invalid([os.err(), arch.err()].into_iter().flatten().collect())),
        }
    }

    /// Its names, operating system and architecture.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        (self.os, self.arch)
    }

    /// Name of the program's file.
    pub(super) fn file_name(self) -> String {
        let suffix = if self.os == "windows" { ".exe" } else { "" };
        format!("ct-ops-agent-{}-{}{suffix}", self.os, self.arch)
    }
}

/// Digests of the programs, computed once per version of a file.
#[derive(Debug, Default)]
pub(super) struct AgentBinaries {
    digests: Mutex<HashMap<Platform, (Version, String)>>,
}

/// What changes when a file is replaced.
type Version = (u64, Option<SystemTime>);

/// A program about to be sent.
#[derive(Debug)]
pub(super) struct AgentBinary {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) body: Body,
}

impl AgentBinary {
    /// The first `bytes` bytes of `file`.
    pub(super) fn new(file: File, bytes: u64, sha256: String) -> Self {
        Self { bytes, sha256, body: stream_of(file, bytes) }
    }
}

impl AgentBinaries {
    /// Opens the program for `platform` in `directory`.
    ///
    /// # Errors
    /// `unavailable` naming the platform when there is none; `internal` when it cannot be read.
    pub(super) async fn open(&self, directory: &Path, platform: Platform) -> Result<AgentBinary, Problem> {
        let Platform { os, arch } = platform;
        let mut file =
            File::open(directory.join(platform.file_name())).await.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    Problem::unavailable(format!("there is no agent for {os}-{arch} on this server"))
                }
                _ => Problem::internal(error),
            })?;
        let facts = file.metadata().await.map_err(Problem::internal)?;
        if !facts.is_file() {
            return Err(Problem::unavailable(format!("there is no agent for {os}-{arch} on this server")));
        }
        let version = (facts.len(), facts.modified().ok());
        let known = self.known(platform, version);
        let sha256 = match known {
            Some(digest) => digest,
            None => {
                let mut content = Vec::new();
                file.read_to_end(&mut content).await.map_err(Problem::internal)?;
                file.rewind().await.map_err(Problem::internal)?;
                let digest = tokio::task::spawn_blocking(move || sha256_hex(&content)).await;
                let digest = digest.map_err(Problem::internal)?;
                self.remember(platform, version, &digest);
                digest
            }
        };
        Ok(AgentBinary::new(file, facts.len(), sha256))
    }

    fn known(&self, platform: Platform, version: Version) -> Option<String> {
        let digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.get(&platform).filter(|(of, _)| *of == version).map(|(_, digest)| digest.clone())
    }

    fn remember(&self, platform: Platform, version: Version, digest: &str) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(platform, (version, digest.to_owned()));
    }
}

/// The file's first `length` bytes, piece by piece: a fleet that installs at once must not fill the memory.
fn stream_of(file: File, length: u64) -> Body {
    Body::from_stream(stream::try_unfold(file.take(length), |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn platform_when_unknown_lists_what_there_is() {
        let problem = Platform::parse(Some("plan9"), None).unwrap_err();
        let fields: Vec<_> = problem.fields().iter().map(|f| (f.path.as_str(), f.message.as_str())).collect();
        assert_eq!(
            fields,
            [("os", "must be one of linux, darwin, windows"), ("arch", "must be one of amd64, arm64")]
        );
    }

    #[test]
    fn platform_when_a_path_is_smuggled_in_is_refused() {
        for bad in ["../linux", "linux/..", "linux\0", "Linux", " linux", "/etc/passwd", "linux%2f..", ""] {
            assert!(Platform::parse(Some(bad), Some("amd64")).is_err(), "{bad:?}");
            assert!(Platform::parse(Some("linux"), Some(bad)).is_err(), "{bad:?}");
        }
        assert_eq!(
            Platform::parse(Some("linux"), Some("arm64")).unwrap().file_name(),
            "ct-ops-agent-linux-arm64"
        );
    }
}
