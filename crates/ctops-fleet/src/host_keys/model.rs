//! Keys and what becomes of reported ones.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// One key of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub(super) struct HostKey {
    /// For example `ssh-ed25519`.
    pub(super) algorithm: String,
    /// `SHA256:` and unpadded base64, as `ssh-keygen -l` prints it.
    pub(super) fingerprint_sha256: String,
}

/// The keys of one host.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct HostKeys {
    pub(super) host_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) trusted: Json<Vec<HostKey>>,
    pub(super) trusted_at: DateTime<Utc>,
    pub(super) pending: Option<Json<Vec<HostKey>>>,
    pub(super) pending_since: Option<DateTime<Utc>>,
}

/// What a host reported.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) host_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) keys: Vec<HostKey>,
    pub(super) at: DateTime<Utc>,
}

/// The fingerprints of `keys`.
pub(super) fn fingerprints(keys: &[HostKey]) -> BTreeSet<&str> {
    keys.iter().map(|key| key.fingerprint_sha256.as_str()).collect()
}

/// What is known after `report`; none when nothing changes.
pub(super) fn after(known: Option<&HostKeys>, report: &Reported) -> Option<HostKeys> {
    let Some(known) = known else {
        return Some(HostKeys {
            host_id: report.host_id,
            org_id: report.org_id,
            trusted: Json(report.keys.clone()),
            trusted_at: report.at,
            pending: None,
            pending_since: None,
        });
    };
    let reported = fingerprints(&report.keys);
    let (pending, pending_since) = match &known.pending {
        _ if reported == fingerprints(&known.trusted) => (None, None),
        Some(pending) if reported == fingerprints(pending) => return None,
        _ => (Some(Json(report.keys.clone())), Some(report.at)),
    };
    let changed = HostKeys { pending, pending_since, ..known.clone() };
    (changed != *known).then_some(changed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(name: &str) -> HostKey {
        HostKey { algorithm: "ssh-ed25519".to_owned(), fingerprint_sha256: name.to_owned() }
    }

    fn report(names: &[&str], second: i64) -> Reported {
        Reported {
            host_id: Uuid::from_u128(1),
            org_id: Uuid::from_u128(2),
            keys: names.iter().map(|name| key(name)).collect(),
            at: DateTime::from_timestamp(second, 0).unwrap(),
        }
    }

    #[test]
    fn first_keys_are_trusted_others_wait_until_the_trusted_ones_are_back() {
        let first = after(None, &report(&["a", "b"], 1)).unwrap();
        assert_eq!((first.trusted.0.len(), &first.pending), (2, &None));
        assert_eq!(after(Some(&first), &report(&["b", "a"], 2)), None, "the order says nothing");
        let changed = after(Some(&first), &report(&["a", "c"], 3)).unwrap();
        assert_eq!(changed.trusted, first.trusted, "nobody but a person replaces trusted keys");
        assert_eq!(changed.pending_since, DateTime::from_timestamp(3, 0));
        assert_eq!(after(Some(&changed), &report(&["c", "a"], 4)), None, "the same change is told once");
        let other = after(Some(&changed), &report(&["d"], 5)).unwrap();
        assert_eq!(other.pending.clone().unwrap().0, [key("d")]);
        assert_eq!(after(Some(&other), &report(&["a", "b"], 6)).unwrap(), first);
    }
}
