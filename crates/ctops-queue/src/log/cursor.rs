//! Reads the frames of one segment file in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};

use super::frame::{self, Decoded, Frame};
use super::segment::HEADER_BYTES;

/// How much is read from the file at once, unless one frame is larger.
const CHUNK_BYTES: u64 = 256 * 1024;

/// A place in a segment file, always at the beginning of a frame.
#[derive(Debug)]
pub(super) struct Cursor {
    file: File,
    /// Base offset of the segment.
    pub(super) base: u64,
    /// File position of the next frame.
    pub(super) at: u64,
    /// Offset the next frame must carry.
    pub(super) next_offset: u64,
    /// What was read ahead, beginning at `at`.
    ahead: Bytes,
}

/// What a step of the cursor found.
#[derive(Debug)]
pub(super) enum Step {
    Record {
        frame: Frame,
        key: Bytes,
        payload: Bytes,
    },
    /// Everything up to the limit was read, or unwritten space begins.
    End,
    /// The bytes here are not the frame that must be here.
    Damaged(&'static str),
}

impl Cursor {
    /// Starts at the first frame of a segment whose header was checked.
    pub(super) fn new(file: File, base: u64) -> Self {
        Self { file, base, at: HEADER_BYTES, next_offset: base, ahead: Bytes::new() }
    }

    /// Reads the next frame. Bytes at and after `limit` are not looked at.
    pub(super) fn step(&mut self, limit: u64) -> io::Result<Step> {
        let mut needed = 4;
        loop {
            if (self.ahead.len() as u64) < needed {
                let left = limit.saturating_sub(self.at);
                if left < needed {
                    // Less than a length field is left: at the most padding, which holds no frame.
                    return Ok(if left < 4 { Step::End } else { Step::Damaged("the record is cut off") });
                }
                self.read_ahead(needed.max(CHUNK_BYTES).min(left))?;
            }
            match frame::decode(&self.ahead) {
                Decoded::Incomplete { needed: more } => needed = more as u64,
                Decoded::End => return Ok(Step::End),
                Decoded::Damaged => return Ok(Step::Damaged("the checksum or length is wrong")),
                Decoded::Frame(frame) if frame.offset != self.next_offset => {
                    return Ok(Step::Damaged("the record carries another offset"));
                }
                Decoded::Frame(frame) => return Ok(self.take(frame)),
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Step {
        let bytes = self.ahead.split_to(frame.total());
        self.at += bytes.len() as u64;
        self.next_offset += 1;
        Step::Record {
            key: bytes.slice(frame.key.clone()),
            payload: bytes.slice(frame.payload.clone()),
            frame,
        }
    }

    fn read_ahead(&mut self, bytes: u64) -> io::Result<()> {
        let mut chunk = BytesMut::zeroed(usize::try_from(bytes).map_err(io::Error::other)?);
        self.file.read_exact_at(&mut chunk, self.at)?;
        self.ahead = chunk.freeze();
        Ok(())
    }
}
