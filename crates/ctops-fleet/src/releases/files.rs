//! The programs of releases as files, named by their SHA-256: a file is either complete and right, or not there.

use std::fs::Permissions;
use std::io::{self, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ctops_base::id::new_id;
use ctops_proto::release::{Artifact, to_hex};
use sha2::{Digest, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const PIECE_BYTES: usize = 64 * 1024;

/// The directory of programs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct ReleaseFiles {
    dir: PathBuf,
}

/// A program about to be sent.
#[derive(Debug)]
pub struct OpenProgram {
    /// Positioned at the first byte wanted.
    pub file: File,
    /// Bytes from there to the end.
    pub remaining: u64,
    /// Of the whole program, lower-case hex.
    pub sha256: String,
}

/// Why a program does not enter the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    /// The bundle is cut off or holds something else than its manifest says.
    #[error("program for {0}/{1} differs from the manifest")]
    Differs(String, String),
    /// Everybody may write the directory.
    #[error("the directory of releases is writable by everybody")]
    Open,
    /// The store cannot be written, or the bundle not be read.
    #[error("a program cannot be stored")]
    File(#[from] io::Error),
}

impl ReleaseFiles {
    /// The store below `dist_dir`.
    pub fn below(dist_dir: &Path) -> Self {
        Self { dir: dist_dir.join("releases") }
    }

    /// Takes one program out of `reader` into the store.
    pub(super) async fn take(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        artifact: &Artifact,
    ) -> Result<(), TakeError> {
        self.prepare().await?;
        let draft = self.dir.join(format!(".{}.new", new_id().simple()));
        let result = self.copy(reader, artifact, &draft).await;
        if result.is_err() {
            // The first error is the one worth telling.
            let _ = fs::remove_file(&draft).await;
        }
        result
    }

    async fn prepare(&self) -> Result<(), TakeError> {
        let exists = fs::try_exists(&self.dir).await?;
        if !exists {
            fs::create_dir_all(&self.dir).await?;
            fs::set_permissions(&self.dir, Permissions::from_mode(0o755)).await?;
        }
        let mode = fs::metadata(&self.dir).await?.permissions().mode();
        if mode & 0o002 == 0 { Ok(()) } else { Err(TakeError::Open) }
    }

    async fn copy(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        artifact: &Artifact,
        draft: &Path,
    ) -> Result<(), TakeError> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(draft).await?;
        let mut rest = reader.take(artifact.size);
        let (mut hash, mut piece, mut size) = (Sha256::new(), vec![0; PIECE_BYTES], 0);
        loop {
            let read = rest.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            size += read as u64;
            hash.update(&piece[..read]);
            file.write_all(&piece[..read]).await?;
        }
        if size != artifact.size || to_hex(&hash.finalize()) != artifact.sha256 {
            return Err(TakeError::Differs(artifact.os.clone(), artifact.arch.clone()));
        }
        file.flush().await?;
        file.sync_all().await?;
        fs::rename(draft, self.path(&artifact.sha256)).await?;
        Ok(File::open(&self.dir).await?.sync_all().await?)
    }

    /// Opens a program at `offset`; none when it is not here.
    pub(super) async fn open(&self, artifact: &Artifact, offset: u64) -> io::Result<Option<OpenProgram>> {
        let mut file = match File::open(self.path(&artifact.sha256)).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if file.metadata().await?.len() != artifact.size {
            return Ok(None);
        }
        let offset = offset.min(artifact.size);
        file.seek(SeekFrom::Start(offset)).await?;
        Ok(Some(OpenProgram { file, remaining: artifact.size - offset, sha256: artifact.sha256.clone() }))
    }

    /// `sha256` is 64 hex digits: manifests are checked before anything of them is used.
    fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(sha256)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn artifact(content: &[u8]) -> Artifact {
        Artifact {
            os: "linux".into(),
            arch: "amd64".into(),
            url: String::new(),
            size: content.len() as u64,
            sha256: to_hex(&Sha256::digest(content)),
            signature: String::new(),
        }
    }

    #[tokio::test]
    async fn program_when_taken_then_is_there_whole_and_not_writable_by_others() {
        let dir = tempfile::tempdir().unwrap();
        let files = ReleaseFiles::below(dir.path());
        let one = artifact(b"program");
        files.take(&mut &b"program and more"[..], &one).await.unwrap();
        files.take(&mut &b"program"[..], &one).await.unwrap();
        let mut open = files.open(&one, 3).await.unwrap().unwrap();
        let mut text = String::new();
        open.file.read_to_string(&mut text).await.unwrap();
        assert_eq!((text.as_str(), open.remaining), ("gram", 4));
        assert_eq!(files.open(&one, 99).await.unwrap().unwrap().remaining, 0);
        let stored = std::fs::metadata(dir.path().join("releases").join(&one.sha256)).unwrap();
        assert_eq!(stored.permissions().mode() & 0o022, 0);
        assert!(files.open(&artifact(b"other"), 0).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn program_when_cut_off_or_changed_then_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let files = ReleaseFiles::below(dir.path());
        for content in [&b"progra"[..], b"Program"] {
            let refused = files.take(&mut &content[..], &artifact(b"program")).await;
            assert!(matches!(refused, Err(TakeError::Differs(..))));
        }
        assert_eq!(std::fs::read_dir(dir.path().join("releases")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn directory_when_everybody_may_write_it_then_nothing_is_stored() {
        let dir = tempfile::tempdir().unwrap();
        let releases = dir.path().join("releases");
        std::fs::create_dir(&releases).unwrap();
        std::fs::set_permissions(&releases, Permissions::from_mode(0o777)).unwrap();
        let refused = ReleaseFiles::below(dir.path()).take(&mut &b"x"[..], &artifact(b"x")).await;
        assert!(matches!(refused, Err(TakeError::Open)));
    }
}
