//! Batches for the server: sizes, numbers and what to do with those it refuses (containers 12, 13; wire contract 9.2).

use ctops_proto::agent::{DockerContainerInventory, DockerTelemetryBatch};
use prost::Message;

use super::Orders;
use super::ring::Sample;

/// Room for the fields of a batch beside its items.
const OVERHEAD_BYTES: usize = 1024;
/// Bytes of tag and length around an item.
const ITEM_OVERHEAD_BYTES: usize = 8;
/// A refused batch is halved this often before its remains are given up: 1/16 of a batch.
const MAX_HALVINGS: u32 = 4;
/// Sample times the server accepts: seconds into the past and the future (containers 14).
const OLDEST_SECS: i64 = 35 * 24 * 3600;
const NEWEST_SECS: i64 = 300;

/// A batch with its history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) batch: DockerTelemetryBatch,
    halvings: u32,
}

/// Numbers batches through the life of the process.
#[derive(Debug, Default)]
pub(super) struct Packer {
    sequence: u32,
}

/// What goes out at one moment.
pub(super) struct Load<'l> {
    pub(super) agent_id: &'l str,
    pub(super) now: i64,
    /// All containers, if they were listed this time.
    pub(super) inventory: Option<Vec<DockerContainerInventory>>,
    pub(super) samples: Vec<Sample>,
    /// Samples lost since this was last said.
    pub(super) lost: u32,
    pub(super) podman: bool,
}

impl Packer {
    /// Packs `load`: the inventory first, then the samples, as few batches as the limits in `orders` allow. Empty if there
    /// is nothing to say.
    ///
    /// The original server takes the containers of a batch with `dropped_inventory_count` 0 for all there are, so only a
    /// batch with the whole inventory has 0. Servers that know `inventory_id` count its parts.
    pub(super) fn pack(&mut self, load: Load<'_>, orders: &Orders) -> Vec<Pending> {
        let Load { agent_id, now, inventory, samples, mut lost, podman } = load;
        let listed = inventory.is_some();
        let total = inventory.as_ref().map_or(0, |all| clamped(all.len()));
        let inventory_id = format!("{agent_id}-{now}-{}", self.sequence + 1);
        let mut rest = inventory.unwrap_or_default().into_iter().peekable();
        let accepted = samples.into_iter().filter(|sample| {
            let acceptable = (now - OLDEST_SECS..=now + NEWEST_SECS).contains(&sample.recorded_at_unix);
            lost += u32::from(!acceptable);
            acceptable
        });
        let accepted: Vec<_> = accepted.map(|sample| sample.to_message()).collect();
        let mut samples = accepted.into_iter().peekable();
        let mut packed: Vec<Pending> = Vec::new();
        // An empty inventory is something to say too: the last container is gone.
        while rest.peek().is_some() || samples.peek().is_some() || (packed.is_empty() && (listed || lost > 0))
        {
            let mut room = Room::of(orders);
            let mut batch = DockerTelemetryBatch {
                agent_id: agent_id.to_owned(),
                flushed_at_unix: now,
                dropped_sample_count: if packed.is_empty() { lost } else { 0 },
                runtime: if podman { "podman" } else { "docker" }.to_owned(),
                ..DockerTelemetryBatch::default()
            };
            let first = packed.is_empty();
            while batch.inventory.len() < orders.batch_inventory
                && let Some(item) = rest.next_if(|item| room.takes(item))
            {
                batch.inventory.push(item);
            }
            while rest.peek().is_none()
                && batch.samples.len() < orders.batch_samples
                && let Some(item) = samples.next_if(|item| room.takes(item))
            {
                batch.samples.push(item);
            }
            if listed && (first || !batch.inventory.is_empty()) {
                batch.inventory_id.clone_from(&inventory_id);
                batch.inventory_total = total;
                batch.dropped_inventory_count = total - clamped(batch.inventory.len());
            } else {
                batch.dropped_inventory_count = total.max(1);
            }
            packed.push(self.number(batch, 0));
        }
        packed
    }

    /// Two halves of a batch the server does not take, to find out what it does not take; `None` when that has been done
    /// often enough.
    pub(super) fn halve(&mut self, refused: Pending) -> Option<[Pending; 2]> {
        let Pending { mut batch, halvings } = refused;
        if halvings >= MAX_HALVINGS || batch.inventory.len() + batch.samples.len() < 2 {
            return None;
        }
        let mut second = DockerTelemetryBatch {
            inventory: batch.inventory.split_off(batch.inventory.len() / 2),
            samples: batch.samples.split_off(batch.samples.len().div_ceil(2)),
            dropped_sample_count: 0,
            ..batch.clone()
        };
        // Neither half holds the whole inventory now, unless the other has nothing of it.
        let (here, there) = (clamped(batch.inventory.len()), clamped(second.inventory.len()));
        let dropped = batch.dropped_inventory_count;
        batch.dropped_inventory_count = (dropped + there).max(1);
        second.dropped_inventory_count =
            if here == 0 && there > 0 { dropped } else { (dropped + here).max(1) };
        Some([self.number(batch, halvings + 1), self.number(second, halvings + 1)])
    }

    /// Gives the batch its number, its id and its size.
    fn number(&mut self, mut batch: DockerTelemetryBatch, halvings: u32) -> Pending {
        self.sequence = self.sequence.wrapping_add(1);
        batch.sequence = self.sequence;
        batch.batch_id = format!("{}-{}-{}", batch.agent_id, batch.flushed_at_unix, batch.sequence);
        // The size counts itself; two rounds settle the length of its own number.
        batch.payload_bytes = 0;
        for _ in 0..3 {
            batch.payload_bytes = clamped(batch.encoded_len());
        }
        Pending { batch, halvings }
    }
}

/// Bytes left in a batch.
struct Room {
    left: usize,
    empty: bool,
}

impl Room {
    fn of(orders: &Orders) -> Self {
        Self { left: orders.batch_bytes.saturating_sub(OVERHEAD_BYTES), empty: true }
    }

    /// Whether `item` still fits, and takes its place if so. The first one always does: it fits nowhere better.
    fn takes(&mut self, item: &impl Message) -> bool {
        let size = item.encoded_len() + ITEM_OVERHEAD_BYTES;
        let fits = self.empty || size <= self.left;
        if fits {
            self.left = self.left.saturating_sub(size);
            self.empty = false;
        }
        fits
    }
}

fn clamped(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
