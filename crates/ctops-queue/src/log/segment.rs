//! Segment files: a header, then frames, then zeros up to the allocated size.
//!
//! The name is the offset of the first record, 20 digits, `.log`. The header has 64 bytes: magic (8), version (4),
//! zeros (4), base offset (8), log id (16), zeros (20), CRC32C of the 60 bytes before it (4). A file gets its name only
//! after its header is durable, so a named file always has a whole header.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::disk::{Disk, sync_directory};

/// Where the first frame of a segment begins.
pub(super) const HEADER_BYTES: u64 = 64;
const MAGIC: [u8; 8] = *b"CTOPSLOG";
const VERSION: u32 = 1;
const SUM_AT: usize = 60;

/// What readers and the writer share about one segment file.
#[derive(Debug)]
pub(super) struct Segment {
    /// Offset of the first record.
    pub(super) base: u64,
    pub(super) path: PathBuf,
    durable: AtomicU64,
    allocated: AtomicU64,
}

impl Segment {
    pub(super) fn new(base: u64, path: PathBuf, durable: u64, allocated: u64) -> Self {
        Self { base, path, durable: AtomicU64::new(durable), allocated: AtomicU64::new(allocated) }
    }

    /// Bytes of the file that are durable and may be read.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, bytes: u64) {
        self.durable.store(bytes, Ordering::Release);
    }

    /// Disk space the file takes.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Relaxed)
    }

    pub(super) fn set_allocated(&self, bytes: u64) {
        self.allocated.store(bytes, Ordering::Relaxed);
    }
}

/// The file name of the segment that begins with `base`.
pub(super) fn file_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// The base offset in a file name, if it is a segment's.
pub(super) fn base_of(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Creates a durable, empty, preallocated segment. An existing file of the same name is replaced.
pub(super) fn create(
    disk: &dyn Disk,
    directory: &Path,
    base: u64,
    log_id: Uuid,
    bytes: u64,
) -> io::Result<File> {
    let unnamed = directory.join(format!("{base:020}.tmp"));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unnamed)?;
    let filled = (|| {
        disk.allocate(&file, bytes)?;
        disk.write(&file, &header(base, log_id), 0)?;
        disk.sync(&file)?;
        fs::rename(&unnamed, directory.join(file_name(base)))?;
        sync_directory(directory)
    })();
    if let Err(error) = filled {
        // The disk may be full: what was reserved for the attempt is given back. A left-over is removed at start.
        let _ = fs::remove_file(&unnamed);
        return Err(error);
    }
    Ok(file)
}

/// Checks the first bytes of a segment; the error says what is wrong with them.
pub(super) fn check_header(
    bytes: &[u8; HEADER_BYTES as usize],
    base: u64,
    log_id: Uuid,
) -> Result<(), String> {
    if bytes[..8] != MAGIC {
        return Err("the file does not begin like a segment".into());
    }
    let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if version != VERSION {
        return Err(format!("the segment has format version {version}, this program reads {VERSION}"));
    }
    if crc32c::crc32c(&bytes[..SUM_AT]).to_le_bytes() != bytes[SUM_AT..] {
        return Err("the checksum of the segment header is wrong".into());
    }
    if bytes[16..24] != base.to_le_bytes() {
        return Err("the segment carries the name of another one".into());
    }
    if bytes[24..40] != *log_id.as_bytes() {
        return Err("the segment belongs to another queue".into());
    }
    Ok(())
}

fn header(base: u64, log_id: Uuid) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&base.to_le_bytes());
    bytes[24..40].copy_from_slice(log_id.as_bytes());
    let sum = crc32c::crc32c(&bytes[..SUM_AT]);
    bytes[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_base_is_read_back_and_other_names_are_not() {
        assert_eq!(base_of(&file_name(0)), Some(0));
        assert_eq!(base_of(&file_name(u64::MAX)), Some(u64::MAX));
        for other in
            ["1.log", "00000000000000000001.tmp", "0000000000000000000x.log", "99999999999999999999.log"]
        {
            assert_eq!(base_of(other), None, "{other}");
        }
    }

    #[test]
    fn header_with_any_changed_byte_is_refused() {
        let id = Uuid::from_u128(77);
        let good = header(9, id);
        assert_eq!(check_header(&good, 9, id), Ok(()));
        for at in 0..good.len() {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(check_header(&bad, 9, id).is_err(), "byte {at}");
        }
    }

    #[test]
    fn header_of_another_queue_or_place_is_refused_with_the_reason() {
        let bytes = header(9, Uuid::from_u128(1));
        assert_eq!(
            check_header(&bytes, 9, Uuid::from_u128(2)),
            Err("the segment belongs to another queue".into())
        );
        assert_eq!(
            check_header(&bytes, 8, Uuid::from_u128(1)),
            Err("the segment carries the name of another one".into())
        );
    }

    #[test]
    fn header_of_a_newer_version_names_both_versions() {
        let mut bytes = header(0, Uuid::nil());
        bytes[8] = 2;
        assert_eq!(
            check_header(&bytes, 0, Uuid::nil()),
            Err("the segment has format version 2, this program reads 1".into())
        );
    }
}
