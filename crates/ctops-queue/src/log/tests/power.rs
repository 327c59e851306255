//! Loss of power: of everything not synced, any subset of sectors may be on the disk.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const SECTOR_BYTES: usize = 512;
const PUBLISHERS: usize = 6;

/// The local disk, which remembers what a loss of power could undo and fails for good after some operations.
struct Forgetful {
    state: Mutex<State>,
}

struct State {
    unsynced: Vec<Unsynced>,
    operations_left: u32,
}

struct Unsynced {
    file: File,
    at: u64,
    before: Vec<u8>,
}

impl Forgetful {
    fn new(operations_left: u32) -> Self {
        Self { state: Mutex::new(State { unsynced: Vec::new(), operations_left }) }
    }

    /// Counts one operation; refuses when the power is gone.
    fn spend(state: &mut State) -> io::Result<()> {
        state.operations_left = state.operations_left.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        Ok(())
    }

    /// Puts back a random half of the sectors that were written and never synced.
    fn lose_power(&self, random: &mut StdRng) {
        let mut state = self.state.lock().unwrap();
        while let Some(Unsynced { file, at, before }) = state.unsynced.pop() {
            let mut start = 0;
            while start < before.len() {
                let sector_end = SECTOR_BYTES - (at as usize + start) % SECTOR_BYTES;
                let end = before.len().min(start + sector_end);
                if random.random_bool(0.5) {
                    file.write_all_at(&before[start..end], at + start as u64).unwrap();
                }
                start = end;
            }
        }
    }
}

impl Disk for Forgetful {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        Self::spend(&mut self.state.lock().unwrap())?;
        LocalDisk.allocate(file, bytes)
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let mut before = vec![0; bytes.len()];
        let inside = file.metadata()?.len().saturating_sub(at).min(bytes.len() as u64) as usize;
        file.read_exact_at(&mut before[..inside], at)?;
        state.unsynced.push(Unsynced { file: file.try_clone()?, at, before });
        // The write during which the power goes may have reached the disk in part.
        LocalDisk.write(file, bytes, at)?;
        Self::spend(&mut state)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        Self::spend(&mut state)?;
        let inode = file.metadata()?.ino();
        state.unsynced.retain(|write| write.file.metadata().unwrap().ino() != inode);
        Ok(())
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        Self::spend(&mut self.state.lock().unwrap())?;
        LocalDisk.cut(file, bytes)
    }
}

/// Publishes numbered records one after the other until the first refusal; returns how many were acknowledged.
async fn publish_until_refused(log: &Log, round: u32, publisher: usize, size: usize) -> usize {
    let mut number = 0;
    while publish(log, format!("{round} {publisher} {number} {}", "x".repeat(size))).await.is_ok() {
        number += 1;
    }
    number
}

/// Spec: deployment 2
#[tokio::test]
async fn power_lost_at_any_moment_costs_no_acknowledged_record_and_doubles_none() {
    for _ in 0..40 {
        let seed: u64 = rand::random();
        lose_power_repeatedly(seed).await;
    }
}

async fn lose_power_repeatedly(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let disk = Arc::new(Forgetful::new(random.random_range(8..60)));
        // The power may go while the log is being opened, which is a round without records.
        if let Ok(log) = open(Arc::clone(&disk) as Arc<dyn Disk>, dir.path()) {
            let sizes: [usize; PUBLISHERS] = std::array::from_fn(|_| random.random_range(0..700));
            let publishers = (0..PUBLISHERS).map(|at| publish_until_refused(&log, round, at, sizes[at]));
            let counts = join_all(publishers).await;
            for (publisher, count) in counts.into_iter().enumerate() {
                acknowledged.extend((0..count).map(|number| format!("{round} {publisher} {number}")));
            }
        }
        disk.lose_power(&mut random);
        let read = read(&open_local(dir.path())).await;
        let names: Vec<String> =
            read.iter().map(|payload| payload.rsplit_once(' ').unwrap().0.to_owned()).collect();
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "seed {seed}, round {round}: a record is doubled");
        for record in &acknowledged {
            assert!(distinct.contains(record), "seed {seed}, round {round}: record {record:?} is lost");
        }
    }
}
