//! Where a page ended: the time and id of its last event, unreadable for clients so that they do not make their own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ctops_base::{FieldProblem, Problem, ProblemKind};
use uuid::Uuid;

use super::filter::is_plausible;

/// An event's place in the order newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: DateTime<Utc>,
    pub(super) id: Uuid,
}

impl Cursor {
    pub(super) fn write(self) -> String {
        let mut bytes = self.at.timestamp_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// `bad_cursor`.
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 24).ok_or_else(bad)?;
        let (at, id) = bytes.split_at(8);
        let micros = i64::from_be_bytes(at.try_into().map_err(|_| bad())?);
        Ok(Self {
            at: DateTime::from_timestamp_micros(micros).filter(|at| is_plausible(*at)).ok_or_else(bad)?,
            id: Uuid::from_slice(id).map_err(|_| bad())?,
        })
    }
}

fn bad() -> Problem {
    let message = "is not a cursor of this list".to_owned();
    let field = FieldProblem { path: "cursor".to_owned(), code: "bad_cursor", message: message.clone() };
    Problem::new(ProblemKind::Invalid, "bad_cursor", format!("cursor {message}")).with_fields(vec![field])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn cursor_is_read_back_and_anything_else_is_refused() {
        let cursor = Cursor {
            at: DateTime::from_timestamp_micros(1_780_488_000_123_456).unwrap(),
            id: Uuid::from_u128(9),
        };
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        let far = URL_SAFE_NO_PAD.encode([0x7f; 24]);
        for bad in ["", "x", "AAAA", &cursor.write()[1..], far.as_str(), "' OR 1=1"] {
            assert_eq!(Cursor::read(bad).unwrap_err().code(), "bad_cursor", "{bad}");
        }
    }
}
