//! The queue directory: who has it open, and which log it is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use uuid::Uuid;

use super::disk::sync_directory;
use crate::queue::QueueError;

const LOCK_FILE: &str = "lock";
const IDENTITY_FILE: &str = "identity";
/// First words of the identity file; the number is the version of the directory layout.
const IDENTITY_PREFIX: &str = "ctops-queue 1 ";

/// An opened queue directory. Nobody else can open it while this value lives.
#[derive(Debug)]
pub(super) struct Directory {
    /// Random identity made when the directory was first used.
    pub(super) log_id: Uuid,
    _lock: File,
}

/// Creates the directory if needed, locks it and finds out its identity.
pub(super) fn open(path: &Path) -> Result<Directory, QueueError> {
    create(path).map_err(QueueError::storage("create the queue directory"))?;
    let lock = lock(path)?;
    let identity = path.join(IDENTITY_FILE);
    let log_id = match fs::read_to_string(&identity) {
        Ok(text) => parse_identity(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_identity(path)?,
        Err(error) => return Err(QueueError::storage("read the identity of the queue")(error)),
    };
    Ok(Directory { log_id, _lock: lock })
}

/// Creates the directory and what is missing above it, so that all of it survives a loss of power.
fn create(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(path)?;
    for created in missing {
        // A relative path of one part lies in the working directory.
        let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, QueueError> {
    let failed = QueueError::storage("lock the queue directory");
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK_FILE));
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message, so it may fail or be empty.
            let _ = file.take(64).read_to_string(&mut holder);
            return Err(QueueError::Locked { holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id()));
    // A full disk must not keep consumers from draining the queue; the lock itself is held already.
    if let Err(error) = written {
        tracing::debug!(%error, "The process id could not be written to the lock file");
    }
    Ok(file)
}

fn parse_identity(text: &str) -> Result<Uuid, QueueError> {
    text.strip_prefix(IDENTITY_PREFIX)
        .and_then(|id| Uuid::try_parse(id.trim_end()).ok())
        .ok_or_else(|| QueueError::Directory("its identity file is not one this program can read".into()))
}

fn create_identity(path: &Path) -> Result<Uuid, QueueError> {
    if holds_records(path).map_err(QueueError::storage("look into the queue directory"))? {
        // A new identity would make consumers start over, so it is never made for existing records.
        return Err(QueueError::Directory("it holds records but its identity file is missing".into()));
    }
    let log_id = Uuid::new_v4();
    let unnamed = path.join("identity.tmp");
    let written = (|| {
        let mut file = File::create(&unnamed)?;
        writeln!(file, "{IDENTITY_PREFIX}{log_id}")?;
        file.sync_all()?;
        fs::rename(&unnamed, path.join(IDENTITY_FILE))?;
        sync_directory(path)
    })();
    written.map_err(QueueError::storage("create the identity of the queue"))?;
    Ok(log_id)
}

fn holds_records(path: &Path) -> std::io::Result<bool> {
    for topic in fs::read_dir(path)? {
        let topic = topic?;
        if topic.file_type()?.is_dir() && fs::read_dir(topic.path())?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn directory_opened_again_keeps_its_identity() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap().log_id;
        assert_eq!(open(dir.path()).unwrap().log_id, first);
    }

    #[test]
    fn directory_is_created_with_what_is_missing_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("state/of/queue");
        let first = open(&deep).unwrap().log_id;
        assert_eq!(open(&deep).unwrap().log_id, first);
    }

    #[test]
    fn directory_with_a_foreign_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(IDENTITY_FILE), "ctops-queue 2 something").unwrap();
        assert!(matches!(open(dir.path()), Err(QueueError::Directory(_))));
    }

    #[test]
    fn directory_with_records_but_no_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("metrics.raw")).unwrap();
        fs::write(dir.path().join("metrics.raw/00000000000000000000.log"), "x").unwrap();
        let refusal = open(dir.path()).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "the queue directory cannot be used: it holds records but its identity file is missing"
        );
    }
}
