//! Text that must not be shown.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A password or code as a person typed it. `Debug` does not show it, and it cannot be printed or serialised.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the long name makes each use easy to find.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Written by hand, because the derived error for a wrong type repeats the value ("invalid type: integer `1234`").
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("passwords and codes must be text")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn debug_of_a_secret_shows_nothing_of_it() {
        assert!(!format!("{:?}", Secret::new("marker-4711")).contains("4711"));
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_refused_without_repeating_it() {
        assert_eq!(serde_json::from_str::<Secret>("\"x\"").unwrap().reveal(), "x");
        for wrong in ["4711", "[\"4711\"]", "{\"a\":4711}", "null"] {
            let error = serde_json::from_str::<Secret>(wrong).unwrap_err().to_string();
            assert!(!error.contains("4711"), "{error}");
        }
    }
}
