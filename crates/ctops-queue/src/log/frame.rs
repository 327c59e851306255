//! How one record lies in a segment file.
//!
//! All numbers are little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 4 | length of everything after the checksum; 0 means that nothing follows |
//! | 4 | CRC32C (RFC 3720, appendix B.4) of the length field and everything after the checksum |
//! | 8 | offset |
//! | 8 | time, milliseconds since the Unix epoch |
//! | 4 | how many records of the same commit group lie before this one |
//! | 4 | length of the key |
//! | … | key, then payload |
//!
//! The place in the commit group is what tells a torn write from damage: a group is only begun when the one before it
//! is on disk, so an unreadable record followed by a record of a *later* group cannot be the remains of a crash.

use std::ops::Range;

pub(super) use crate::queue::MAX_RECORD_BYTES;

/// Length and checksum.
const PREFIX_BYTES: usize = 8;
/// Offset, time, place in the group, key length.
const HEAD_BYTES: usize = 24;
/// What a record costs on disk beyond its key and payload.
pub(super) const OVERHEAD_BYTES: usize = PREFIX_BYTES + HEAD_BYTES;

/// A readable record; the ranges are relative to the bytes given to [`decode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) time_ms: i64,
    pub(super) place_in_group: u32,
    pub(super) key: Range<usize>,
    pub(super) payload: Range<usize>,
}

impl Frame {
    /// Bytes the whole frame takes.
    pub(super) fn total(&self) -> usize {
        self.payload.end
    }

    /// Offset of the first record of the same commit group.
    pub(super) fn group_start(&self) -> u64 {
        self.offset.saturating_sub(u64::from(self.place_in_group))
    }
}

/// What lies at the start of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Frame(Frame),
    /// A length of zero: space that was allocated and never written.
    End,
    /// More bytes must be at hand to decide.
    Incomplete {
        needed: usize,
    },
    Damaged,
}

/// Appends one frame to `buffer`. The caller has checked the size against [`MAX_RECORD_BYTES`].
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    offset: u64,
    time_ms: i64,
    place_in_group: u32,
    key: &[u8],
    payload: &[u8],
) {
    let start = buffer.len();
    let length = (HEAD_BYTES + key.len() + payload.len()) as u32;
    buffer.reserve(OVERHEAD_BYTES + key.len() + payload.len());
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&offset.to_le_bytes());
    buffer.extend_from_slice(&time_ms.to_le_bytes());
    buffer.extend_from_slice(&place_in_group.to_le_bytes());
    buffer.extend_from_slice(&(key.len() as u32).to_le_bytes());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(payload);
    let sum = checksum(&buffer[start..start + 4], &buffer[start + PREFIX_BYTES..]);
    buffer[start + 4..start + PREFIX_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the frame at the start of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let Some(length) = u32_at(bytes, 0) else {
        return Decoded::Incomplete { needed: 4 };
    };
    let length = length as usize;
    if length == 0 {
        return Decoded::End;
    }
    if !(HEAD_BYTES..=HEAD_BYTES + MAX_RECORD_BYTES).contains(&length) {
        return Decoded::Damaged;
    }
    let total = PREFIX_BYTES + length;
    if bytes.len() < total {
        return Decoded::Incomplete { needed: total };
    }
    match parse(&bytes[..total]) {
        Some(frame) if verifies(&bytes[..total]) => Decoded::Frame(frame),
        _ => Decoded::Damaged,
    }
}

/// Finds a readable frame anywhere in `bytes` whose commit group began after the record `damaged`, and returns its
/// offset. Cheap tests come first, so that bytes which are no frame rarely cost a checksum.
pub(super) fn find_later_group(bytes: &[u8], damaged: u64) -> Option<u64> {
    let farthest = damaged.saturating_add((bytes.len() / OVERHEAD_BYTES) as u64 + 1);
    (0..bytes.len().saturating_sub(OVERHEAD_BYTES - 1)).find_map(|at| {
        let length = u32_at(bytes, at)? as usize;
        if length < HEAD_BYTES {
            return None;
        }
        let total = PREFIX_BYTES.checked_add(length)?;
        let candidate = bytes.get(at..at.checked_add(total)?)?;
        let frame = parse(candidate)?;
        let later = frame.offset <= farthest && frame.group_start() > damaged;
        (later && verifies(candidate)).then_some(frame.offset)
    })
}

/// Splits a frame of exactly `bytes.len()` bytes without looking at its checksum.
fn parse(bytes: &[u8]) -> Option<Frame> {
    let offset = u64_at(bytes, PREFIX_BYTES)?;
    let time_ms = u64_at(bytes, PREFIX_BYTES + 8)? as i64;
    let place_in_group = u32_at(bytes, PREFIX_BYTES + 16)?;
    let key_length = u32_at(bytes, PREFIX_BYTES + 20)? as usize;
    let key = OVERHEAD_BYTES..OVERHEAD_BYTES.checked_add(key_length)?;
    (key.end <= bytes.len()).then_some(Frame {
        offset,
        time_ms,
        place_in_group,
        payload: key.end..bytes.len(),
        key,
    })
}

fn verifies(frame: &[u8]) -> bool {
    u32_at(frame, 4) == Some(checksum(&frame[..4], &frame[PREFIX_BYTES..]))
}

fn checksum(length: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), body)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn encoded(offset: u64, place: u32, key: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode(&mut buffer, offset, 7, place, key, payload);
        buffer
    }

    proptest! {
        #[test]
        fn frame_encoded_then_decoded_is_the_same(
            offset: u64, time: i64, place: u32, key in vec(any::<u8>(), 0..80), payload in vec(any::<u8>(), 0..900),
            following in vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = Vec::new();
            encode(&mut bytes, offset, time, place, &key, &payload);
            let total = bytes.len();
            bytes.extend(following);
            let Decoded::Frame(frame) = decode(&bytes) else { panic!("not a frame") };
            prop_assert_eq!((frame.offset, frame.time_ms, frame.place_in_group), (offset, time, place));
            prop_assert_eq!(&bytes[frame.key.clone()], &key[..]);
            prop_assert_eq!(&bytes[frame.payload.clone()], &payload[..]);
            prop_assert_eq!((frame.total(), total), (total, OVERHEAD_BYTES + key.len() + payload.len()));
        }

        #[test]
        fn frame_with_a_changed_bit_is_never_accepted(
            key in vec(any::<u8>(), 0..20), payload in vec(any::<u8>(), 0..200), place: prop::sample::Index, bit in 0..8,
        ) {
            let mut bytes = encoded(5, 0, &key, &payload);
            let at = place.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(!matches!(decode(&bytes), Decoded::Frame(_)));
        }

        #[test]
        fn decode_of_any_bytes_does_not_panic(bytes in vec(any::<u8>(), 0..300)) {
            decode(&bytes);
            find_later_group(&bytes, 3);
        }
    }

    #[test]
    fn frame_cut_at_every_byte_is_incomplete() {
        let bytes = encoded(5, 0, b"key", b"some payload");
        for cut in 0..bytes.len() {
            assert!(matches!(decode(&bytes[..cut]), Decoded::Incomplete { .. }), "cut at {cut}");
        }
    }

    #[test]
    fn zero_length_is_the_end_and_an_absurd_length_is_damage() {
        assert_eq!(decode(&[0; 40]), Decoded::End);
        assert_eq!(decode(&[255; 40]), Decoded::Damaged);
        assert_eq!(decode(&[1, 0, 0, 0, 9, 9, 9, 9, 9]), Decoded::Damaged);
    }

    #[test]
    fn later_group_is_found_and_the_same_group_is_not() {
        let mut bytes = vec![0x5a; 37];
        bytes.extend(encoded(11, 1, b"k", b"same group as the damaged record 10"));
        assert_eq!(find_later_group(&bytes, 10), None);
        bytes.extend(encoded(12, 0, b"k", b"the next group"));
        assert_eq!(find_later_group(&bytes, 10), Some(12));
    }
}
