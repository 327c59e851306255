//! What agents upload.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_pg::Tx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::containers::model::{Counters, Event, Item, Known, MAX_RATE_GAP, Rates, Sample, TelemetrySource};

/// Notes that a batch is being stored; false when it was stored before.
pub(in crate::containers) async fn remember_batch(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    batch_id: &str,
    sequence: u32,
    counts: [i64; 3],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let [samples, items, dropped] = counts;
    let done = sqlx::query(
        "INSERT INTO container_batches (host_id, batch_id, sequence, samples, inventory_items, dropped, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
    )
    .bind(source.host_id)
    .bind(batch_id)
    .bind(i64::from(sequence))
    .bind(samples)
    .bind(items)
    .bind(dropped)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks the runtime of the host, so that its batches are stored one after the other, and counts lost samples. Returns
/// when its last complete inventory arrived.
pub(in crate::containers) async fn lock_runtime(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    lost: i64,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO container_runtimes AS r (host_id, runtime, org_id, lost_samples)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (host_id, runtime) DO UPDATE SET lost_samples = r.lost_samples + $4
         RETURNING last_complete_at",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(source.org_id)
    .bind(lost)
    .fetch_one(&mut **tx)
    .await
}

/// Counts samples that were not taken.
pub(in crate::containers) async fn count_rejected(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    rejected: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE container_runtimes SET rejected_samples = rejected_samples + $3 WHERE host_id = $1 AND runtime = $2",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(rejected)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// These containers as they were before.
pub(in crate::containers) async fn known(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    container_ids: &[&str],
) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as(
        "SELECT container_id, state, health, restart_count, started_at_source, finished_at_source, is_present
         FROM containers
         WHERE host_id = $1 AND runtime = $2 AND container_id = ANY($3)",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(container_ids)
    .fetch_all(&mut **tx)
    .await
}

/// Writes the containers of an inventory, each once. Returns their rows' ids by container id.
pub(in crate::containers) async fn upsert(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    inventory_id: Option<&str>,
    items: &[Item],
    now: DateTime<Utc>,
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    // One JSON document instead of arrays: lists of names do not travel as PostgreSQL arrays of arrays.
    let rows: Vec<Value> = items.iter().map(row).collect();
    sqlx::query_as(
        "INSERT INTO containers AS c
             (id, org_id, host_id, runtime, container_id, primary_name, names, image, image_id, labels, project, state,
              status, health, exit_code, restart_count, created_at_source, started_at_source, finished_at_source,
              first_seen_at, last_seen_at, last_inventory_id, is_present)
         SELECT u.id, $2, $3, $4, u.container_id, u.primary_name, u.names, u.image, u.image_id, u.labels, u.project,
                u.state, u.status, u.health, u.exit_code, u.restart_count, u.created_at, u.started_at, u.finished_at,
                $5, $5, $6, true
         FROM jsonb_to_recordset($1) AS u(id uuid, container_id text, primary_name text, names text[], image text,
                                          image_id text, labels jsonb, project text, state text, status text,
                                          health text, exit_code integer, restart_count integer,
                                          created_at timestamptz, started_at timestamptz, finished_at timestamptz)
         ON CONFLICT (host_id, runtime, container_id) DO UPDATE
         SET primary_name = EXCLUDED.primary_name, names = EXCLUDED.names, image = EXCLUDED.image,
             image_id = EXCLUDED.image_id, labels = EXCLUDED.labels, project = EXCLUDED.project,
             state = EXCLUDED.state, status = EXCLUDED.status, health = EXCLUDED.health,
             exit_code = COALESCE(EXCLUDED.exit_code, c.exit_code), restart_count = EXCLUDED.restart_count,
             created_at_source = COALESCE(EXCLUDED.created_at_source, c.created_at_source),
             started_at_source = COALESCE(EXCLUDED.started_at_source, c.started_at_source),
             finished_at_source = COALESCE(EXCLUDED.finished_at_source, c.finished_at_source),
             last_seen_at = EXCLUDED.last_seen_at,
             last_inventory_id = COALESCE(EXCLUDED.last_inventory_id, c.last_inventory_id), is_present = true
         RETURNING c.container_id, c.id",
    )
    .bind(Value::Array(rows))
    .bind(source.org_id)
    .bind(source.host_id)
    .bind(runtime)
    .bind(now)
    .bind(inventory_id)
    .fetch_all(&mut **tx)
    .await
}

fn row(item: &Item) -> Value {
    json!({
        "id": new_id(),
        "container_id": item.container_id,
        "primary_name": item.primary_name(),
        "names": item.names,
        "image": item.image,
        "image_id": item.image_id,
        "labels": item.labels,
        "project": item.project,
        "state": item.state,
        "status": item.status,
        "health": item.health,
        "exit_code": item.exit_code,
        "restart_count": item.restart_count,
        "created_at": item.created_at,
        "started_at": item.started_at,
        "finished_at": item.finished_at,
    })
}

/// Keeps events; one that is there already is left alone.
pub(in crate::containers) async fn insert_events(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    events: &[(Uuid, Event, &Item)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO container_events (host_id, container_id, kind, occurred_at, state, health, restart_count, exit_code)
         SELECT $1, u.container_id, u.kind, u.occurred_at, u.state, u.health, u.restart_count, u.exit_code
         FROM UNNEST($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::integer[], $8::integer[])
              AS u(container_id, kind, occurred_at, state, health, restart_count, exit_code)
         ON CONFLICT (container_id, kind, occurred_at) DO NOTHING",
    )
    .bind(source.host_id)
    .bind(events.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event, _)| event.kind.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event, _)| event.at).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, _, item)| item.state.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, _, item)| item.health).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, _, item)| item.restart_count).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, _, item)| item.exit_code).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Containers that arrived under an inventory's id.
pub(in crate::containers) async fn count_inventory(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    inventory_id: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM containers WHERE host_id = $1 AND runtime = $2 AND last_inventory_id = $3",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(inventory_id)
    .fetch_one(&mut **tx)
    .await
}

/// Marks containers that a complete inventory does not have as gone, with an event each, and notes its arrival. Returns
/// how many went.
pub(in crate::containers) async fn complete(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    inventory_id: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "WITH gone AS (
             UPDATE containers
             SET is_present = false
             WHERE host_id = $1 AND runtime = $2 AND is_present AND last_inventory_id IS DISTINCT FROM $3
             RETURNING id, state, health, restart_count, exit_code
         ), noted AS (
             INSERT INTO container_events
                 (host_id, container_id, kind, occurred_at, state, health, restart_count, exit_code)
             SELECT $1, g.id, 'disappeared', $4, g.state, g.health, g.restart_count, g.exit_code
             FROM gone AS g
             ON CONFLICT (container_id, kind, occurred_at) DO NOTHING
         ), arrived AS (
             UPDATE container_runtimes SET last_complete_at = $4 WHERE host_id = $1 AND runtime = $2
         )
         SELECT count(*) FROM gone",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(inventory_id)
    .bind(now)
    .fetch_one(&mut **tx)
    .await
}

/// The ids of rows of these containers.
pub(in crate::containers) async fn rows_of(
    tx: &mut Tx<'_>,
    source: TelemetrySource,
    runtime: &str,
    container_ids: &[&str],
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT container_id, id FROM containers WHERE host_id = $1 AND runtime = $2 AND container_id = ANY($3)",
    )
    .bind(source.host_id)
    .bind(runtime)
    .bind(container_ids)
    .fetch_all(&mut **tx)
    .await
}

/// For each container the last counters before a moment, when they are young enough to tell a rate.
pub(in crate::containers) async fn last_counters(
    tx: &mut Tx<'_>,
    firsts: &[(Uuid, DateTime<Utc>)],
) -> Result<Vec<(Uuid, DateTime<Utc>, Counters)>, sqlx::Error> {
    let rows: Vec<(Uuid, DateTime<Utc>, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT u.container_id, s.recorded_at, s.rx_bytes, s.tx_bytes, s.block_read_bytes, s.block_write_bytes
         FROM UNNEST($1::uuid[], $2::timestamptz[]) AS u(container_id, first_at)
         CROSS JOIN LATERAL (
             SELECT x.recorded_at, x.rx_bytes, x.tx_bytes, x.block_read_bytes, x.block_write_bytes
             FROM container_samples AS x
             WHERE x.container_id = u.container_id AND x.recorded_at < u.first_at
               AND x.recorded_at >= u.first_at - make_interval(secs => $3)
             ORDER BY x.recorded_at DESC
             LIMIT 1
         ) AS s",
    )
    .bind(firsts.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(firsts.iter().map(|(_, at)| *at).collect::<Vec<_>>())
    .bind(MAX_RATE_GAP.as_seconds_f64())
    .fetch_all(&mut **tx)
    .await?;
    let counters =
        |(id, at, rx, tx, block_read, block_write)| (id, at, Counters { rx, tx, block_read, block_write });
    Ok(rows.into_iter().map(counters).collect())
}

/// Keeps samples; one that is there already is left alone.
pub(in crate::containers) async fn insert_samples(
    tx: &mut Tx<'_>,
    samples: &[(Uuid, &Sample, Option<Rates>)],
) -> Result<(), sqlx::Error> {
    let rate = |of: fn(&Rates) -> f32| samples.iter().map(|(_, _, r)| r.as_ref().map(of)).collect::<Vec<_>>();
    let counter =
        |of: fn(&Counters) -> i64| samples.iter().map(|(_, s, _)| of(&s.counters)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO container_samples
             (container_id, recorded_at, cpu_percent, cpu_cores, memory_used, memory_limit, memory_percent, rx_bytes,
              tx_bytes, block_read_bytes, block_write_bytes, rx_bps, tx_bps, block_read_bps, block_write_bps, pids,
              restart_count)
         SELECT u.container_id, u.recorded_at, u.cpu_percent, u.cpu_cores, u.memory_used, u.memory_limit,
                u.memory_percent, u.rx_bytes, u.tx_bytes, u.block_read_bytes, u.block_write_bytes, u.rx_bps, u.tx_bps,
                u.block_read_bps, u.block_write_bps, u.pids, u.restart_count
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::real[], $4::real[], $5::bigint[], $6::bigint[], $7::real[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::real[], $13::real[], $14::real[],
                     $15::real[], $16::integer[], $17::integer[])
              AS u(container_id, recorded_at, cpu_percent, cpu_cores, memory_used, memory_limit, memory_percent,
                   rx_bytes, tx_bytes, block_read_bytes, block_write_bytes, rx_bps, tx_bps, block_read_bps,
                   block_write_bps, pids, restart_count)
         ON CONFLICT DO NOTHING",
    )
    .bind(samples.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.recorded_at).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.cpu_percent).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.cpu_cores).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.memory_used).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.memory_limit).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.memory_percent).collect::<Vec<_>>())
    .bind(counter(|c| c.rx))
    .bind(counter(|c| c.tx))
    .bind(counter(|c| c.block_read))
    .bind(counter(|c| c.block_write))
    .bind(rate(|r| r.rx))
    .bind(rate(|r| r.tx))
    .bind(rate(|r| r.block_read))
    .bind(rate(|r| r.block_write))
    .bind(samples.iter().map(|(_, s, _)| s.pids).collect::<Vec<_>>())
    .bind(samples.iter().map(|(_, s, _)| s.restart_count).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A runtime as its host's agent found it.
pub(in crate::containers) struct Probe {
    pub(in crate::containers) host_id: Uuid,
    pub(in crate::containers) status: String,
    pub(in crate::containers) version: Option<String>,
    pub(in crate::containers) api_version: Option<String>,
    pub(in crate::containers) error: Option<String>,
    pub(in crate::containers) checked_at: DateTime<Utc>,
    pub(in crate::containers) reported_at: DateTime<Utc>,
}

/// Writes probes of the runtime `docker`, one per host. Later reports win; those of deleted hosts are left out.
pub(in crate::containers) async fn write_probes(
    tx: &mut Tx<'_>,
    probes: &[Probe],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO container_runtimes AS r
             (host_id, runtime, org_id, status, version, api_version, error, checked_at, reported_at)
         SELECT v.host_id, 'docker', v.org_id, u.status, u.version, u.api_version, u.error, u.checked_at, u.reported_at
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
              AS u(host_id, status, version, api_version, error, checked_at, reported_at)
         JOIN host_vitals AS v ON v.host_id = u.host_id
         ORDER BY v.host_id
         ON CONFLICT (host_id, runtime) DO UPDATE
         SET status = EXCLUDED.status, version = EXCLUDED.version, api_version = EXCLUDED.api_version,
             error = EXCLUDED.error, checked_at = EXCLUDED.checked_at, reported_at = EXCLUDED.reported_at
         WHERE r.reported_at IS NULL OR r.reported_at <= EXCLUDED.reported_at",
    )
    .bind(probes.iter().map(|p| p.host_id).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.status.as_str()).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.version.as_deref()).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.api_version.as_deref()).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.error.as_deref()).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.checked_at).collect::<Vec<_>>())
    .bind(probes.iter().map(|p| p.reported_at).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}
