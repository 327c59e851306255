//! Samples measured while there is no stream, and those the server did not acknowledge: one hour of them, delivered
//! after reconnecting (monitoring 4).
//!
//! They are kept in memory only: they survive every reconnect, but not a restart of the agent. A restart of the host
//! makes a gap in any case, and an agent that writes to disk while its network is down would be one more thing that
//! can fill it.

use std::collections::VecDeque;

use ctops_proto::agent::BufferedSample;
use prost::Message;

mod sample;

pub use sample::from_report;

/// How old a sample may become before it is dropped, seconds.
pub const KEPT_FOR_SECS: i64 = 3600;
/// Most samples kept: an hour at the shortest interval of 5 s.
pub const MAX_SAMPLES: usize = 720;
/// Most bytes kept. A sample of a usual host has about 300; only hosts with hundreds of file systems come near this.
pub const MAX_BYTES: usize = 512 * 1024;
/// Samples delivered in one message.
pub const PER_MESSAGE: usize = 120;

/// One sample, encoded: that is a tenth of the memory of the message.
#[derive(Debug)]
struct Kept {
    timestamp_unix: i64,
    encoded: Box<[u8]>,
}

/// The buffer, oldest sample first.
#[derive(Debug, Default)]
pub struct SampleBuffer {
    samples: VecDeque<Kept>,
    bytes: usize,
    lost: u64,
}

impl SampleBuffer {
    /// Adds samples, each at its place in time; the oldest make room. `now` in Unix seconds.
    pub fn add(&mut self, samples: impl IntoIterator<Item = BufferedSample>, now: i64) {
        let mut in_order = true;
        for sample in samples {
            let encoded = sample.encode_to_vec().into_boxed_slice();
            self.bytes += encoded.len();
            in_order &=
                self.samples.back().is_none_or(|newest| newest.timestamp_unix <= sample.timestamp_unix);
            self.samples.push_back(Kept { timestamp_unix: sample.timestamp_unix, encoded });
        }
        if !in_order {
            self.samples.make_contiguous().sort_by_key(|sample| sample.timestamp_unix);
        }
        self.shed(now);
    }

    /// Takes the oldest samples, as many as go into one message. `now` in Unix seconds.
    pub fn take(&mut self, now: i64) -> Vec<BufferedSample> {
        self.shed(now);
        let count = self.samples.len().min(PER_MESSAGE);
        let taken: Vec<Kept> = self.samples.drain(..count).collect();
        self.bytes -= taken.iter().map(|sample| sample.encoded.len()).sum::<usize>();
        if self.samples.is_empty() {
            // The memory of a long outage is given back.
            self.samples = VecDeque::new();
        }
        // The bytes were encoded from the same message.
        taken
            .iter()
            .map(|sample| BufferedSample::decode(sample.encoded.as_ref()).unwrap_or_default())
            .collect()
    }

    /// Drops everything and says how many samples that were.
    pub fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.samples).len()
    }

    /// Samples waiting.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Samples dropped since the last call because they were too old or too many.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn shed(&mut self, now: i64) {
        while let Some(oldest) = self.samples.front() {
            let expired = now.saturating_sub(oldest.timestamp_unix) > KEPT_FOR_SECS;
            if !expired && self.samples.len() <= MAX_SAMPLES && self.bytes <= MAX_BYTES {
                return;
            }
            self.bytes -= oldest.encoded.len();
            self.lost += 1;
            self.samples.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
