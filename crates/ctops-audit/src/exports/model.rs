//! An export.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::format::Format;
use crate::event::{Hash, micros};

/// An export as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Export {
    pub(super) id: Uuid,
    pub(super) format: Format,
    /// The filter as it was asked for, with the range of time spelled out.
    pub(super) filter: Value,
    /// The chain's end at that moment.
    pub(super) last_seq: i64,
    pub(super) events: i64,
    pub(super) first_hash: Option<Hash>,
    pub(super) last_hash: Option<Hash>,
    pub(super) exporter_id: Uuid,
    pub(super) exporter: String,
    pub(super) created_at: DateTime<Utc>,
    /// Since the file was fetched once.
    pub(super) signed: Option<Signed>,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) sha256: Hash,
    pub(super) signature: Vec<u8>,
    pub(super) public_key: Vec<u8>,
}

/// The bytes an export's signature is over.
pub(super) fn signed_message(export_id: Uuid, file_sha256: &Hash) -> String {
    format!("ct-ops audit export v1\n{export_id}\n{}\n", hex::encode(file_sha256))
}

impl Export {
    /// What the file says about itself: name and value.
    pub(super) fn about(&self) -> Vec<(&'static str, String)> {
        let hash = |hash: Option<Hash>| hash.map(hex::encode).unwrap_or_default();
        vec![
            ("export", self.id.to_string()),
            ("generated_at", micros(self.created_at)),
            ("exporter", self.exporter.clone()),
            ("filter", self.filter.to_string()),
            ("events", self.events.to_string()),
            ("first_hash", hash(self.first_hash)),
            ("last_hash", hash(self.last_hash)),
        ]
    }
}
