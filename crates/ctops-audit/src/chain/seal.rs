//! Gives events their places.

use std::collections::{BTreeSet, HashMap};

use ctops_pg::Pool;
use uuid::Uuid;

use super::INSTALLATION_CHAIN;
use super::store::{self, Head, Link};
use crate::event::{Event, GENESIS};

/// Events sealed in one transaction: long enough to be cheap, short enough not to hold the queue's rows for long.
const BATCH: i64 = 5_000;

/// Seals everything that waits; returns how many events. Does nothing when another process is sealing.
///
/// # Errors
/// Those of the database; what was not sealed waits on.
pub async fn seal_all(pool: &Pool) -> Result<usize, sqlx::Error> {
    let mut sealed = 0;
    loop {
        let mut tx = pool.begin().await?;
        if !store::lock(&mut tx).await? {
            return Ok(sealed);
        }
        let events = store::take_unsealed(&mut tx, BATCH).await?;
        let chains: BTreeSet<Uuid> = events.iter().map(chain_of).collect();
        let heads = store::heads(&mut tx, &chains.into_iter().collect::<Vec<_>>()).await?;
        let links = links(&events, heads);
        if !links.is_empty() {
            store::insert_links(&mut tx, &links).await?;
        }
        tx.commit().await?;
        sealed += events.len();
        if i64::try_from(events.len()).unwrap_or(i64::MAX) < BATCH {
            return Ok(sealed);
        }
    }
}

fn chain_of(event: &Event) -> Uuid {
    event.org_id.unwrap_or(INSTALLATION_CHAIN)
}

fn links(events: &[Event], mut heads: HashMap<Uuid, Head>) -> Vec<Link> {
    events
        .iter()
        .map(|event| {
            let chain_id = chain_of(event);
            let head = heads.entry(chain_id).or_insert(Head { seq: 0, hash: GENESIS });
            let (prev_hash, hash) = (head.hash, event.hash(&head.hash));
            *head = Head { seq: head.seq + 1, hash };
            Link { chain_id, seq: head.seq, event_id: event.id, event_at: event.at, prev_hash, hash }
        })
        .collect()
}
