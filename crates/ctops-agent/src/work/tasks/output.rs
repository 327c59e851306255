//! The output of a task on its way to the server: whole lines, standard output and standard error merged.

use crate::work::outbox::Outbox;
use crate::work::program::Stream;

/// A line longer than this is sent in pieces, bytes.
const MAX_LINE: usize = 4 * 1024;

/// Cuts output into lines.
pub(super) struct TaskOutput<'o> {
    outbox: &'o Outbox,
    task_id: &'o str,
    /// Begun lines of standard output and standard error.
    begun: [Vec<u8>; 2],
}

impl<'o> TaskOutput<'o> {
    /// The output of the task `task_id`.
    pub(super) fn new(outbox: &'o Outbox, task_id: &'o str) -> Self {
        Self { outbox, task_id, begun: Default::default() }
    }

    /// A piece of a program's output.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let begun = match stream {
            Stream::Out => &mut self.begun[0],
            Stream::Err => &mut self.begun[1],
        };
        begun.extend_from_slice(bytes);
        let complete = match begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if begun.len() >= MAX_LINE => whole_characters(begun),
            None => return,
        };
        let text = String::from_utf8_lossy(&begun[..complete]).into_owned();
        begun.drain(..complete);
        self.outbox.progress(self.task_id, &text);
    }

    /// A line of the agent's own.
    pub(super) fn say(&mut self, line: &str) {
        self.outbox.progress(self.task_id, &format!("{line}\n"));
    }

    /// The last lines, which may lack their end.
    pub(super) fn finish(self) {
        for begun in &self.begun {
            self.outbox.progress(self.task_id, &String::from_utf8_lossy(begun));
        }
    }
}

/// How many bytes of `bytes` do not end within a character: at most the last three are left.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(error) => {
            let rest = error.valid_up_to() + error.error_len().unwrap_or(1);
            rest + whole_characters(&bytes[rest..])
        }
        Ok(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctops_proto::agent::HeartbeatRequest;
    use proptest::prelude::*;

    fn sent(outbox: &Outbox) -> String {
        let mut report = HeartbeatRequest::default();
        outbox.drain(&mut report);
        report.task_progress.into_iter().map(|chunk| chunk.output_chunk).collect()
    }

    #[test]
    fn output_when_it_comes_in_pieces_then_goes_out_in_lines() {
        let outbox = Outbox::default();
        let mut output = TaskOutput::new(&outbox, "t");
        output.push(Stream::Out, b"one\ntw");
        assert_eq!(sent(&outbox), "one\n");
        output.push(Stream::Err, b"warning\n");
        assert_eq!(sent(&outbox), "warning\n");
        output.push(Stream::Out, b"o\nthr\xc3");
        output.push(Stream::Out, b"\xa4");
        assert_eq!(sent(&outbox), "two\n");
        output.finish();
        assert_eq!(sent(&outbox), "thr\u{e4}");
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces_arrives_unchanged(text in "\\PC{0,200}", size in 1usize..7) {
            let outbox = Outbox::default();
            let mut output = TaskOutput::new(&outbox, "t");
            let long = text.repeat(30);
            for piece in long.as_bytes().chunks(size) {
                output.push(Stream::Out, piece);
            }
            output.finish();
            prop_assert_eq!(sent(&outbox), long);
        }

        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            prop_assert!(whole_characters(&bytes) <= bytes.len());
        }
    }
}
