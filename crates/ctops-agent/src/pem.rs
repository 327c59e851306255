//! PEM blocks as Go's `encoding/pem` writes them: lines of 64 characters, a trailing newline.
//!
//! The key files carry raw bytes under PEM labels (wire contract 3.7), which certificate libraries refuse, so they
//! are written and read here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const LINE: usize = 64;

/// A PEM block with `label` around `body`.
pub fn encode(label: &str, body: &[u8]) -> String {
    let encoded = STANDARD.encode(body);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The body of the first block of `text`, if that block has this label and is well formed.
pub fn decode_first(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (found, after) = after.split_once("-----")?;
    if found != label {
        return None;
    }
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn block_of_64_bytes_has_two_lines() {
        let text = encode("PRIVATE KEY", &[0xa5; 64]);
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [27, 64, 24, 25]);
        assert!(text.ends_with("-----END PRIVATE KEY-----\n"));
    }

    #[test]
    fn wrong_label_or_damaged_body_is_refused() {
        let text = encode("PUBLIC KEY", b"abc");
        assert_eq!(decode_first("PUBLIC KEY", &text).as_deref(), Some(&b"abc"[..]));
        assert_eq!(decode_first("PRIVATE KEY", &text), None);
        assert_eq!(decode_first("PUBLIC KEY", &text.replace("YWJj", "YW!j")), None);
        assert_eq!(decode_first("PUBLIC KEY", "-----BEGIN PUBLIC KEY-----\nYWJj\n"), None);
    }

    proptest! {
        #[test]
        fn any_body_survives_the_round_trip(body: Vec<u8>) {
            prop_assert_eq!(decode_first("X", &encode("X", &body)), Some(body));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(-----(BEGIN|END) X-----|[A-Za-z=\\n-])*") {
            let _ = decode_first("X", &text);
        }
    }
}
