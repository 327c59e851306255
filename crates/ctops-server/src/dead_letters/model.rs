//! What may be shown of a letter's payload.

use ctops_queue::Topic;

/// Most bytes of a payload that are shown.
pub(super) const SHOWN_BYTES: usize = 1024;

/// The beginning of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Hexadecimal; none for topics whose records may hold what commands printed or where alerts are sent.
    pub hex: Option<String>,
    /// The same bytes as text, every other byte as a dot.
    pub text: Option<String>,
    /// Whether there is more than is shown.
    pub truncated: bool,
}

impl Preview {
    /// The preview of a payload of `size` bytes that begins with `beginning`.
    pub fn new(topic: &str, beginning: &[u8], size: usize) -> Self {
        let shown = &beginning[..beginning.len().min(SHOWN_BYTES)];
        let harmless = [Topic::METRICS_RAW, Topic::AGENT_STATUS].iter().any(|known| known.name() == topic);
        let truncated = !harmless || size > shown.len();
        let (hex, text) = if harmless { (Some(hex(shown)), Some(text(shown))) } else { (None, None) };
        Self { hex, text, truncated }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn text(bytes: &[u8]) -> String {
    let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    bytes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_shown_as_hex_and_printable_text() {
        let preview = Preview::new("metrics.raw", b"\x0a\x02a<\xff", 5);
        assert_eq!(preview.hex.as_deref(), Some("0a02613cff"));
        assert_eq!(preview.text.as_deref(), Some("..a<."));
        assert!(!preview.truncated);
    }

    #[test]
    fn large_payload_is_cut() {
        let preview = Preview::new("agent.status", &[b'x'; SHOWN_BYTES + 1], 5_000);
        assert_eq!(preview.text.map(|text| text.len()), Some(SHOWN_BYTES));
        assert!(preview.truncated);
    }

    #[test]
    fn payloads_that_may_hold_secrets_are_not_shown() {
        for topic in ["events.raw", "alerts.pending", "unknown"] {
            let preview = Preview::new(topic, b"password=hunter2", 16);
            assert_eq!((preview.hex, preview.text, preview.truncated), (None, None, true), "{topic}");
        }
    }
}
