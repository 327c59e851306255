//! An event as it is stored, and its canonical form.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The columns of [`Event`], of a table called `e`.
pub(crate) const COLUMNS: &str = "e.id, e.at, e.org_id, e.actor_kind, e.actor_id, e.actor_name, e.action, \
     e.target_type, e.target_id, e.target_label, e.outcome, e.reason_code, e.cause, e.summary, e.before, e.after, \
     e.repeats, e.ip, e.user_agent, e.request_id, e.session_hash, e.auth_method, e.second_factor, e.api_key_id";

/// SHA-256.
pub type Hash = [u8; 32];

/// What the first event of a chain follows.
pub const GENESIS: Hash = [0; 32];

/// An event as it was written (audit-log 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Event {
    /// Id, ordered by time.
    pub id: Uuid,
    /// When, to the microsecond.
    #[serde(serialize_with = "write_micros")]
    pub at: DateTime<Utc>,
    /// Organisation; none for the whole installation.
    pub org_id: Option<Uuid>,
    /// `user`, `api_key`, `system`, `agent`, `setup`, `support_cli` or `anonymous`.
    pub actor_kind: String,
    /// Whose id it is depends on the kind.
    pub actor_id: Option<String>,
    /// Name at the time.
    pub actor_name: Option<String>,
    /// What was done.
    pub action: String,
    /// Kind of thing it was done to.
    pub target_type: String,
    /// Its id.
    pub target_id: Option<String>,
    /// What people called it at the time.
    pub target_label: Option<String>,
    /// `success`, `denied` or `failed`.
    pub outcome: String,
    /// Why it was denied or failed.
    pub reason_code: Option<String>,
    /// What made the server act.
    pub cause: Option<String>,
    /// One sentence.
    pub summary: String,
    /// State before.
    pub before: Option<Value>,
    /// State after.
    pub after: Option<Value>,
    /// Equal attempts it stands for.
    pub repeats: i32,
    /// Client address.
    pub ip: Option<String>,
    /// Client program.
    pub user_agent: Option<String>,
    /// Request.
    pub request_id: Option<String>,
    /// Names the session.
    pub session_hash: Option<String>,
    /// How the session was started.
    pub auth_method: Option<String>,
    /// Whether a second factor was used.
    pub second_factor: Option<bool>,
    /// API key that was used.
    pub api_key_id: Option<Uuid>,
}

fn write_micros<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&micros(*at))
}

/// A moment with microseconds, as the canonical form and exports write it.
pub(crate) fn micros(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Event {
    /// The bytes that are hashed: one JSON object with all fields, keys sorted at every level, no white space, times in
    /// UTC with six decimals. Anybody can write the same from an export.
    pub fn canonical(&self) -> String {
        let mut out = String::with_capacity(512);
        // A struct of plain fields always becomes a value.
        write_sorted(&mut out, &serde_json::to_value(self).unwrap_or_default());
        out
    }

    /// The hash of this event as the successor of an event with the hash `previous` (audit-log 7).
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(self.canonical().as_bytes());
        hasher.finalize().into()
    }
}

fn write_sorted(out: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_sorted(out, &members[name]);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(out, item);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// An event with its place in the chain, as exports and forwarders write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct SealedEvent {
    /// Place in the chain of the organisation, from 1.
    pub seq: i64,
    /// Hash of the event before, hex.
    #[serde(with = "hex_hash")]
    #[sqlx(try_from = "Vec<u8>")]
    pub prev_hash: HashBytes,
    /// Hash of this event, hex.
    #[serde(with = "hex_hash")]
    #[sqlx(try_from = "Vec<u8>")]
    pub hash: HashBytes,
    /// The event.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub event: Event,
}

impl SealedEvent {
    /// Whether the hash is that of the event.
    pub fn is_intact(&self) -> bool {
        self.event.hash(&self.prev_hash.0) == self.hash.0
    }
}

/// A hash in a row or an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashBytes(pub Hash);

/// A stored hash that has not 32 bytes.
#[derive(Debug, thiserror::Error)]
#[error("a stored hash has {0} bytes, not 32")]
pub struct BadHash(usize);

impl TryFrom<Vec<u8>> for HashBytes {
    type Error = BadHash;

    fn try_from(bytes: Vec<u8>) -> Result<Self, BadHash> {
        bytes.as_slice().try_into().map(Self).map_err(|_| BadHash(bytes.len()))
    }
}

mod hex_hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::HashBytes;

    pub(super) fn serialize<S: Serializer>(hash: &HashBytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashBytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).map_err(D::Error::custom)?;
        HashBytes::try_from(bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    pub(crate) fn sample() -> Event {
        Event {
            id: Uuid::from_u128(1),
            at: DateTime::from_timestamp_micros(1_780_488_000_123_456).unwrap(),
            org_id: Some(Uuid::from_u128(2)),
            actor_kind: "user".into(),
            actor_id: Some(Uuid::from_u128(3).to_string()),
            actor_name: Some("Ada \"L\"".into()),
            action: "host.updated".into(),
            target_type: "host".into(),
            target_id: Some("4".into()),
            target_label: Some("web-1".into()),
            outcome: "success".into(),
            reason_code: None,
            cause: None,
            summary: "=changed | it".into(),
            before: Some(json!({"b": 1.5, "a": [true, null]})),
            after: Some(json!({"a": "ä\n"})),
            repeats: 1,
            ip: Some("192.0.2.1".into()),
            user_agent: None,
            request_id: Some("req-12345678".into()),
            session_hash: None,
            auth_method: Some("password".into()),
            second_factor: Some(false),
            api_key_id: None,
        }
    }

    /// Spec: audit-log 7
    #[test]
    fn canonical_form_does_not_depend_on_the_order_of_keys() {
        let event = sample();
        assert!(event.canonical().starts_with(r#"{"action":"host.updated","actor_id":"00000000-"#));
        assert!(event.canonical().contains(r#""at":"2026-06-03T12:00:00.123456Z","auth_method""#));
        let mut other = event.clone();
        other.before = serde_json::from_str(r#"{"a":[true,null],"b":1.50}"#).unwrap();
        assert_eq!(other.canonical(), event.canonical());
        let again: Event = serde_json::from_str(&event.canonical()).unwrap();
        assert_eq!(again, event);
    }

    /// Spec: audit-log 7
    #[test]
    fn hash_when_any_field_or_the_predecessor_differs_is_another() {
        let event = sample();
        let hash = event.hash(&GENESIS);
        assert_eq!(hash, event.hash(&GENESIS));
        assert_ne!(hash, event.hash(&[1; 32]));
        for change in [
            |e: &mut Event| e.summary.push('x'),
            |e: &mut Event| e.ip = None,
            |e: &mut Event| e.second_factor = Some(true),
            |e: &mut Event| e.after = None,
            |e: &mut Event| e.at += chrono::TimeDelta::microseconds(1),
        ] {
            let mut changed = event.clone();
            change(&mut changed);
            assert_ne!(changed.hash(&GENESIS), hash);
        }
        let sealed = SealedEvent { seq: 1, prev_hash: HashBytes(GENESIS), hash: HashBytes(hash), event };
        assert!(sealed.is_intact());
        let line = serde_json::to_string(&sealed).unwrap();
        assert_eq!(serde_json::from_str::<SealedEvent>(&line).unwrap(), sealed);
    }
}
