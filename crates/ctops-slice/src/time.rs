//! Moments as the API writes them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A moment in an answer: ISO 8601, UTC, always three decimals (api-conventions 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-06-03T12:00:00.000Z")]
pub struct Timestamp(pub DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_moment_always_has_three_decimals_and_a_z() {
        let text = |micros| {
            let at = Timestamp(DateTime::from_timestamp_micros(micros).unwrap());
            serde_json::to_string(&at).unwrap()
        };
        assert_eq!(text(1_780_488_000_000_000), r#""2026-06-03T12:00:00.000Z""#);
        assert_eq!(text(1_780_488_000_123_999), r#""2026-06-03T12:00:00.123Z""#);
    }
}
