use std::sync::Arc;

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_780_272_000;

fn container(n: usize) -> DockerContainerInventory {
    DockerContainerInventory { docker_container_id: format!("c{n}"), ..DockerContainerInventory::default() }
}

fn sample(recorded_at_unix: i64) -> Sample {
    Sample {
        container: Arc::from("c1"),
        recorded_at_unix,
        cpu_percent: 1.0,
        memory_bytes: 1,
        memory_limit_bytes: 2,
        counters: [0; 4],
        pids: 1,
        restart_count: 0,
        cores_centi: 100,
    }
}

fn load(containers: Option<usize>, samples: usize, lost: u32) -> Load<'static> {
    Load {
        agent_id: "agent",
        now: NOW,
        inventory: containers.map(|count| (0..count).map(container).collect()),
        samples: (0..samples).map(|n| sample(NOW - i64::try_from(n).unwrap_or_default())).collect(),
        lost,
        podman: false,
    }
}

fn small() -> Orders {
    Orders { batch_inventory: 3, batch_samples: 4, ..Orders::default() }
}

fn shapes(packed: &[Pending]) -> Vec<(usize, usize, u32, u32)> {
    packed
        .iter()
        .map(|Pending { batch, .. }| {
            (batch.inventory.len(), batch.samples.len(), batch.dropped_inventory_count, batch.inventory_total)
        })
        .collect()
}

/// Spec: containers 12, 13
#[test]
fn load_when_it_fits_then_is_one_batch_with_the_whole_inventory() {
    let mut packer = Packer::default();
    let packed = packer.pack(load(Some(3), 4, 9), &small());
    assert_eq!(shapes(&packed), [(3, 4, 0, 3)]);
    let batch = &packed[0].batch;
    assert_eq!((batch.batch_id.as_str(), batch.sequence), ("agent-1780272000-1", 1));
    assert_eq!((batch.dropped_sample_count, batch.runtime.as_str()), (9, "docker"));
    assert_eq!(batch.payload_bytes as usize, batch.encoded_len());
    assert!(!batch.inventory_id.is_empty());
    let next = packer.pack(load(None, 1, 0), &small());
    assert_eq!(shapes(&next), [(0, 1, 1, 0)], "samples alone say nothing about presence");
    assert_eq!((next[0].batch.inventory_id.as_str(), next[0].batch.sequence), ("", 2));
}

/// Spec: containers 12, 13
#[test]
fn load_when_it_is_large_then_inventory_goes_first_and_no_part_looks_complete() {
    let packed = Packer::default().pack(load(Some(7), 9, 2), &small());
    assert_eq!(shapes(&packed), [(3, 0, 4, 7), (3, 0, 4, 7), (1, 4, 6, 7), (0, 4, 7, 0), (0, 1, 7, 0)]);
    let ids: Vec<_> = packed.iter().map(|pending| pending.batch.inventory_id.as_str()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && !ids[0].is_empty());
    assert!(ids[3].is_empty() && ids[4].is_empty());
    let lost: Vec<_> = packed.iter().map(|pending| pending.batch.dropped_sample_count).collect();
    assert_eq!(lost, [2, 0, 0, 0, 0], "told once");
    let sequence: Vec<_> = packed.iter().map(|pending| pending.batch.sequence).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5]);
}

/// Spec: containers 13
#[test]
fn inventory_when_empty_then_is_said_and_nothing_at_all_is_not() {
    let mut packer = Packer::default();
    let packed = packer.pack(load(Some(0), 0, 0), &small());
    assert_eq!(shapes(&packed), [(0, 0, 0, 0)]);
    assert!(!packed[0].batch.inventory_id.is_empty());
    assert_eq!(packer.pack(load(None, 0, 0), &small()), []);
    assert_eq!(shapes(&packer.pack(load(None, 0, 3), &small())), [(0, 0, 1, 0)], "losses are said too");
}

/// Spec: containers 14
#[test]
fn sample_when_its_time_is_not_accepted_then_is_counted_and_left_out() {
    let mut odd = load(None, 1, 0);
    let month = 36 * 24 * 3600;
    odd.samples.extend([sample(NOW - month), sample(NOW + 301), sample(NOW + 300), sample(0)]);
    let packed = Packer::default().pack(odd, &Orders::default());
    assert_eq!((packed[0].batch.samples.len(), packed[0].batch.dropped_sample_count), (2, 3));
}

#[test]
fn refused_batch_when_halved_then_loses_nothing_and_ends_after_a_few_times() {
    let mut packer = Packer::default();
    let packed = packer.pack(load(Some(2), 2, 5), &Orders::default());
    let first = packed.into_iter().next();
    let halves = first.and_then(|whole| packer.halve(whole));
    let Some([one, two]) = halves else { panic!("two halves") };
    assert_eq!(shapes(&[one.clone(), two.clone()]), [(1, 1, 1, 2), (1, 1, 1, 2)]);
    assert_eq!(one.batch.inventory_id, two.batch.inventory_id);
    assert_ne!(one.batch.batch_id, two.batch.batch_id);
    assert_eq!((one.batch.dropped_sample_count, two.batch.dropped_sample_count), (5, 0));
    let alone = packer.pack(load(None, 1, 0), &Orders::default()).into_iter().next();
    assert!(alone.and_then(|alone| packer.halve(alone)).is_none(), "one item cannot be halved");
    let mut pieces = packer.pack(load(None, 5000, 0), &Orders::default());
    let mut rounds = 0;
    while let Some([next, _]) = pieces.pop().and_then(|piece| packer.halve(piece)) {
        pieces.push(next);
        rounds += 1;
    }
    assert_eq!(rounds, 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Spec: containers 12
    #[test]
    fn any_load_is_packed_completely_and_within_the_limits(
        containers in proptest::option::of(0usize..400), samples in 0usize..600, lost in 0u32..3,
        label_bytes in 0usize..5000, batch_samples in 1usize..100, batch_inventory in 1usize..100,
    ) {
        let orders = Orders { batch_bytes: 64 * 1024, batch_samples, batch_inventory, ..Orders::default() };
        let mut load = load(containers, samples, lost);
        for container in load.inventory.iter_mut().flatten() {
            container.status = "x".repeat(label_bytes);
        }
        let packed = Packer::default().pack(load, &orders);
        let sum = |count: fn(&DockerTelemetryBatch) -> usize| packed.iter().map(|pending| count(&pending.batch)).sum::<usize>();
        prop_assert_eq!(sum(|batch| batch.inventory.len()), containers.unwrap_or_default());
        prop_assert_eq!(sum(|batch| batch.samples.len()), samples);
        for Pending { batch, .. } in &packed {
            prop_assert!(batch.encoded_len() <= 64 * 1024 && batch.payload_bytes as usize == batch.encoded_len());
            prop_assert!(batch.samples.len() <= batch_samples && batch.inventory.len() <= batch_inventory);
            let whole = containers == Some(batch.inventory.len());
            prop_assert_eq!(batch.dropped_inventory_count == 0, whole && batch.sequence == 1);
        }
    }
}
