//! Recomputes a range of a chain (audit-log 7).

use chrono::{DateTime, Utc};
use ctops_pg::Pool;
use uuid::Uuid;

use super::checkpoint::{Checkpoint, CheckpointKind};
use super::store::{self, Place};
use crate::event::GENESIS;

/// Places read at once.
const BATCH: i64 = 5_000;
/// An event younger than this may still wait for its place.
const SEALING: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// Where a chain is broken first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Place in the chain.
    pub seq: i64,
    /// Event at that place, when it is known.
    pub event_id: Option<Uuid>,
    /// Its time.
    pub at: Option<DateTime<Utc>>,
    /// What is wrong: `event_missing`, `event_changed`, `link_missing`, `link_changed`, `checkpoint_mismatch`,
    /// `checkpoint_forged`, `end_missing` or `beginning_missing`.
    pub reason: &'static str,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events whose hash was recomputed.
    pub checked: i64,
    /// First and last place.
    pub range: Option<(i64, i64)>,
    /// Hash of the last event, hex.
    pub last_hash: Option<String>,
    /// Signed checkpoints that were compared.
    pub checkpoints: usize,
    /// Events older than a minute that never got a place: somebody kept them out of the chain.
    pub unsealed: i64,
    /// The first break.
    pub first_break: Option<Break>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.first_break.is_none() && self.unsealed == 0
    }
}

/// Verifies the chain over the events of a range of time, `to` excluded. Checkpoints must be signed with `public_key`.
///
/// # Errors
/// Those of the database.
pub async fn verify(
    pool: &Pool,
    chain_id: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    public_key: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Report, sqlx::Error> {
    let settled = to.min(now - SEALING);
    let unsealed = if settled > from { store::unsealed(pool, chain_id, from, settled).await? } else { 0 };
    let mut report = Report { unsealed, ..Report::default() };
    let Some((first, last)) = store::bounds(pool, chain_id, from, to).await? else {
        let end = store::head(pool, chain_id).await?.seq;
        let checkpoints = store::checkpoints(pool, chain_id, i64::MAX, i64::MAX).await?;
        report.first_break = missing_end(&checkpoints, end);
        return Ok(report);
    };
    report.range = Some((first, last));
    let checkpoints = store::checkpoints(pool, chain_id, first - 1, last).await?;
    report.checkpoints = checkpoints.len();
    let forged = checkpoints.iter().find(|checkpoint| !checkpoint.is_signed_by(public_key));
    let end = store::head(pool, chain_id).await?.seq;
    let walked = walk(pool, chain_id, (first, last), &checkpoints, &mut report).await?;
    let beginning = beginning(pool, chain_id, first, &checkpoints).await?;
    // A forged checkpoint comes first: what it says about the chain is worth nothing.
    let forged = forged.map(|checkpoint| at_seq(checkpoint.seq, "checkpoint_forged"));
    report.first_break =
        [beginning, walked, missing_end(&checkpoints, end)].into_iter().fold(forged, earlier);
    Ok(report)
}

fn earlier(a: Option<Break>, b: Option<Break>) -> Option<Break> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.seq < a.seq { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn at_seq(seq: i64, reason: &'static str) -> Break {
    Break { seq, event_id: None, at: None, reason }
}

fn missing_end(checkpoints: &[Checkpoint], end: i64) -> Option<Break> {
    let last = checkpoints.iter().map(|c| c.seq).max()?;
    (last > end).then(|| at_seq(end + 1, "end_missing"))
}

/// The first link that is left must follow the last one that was pruned.
async fn beginning(
    pool: &Pool,
    chain_id: Uuid,
    first: i64,
    checkpoints: &[Checkpoint],
) -> Result<Option<Break>, sqlx::Error> {
    if first == 1 || store::first_seq(pool, chain_id).await? != Some(first) {
        return Ok(None);
    }
    let pruned = checkpoints.iter().any(|c| c.kind == CheckpointKind::Prune && c.seq == first - 1);
    Ok((!pruned).then(|| at_seq(first, "beginning_missing")))
}

async fn walk(
    pool: &Pool,
    chain_id: Uuid,
    (first, last): (i64, i64),
    checkpoints: &[Checkpoint],
    report: &mut Report,
) -> Result<Option<Break>, sqlx::Error> {
    // One place before the range, so that the first event is compared with its predecessor as well.
    let before = store::places(pool, chain_id, first - 2, first - 1, 1).await?;
    let mut previous = before.into_iter().next();
    let mut next = first;
    while next <= last {
        let places = store::places(pool, chain_id, next - 1, last, BATCH).await?;
        if places.is_empty() {
            return Ok(Some(at_seq(next, "link_missing")));
        }
        for place in places {
            if let Some(reason) = fault(&place, next, previous.as_ref(), checkpoints) {
                return Ok(Some(if reason == "link_missing" {
                    at_seq(next, reason)
                } else {
                    Break { seq: next, event_id: Some(place.event_id), at: Some(place.event_at), reason }
                }));
            }
            report.checked += 1;
            report.last_hash = Some(hex::encode(&place.hash));
            next += 1;
            previous = Some(place);
        }
    }
    Ok(None)
}

/// What is wrong with one place.
fn fault(
    place: &Place,
    expected: i64,
    previous: Option<&Place>,
    checkpoints: &[Checkpoint],
) -> Option<&'static str> {
    if place.seq != expected {
        return Some("link_missing");
    }
    let pruned = checkpoints.iter().find(|c| c.kind == CheckpointKind::Prune && c.seq == expected - 1);
    let follows = match (previous, pruned) {
        (Some(previous), _) => previous.hash == place.prev_hash,
        (None, Some(pruned)) => pruned.hash[..] == place.prev_hash,
        (None, None) => expected != 1 || place.prev_hash == GENESIS,
    };
    if !follows {
        return Some("link_changed");
    }
    let Some(event) = &place.event else { return Some("event_missing") };
    let Ok(prev_hash) = place.prev_hash.as_slice().try_into() else { return Some("link_changed") };
    if event.hash(&prev_hash)[..] != place.hash {
        return Some("event_changed");
    }
    let differs = checkpoints.iter().any(|c| c.seq == expected && c.hash[..] != place.hash);
    differs.then_some("checkpoint_mismatch")
}
