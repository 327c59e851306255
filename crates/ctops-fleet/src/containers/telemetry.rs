//! What ingest calls: batches of inventory and samples, and the end of an inventory.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_pg::{Pool, Tx};
use ctops_proto::agent::DockerTelemetryBatch;
use uuid::Uuid;

use super::model::{
    BatchOutcome, ContainerSettings, Counters, Event, Item, Known, LabelPolicy, MAX_BATCH_BYTES,
    MAX_BATCH_ID_BYTES, MAX_BATCH_ITEMS, MAX_BATCH_SAMPLES, Rates, Sample, TelemetrySource, rates,
    runtime_name, transitions,
};
use super::store::{settings, telemetry as store};

/// Checks what would make a whole batch unacceptable; `encoded` is its size on the wire (wire contract 9.2, 9.3).
///
/// # Errors
/// `validation_failed`, naming the limit.
pub fn check_batch(batch: &DockerTelemetryBatch, encoded: usize) -> Result<(), Problem> {
    let refuse = |path: &str, message: String| Err(Problem::invalid_field(path, "too_large", message));
    let size = encoded.max(usize::try_from(batch.payload_bytes).unwrap_or(usize::MAX));
    if size > MAX_BATCH_BYTES {
        return refuse("payload_bytes", format!("the batch has {size} bytes, at most {MAX_BATCH_BYTES}"));
    }
    let (samples, items) = (batch.samples.len(), batch.inventory.len());
    if samples > MAX_BATCH_SAMPLES {
        return refuse("samples", format!("the batch has {samples} samples, at most {MAX_BATCH_SAMPLES}"));
    }
    if items > MAX_BATCH_ITEMS {
        return refuse("inventory", format!("the batch has {items} containers, at most {MAX_BATCH_ITEMS}"));
    }
    let has_content = samples > 0 || items > 0 || !batch.inventory_id.is_empty();
    if has_content && batch.batch_id.is_empty() {
        return Err(Problem::invalid_field("batch_id", "required", "a batch with content needs an id"));
    }
    let ids = [&batch.batch_id, &batch.inventory_id];
    if ids.iter().any(|id| id.len() > MAX_BATCH_ID_BYTES || id.contains('\0')) {
        return refuse("batch_id", format!("ids have at most {MAX_BATCH_ID_BYTES} bytes and no NUL"));
    }
    if runtime_name(&batch.runtime).is_none() {
        return Err(Problem::invalid_field("runtime", "invalid", "must be docker or podman"));
    }
    Ok(())
}

/// Stores one batch that [`check_batch`] accepted, once: a repeated one is left alone (containers 12). `call_inventory`
/// stands for the inventory's id when the batch does not name one. While containers of the host are not to be watched,
/// nothing is stored.
///
/// # Errors
/// `internal`.
pub async fn store_batch(
    pool: &Pool,
    source: TelemetrySource,
    batch: &DockerTelemetryBatch,
    call_inventory: &str,
    now: DateTime<Utc>,
) -> Result<BatchOutcome, Problem> {
    store_once(pool, source, batch, call_inventory, now).await.map_err(Problem::internal)
}

async fn store_once(
    pool: &Pool,
    source: TelemetrySource,
    batch: &DockerTelemetryBatch,
    call_inventory: &str,
    now: DateTime<Utc>,
) -> Result<BatchOutcome, sqlx::Error> {
    let runtime = runtime_name(&batch.runtime).unwrap_or("docker");
    let wanted = settings::of_hosts(pool, &[source.host_id], &[source.org_id]).await?.pop();
    let (_, enabled, wanted) = wanted.unwrap_or((source.host_id, true, ContainerSettings::default()));
    if !(enabled && wanted.enabled) {
        return Ok(BatchOutcome::default());
    }
    let policy = LabelPolicy { prefixes: &wanted.label_prefixes };
    let items = items_of(batch, &policy, now);
    let samples: Vec<Sample> = batch.samples.iter().filter_map(|s| Sample::from_wire(s, now)).collect();

    let mut tx = pool.begin().await?;
    let first_inventory =
        store::lock_runtime(&mut tx, source, runtime, i64::from(batch.dropped_sample_count)).await?.is_none();
    let dropped = i64::from(batch.dropped_sample_count) + i64::from(batch.dropped_inventory_count);
    let counts = [count(batch.samples.len()), count(batch.inventory.len()), dropped];
    if !batch.batch_id.is_empty()
        && !store::remember_batch(&mut tx, source, &batch.batch_id, batch.sequence, counts, now).await?
    {
        // Rolled back, so that lost samples are not counted again either.
        return Ok(BatchOutcome { repeated: true, ..BatchOutcome::default() });
    }
    let inventory_id = if batch.inventory_id.is_empty() { call_inventory } else { &batch.inventory_id };
    if !items.is_empty() {
        store_items(&mut tx, source, runtime, inventory_id, &items, first_inventory, now).await?;
    }
    if !batch.inventory_id.is_empty() {
        let arrived = store::count_inventory(&mut tx, source, runtime, inventory_id).await?;
        if arrived >= i64::from(batch.inventory_total) {
            store::complete(&mut tx, source, runtime, inventory_id, now).await?;
        }
    }
    let taken = store_samples(&mut tx, source, runtime, samples).await?;
    let rejected = batch.samples.len() - taken;
    if rejected > 0 {
        store::count_rejected(&mut tx, source, runtime, count(rejected)).await?;
    }
    tx.commit().await?;
    Ok(BatchOutcome { repeated: false, items: narrow(items.len()), samples: narrow(taken) })
}

/// Containers of a call whose batches named no inventory are all there are: marks the others as gone (containers 13).
///
/// # Errors
/// `internal`.
pub async fn complete_inventory(
    pool: &Pool,
    source: TelemetrySource,
    call_inventory: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let complete = async {
        let mut tx = pool.begin().await?;
        store::lock_runtime(&mut tx, source, "docker", 0).await?;
        // None when collection was switched off meanwhile, or a newer inventory has taken all of them.
        if store::count_inventory(&mut tx, source, "docker", call_inventory).await? > 0 {
            store::complete(&mut tx, source, "docker", call_inventory, now).await?;
        }
        tx.commit().await
    };
    complete.await.map_err(|error: sqlx::Error| Problem::internal(error))
}

/// The containers of a batch, each once: the last mention counts.
fn items_of(batch: &DockerTelemetryBatch, policy: &LabelPolicy<'_>, now: DateTime<Utc>) -> Vec<Item> {
    let items = batch.inventory.iter().filter_map(|item| Item::from_wire(item, policy, now));
    let unique: BTreeMap<String, Item> = items.map(|item| (item.container_id.clone(), item)).collect();
    unique.into_values().collect()
}

async fn store_items(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    inventory_id: &str,
    items: &[Item],
    first_inventory: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<&str> = items.iter().map(|item| item.container_id.as_str()).collect();
    let known = store::known(tx, source, runtime, &ids).await?;
    let known: HashMap<&str, &Known> =
        known.iter().map(|known| (known.container_id.as_str(), known)).collect();
    let rows = store::upsert(tx, source, runtime, Some(inventory_id), items, now).await?;
    let rows: HashMap<&str, Uuid> = rows.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    let mut events: Vec<(Uuid, Event, &Item)> = Vec::new();
    for item in items {
        let Some(row) = rows.get(item.container_id.as_str()) else { continue };
        let before = known.get(item.container_id.as_str()).copied();
        events
            .extend(transitions(before, item, first_inventory).into_iter().map(|event| (*row, event, item)));
    }
    if events.is_empty() { Ok(()) } else { store::insert_events(tx, source, &events).await }
}

/// Stores samples with the rates between them; those of unknown containers are left out. Returns how many it took.
async fn store_samples(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    mut samples: Vec<Sample>,
) -> Result<usize, sqlx::Error> {
    if samples.is_empty() {
        return Ok(0);
    }
    let names: HashSet<&str> = samples.iter().map(|sample| sample.container_id.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let rows: HashMap<String, Uuid> =
        store::rows_of(tx, source, runtime, &names).await?.into_iter().collect();
    samples.retain(|sample| rows.contains_key(&sample.container_id));
    samples.sort_by(|a, b| (&a.container_id, a.recorded_at).cmp(&(&b.container_id, b.recorded_at)));
    let mut firsts: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
    for sample in &samples {
        firsts.entry(rows[&sample.container_id]).or_insert(sample.recorded_at);
    }
    let firsts: Vec<(Uuid, DateTime<Utc>)> = firsts.into_iter().collect();
    let before = store::last_counters(tx, &firsts).await?;
    let mut last: HashMap<Uuid, (DateTime<Utc>, Counters)> =
        before.into_iter().map(|(id, at, counters)| (id, (at, counters))).collect();
    let mut measured: Vec<(Uuid, &Sample, Option<Rates>)> = Vec::with_capacity(samples.len());
    for sample in &samples {
        let (id, now) = (rows[&sample.container_id], (sample.recorded_at, sample.counters));
        let rate = last.insert(id, now).and_then(|before| rates(before, now));
        measured.push((id, sample, rate));
    }
    store::insert_samples(tx, &measured).await?;
    Ok(measured.len())
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_proto::agent::{DockerContainerInventory, DockerContainerMetricSample};

    use super::*;

    fn refused(change: impl FnOnce(&mut DockerTelemetryBatch)) -> Option<String> {
        let mut batch = DockerTelemetryBatch { batch_id: "b".into(), ..DockerTelemetryBatch::default() };
        change(&mut batch);
        check_batch(&batch, 100).err().map(|problem| problem.fields()[0].path.clone())
    }

    /// Spec: containers 12
    #[test]
    fn check_batch_at_each_limit_passes_and_beyond_names_it() {
        let samples = |n| vec![DockerContainerMetricSample::default(); n];
        let items = |n| vec![DockerContainerInventory::default(); n];
        assert_eq!(refused(|b| b.samples = samples(5_000)), None);
        assert_eq!(refused(|b| b.samples = samples(5_001)).as_deref(), Some("samples"));
        assert_eq!(refused(|b| b.inventory = items(1_000)), None);
        assert_eq!(refused(|b| b.inventory = items(1_001)).as_deref(), Some("inventory"));
        assert_eq!(refused(|b| b.payload_bytes = 5 * 1024 * 1024), None);
        assert_eq!(refused(|b| b.payload_bytes = 5 * 1024 * 1024 + 1).as_deref(), Some("payload_bytes"));
        assert!(check_batch(&DockerTelemetryBatch::default(), 5 * 1024 * 1024 + 1).is_err());
        assert_eq!(refused(|b| b.batch_id.clear()), None, "nothing to identify");
        assert_eq!(
            refused(|b| (b.batch_id, b.samples) = (String::new(), samples(1))).as_deref(),
            Some("batch_id")
        );
        assert_eq!(refused(|b| b.batch_id = "x".repeat(257)).as_deref(), Some("batch_id"));
        assert_eq!(refused(|b| b.runtime = "podman".into()), None);
        assert_eq!(refused(|b| b.runtime = "lxc".into()).as_deref(), Some("runtime"));
    }
}
