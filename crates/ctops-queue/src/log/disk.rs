//! What the log asks of the disk, in one place, so that tests can let it fail or lose power.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// The operations whose failure must not cost an acknowledged record.
pub(super) trait Disk: Send + Sync {
    /// Makes the file at least `bytes` long, with its space taken from the disk. New space reads as zeros.
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()>;
    /// Writes all bytes at `at`.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when everything written to the file survives a loss of power.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Cuts the file to `bytes`.
    fn cut(&self, file: &File, bytes: u64) -> io::Result<()>;
}

/// The disk of this machine.
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        match fallocate(file, FallocateFlags::empty(), 0, bytes.cast_signed()) {
            Ok(()) => Ok(()),
            // Some file systems cannot reserve space. A sparse file works as well, only its syncs are slower and a full
            // disk shows when writing.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) if file.metadata()?.len() < bytes => file.set_len(bytes),
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }
}

/// Makes created, renamed and removed names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
