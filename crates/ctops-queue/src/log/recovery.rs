//! Opening what a former process left behind.
//!
//! Only the last segment of a topic can end in the remains of a crash, because a segment is begun after everything in
//! the one before it is durable. Its torn tail is cut off: nothing in it was acknowledged. Damage before records that
//! were durable is reported and stops the start, so that nothing acknowledged is skipped in silence.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::cursor::{Cursor, Step};
use super::disk::{Disk, sync_directory};
use super::frame::find_later_group;
use super::segment::{self, HEADER_BYTES, Segment};
use crate::queue::QueueError;
use crate::topic::Topic;

/// The files of one topic, ready for reading and appending.
pub(super) struct Recovered {
    /// In order of their base offsets.
    pub(super) segments: Vec<Arc<Segment>>,
    /// The offset the next record gets.
    pub(super) next_offset: u64,
    /// The last segment, opened for appending at the position.
    pub(super) tail: Option<(File, u64)>,
}

/// Where the readable part of a segment ends.
struct Scan {
    next_offset: u64,
    end: u64,
    /// Written bytes after the end: the remains of a commit that was never acknowledged.
    torn_bytes: u64,
}

/// Opens the directory of one topic, creating it if needed.
pub(super) fn recover(
    disk: &dyn Disk,
    directory: &Path,
    topic: Topic,
    log_id: Uuid,
    segment_bytes: u64,
) -> Result<Recovered, QueueError> {
    let bases = list(directory)?;
    let Some(&last) = bases.last() else {
        return Ok(Recovered { segments: Vec::new(), next_offset: 0, tail: None });
    };
    let mut segments = Vec::with_capacity(bases.len());
    for base in bases {
        let path = directory.join(segment::file_name(base));
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(QueueError::storage("open a segment"))?;
        let length = file.metadata().map_err(QueueError::storage("look at a segment"))?.len();
        check(&file, length, topic, base, log_id)?;
        if base != last {
            segments.push(Arc::new(Segment::new(base, path, length, length)));
            continue;
        }
        let scan = scan(&file, length, topic, base)?;
        clean(disk, &file, &scan, topic, segment_bytes)?;
        let allocated = length.max(segment_bytes);
        segments.push(Arc::new(Segment::new(base, path, scan.end, allocated)));
        return Ok(Recovered { segments, next_offset: scan.next_offset, tail: Some((file, scan.end)) });
    }
    Err(QueueError::Directory("its segments changed while it was opened".into()))
}

/// The base offsets of the topic's segments in order. Files that never got their name are removed.
fn list(directory: &Path) -> Result<Vec<u64>, QueueError> {
    let listed = (|| {
        fs::create_dir_all(directory)?;
        if let Some(parent) = directory.parent() {
            sync_directory(parent)?;
        }
        let mut bases = Vec::new();
        for file in fs::read_dir(directory)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if let Some(base) = segment::base_of(&name) {
                bases.push(base);
            } else if name.ends_with(".tmp") {
                fs::remove_file(file.path())?;
            }
        }
        bases.sort_unstable();
        Ok(bases)
    })();
    listed.map_err(QueueError::storage("list the segments of a topic"))
}

fn check(file: &File, length: u64, topic: Topic, base: u64, log_id: Uuid) -> Result<(), QueueError> {
    let mut header = [0; HEADER_BYTES as usize];
    let verdict = if length < HEADER_BYTES {
        Err("the segment is shorter than its header".to_owned())
    } else {
        file.read_exact_at(&mut header, 0).map_err(QueueError::storage("read a segment header"))?;
        segment::check_header(&header, base, log_id)
    };
    verdict.map_err(|detail| QueueError::Corrupt { topic, offset: base, segment: base, byte: 0, detail })
}

/// Reads the last segment to its end and judges what follows.
fn scan(file: &File, length: u64, topic: Topic, base: u64) -> Result<Scan, QueueError> {
    let reading = "read a segment";
    let own = file.try_clone().map_err(QueueError::storage(reading))?;
    let mut cursor = Cursor::new(own, base);
    let detail = loop {
        match cursor.step(length).map_err(QueueError::storage(reading))? {
            Step::Record { .. } => {}
            Step::End => break "the length is zero",
            Step::Damaged(detail) => break detail,
        }
    };
    let rest = written_rest(file, cursor.at, length).map_err(QueueError::storage(reading))?;
    if let Some(later) = find_later_group(&rest, cursor.next_offset) {
        return Err(QueueError::Corrupt {
            topic,
            offset: cursor.next_offset,
            segment: base,
            byte: cursor.at,
            detail: format!(
                "{detail}, but the later record {later} is intact, so this is not the end of the log"
            ),
        });
    }
    Ok(Scan { next_offset: cursor.next_offset, end: cursor.at, torn_bytes: rest.len() as u64 })
}

/// The bytes from `at` up to the last one that is not zero.
fn written_rest(file: &File, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    const CHUNK_BYTES: u64 = 1024 * 1024;
    let mut written = at;
    let mut chunk = vec![0; CHUNK_BYTES as usize];
    let mut position = at;
    while position < length {
        let part = &mut chunk[..CHUNK_BYTES.min(length - position) as usize];
        file.read_exact_at(part, position)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            written = position + last as u64 + 1;
        }
        position += part.len() as u64;
    }
    let mut rest = vec![0; (written - at) as usize];
    file.read_exact_at(&mut rest, at)?;
    Ok(rest)
}

/// Removes a torn tail and makes everything before it durable: a record that a killed process had written but not yet
/// synced is readable now, and must stay so after readers have seen it.
fn clean(
    disk: &dyn Disk,
    file: &File,
    scan: &Scan,
    topic: Topic,
    segment_bytes: u64,
) -> Result<(), QueueError> {
    if scan.torn_bytes > 0 {
        tracing::warn!(
            queue.topic = %topic, queue.offset = scan.next_offset, size_bytes = scan.torn_bytes,
            "The queue was cut where the last process stopped in the middle of an unacknowledged write"
        );
        // Old bytes must not stay: behind new records of equal length they would look like valid ones.
        disk.cut(file, scan.end).map_err(QueueError::storage("cut a torn segment"))?;
    }
    if let Err(error) = disk.allocate(file, segment_bytes) {
        // Consumers must be able to drain a queue on a full disk, and only they can free its space.
        tracing::warn!(queue.topic = %topic, %error, "The space of a segment could not be reserved again");
    }
    disk.sync(file).map_err(QueueError::storage("sync a segment"))
}
