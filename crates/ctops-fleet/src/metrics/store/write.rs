//! Samples of one batch.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::metrics::model::{Engine, NewDisk, NewRate, NewSample};

/// Taken by everybody who writes samples, so that the moment before which samples are late moves only between batches.
/// Returns that moment and how the history is kept.
pub(in crate::metrics) async fn begin_writing(
    tx: &mut Tx<'_>,
) -> Result<(DateTime<Utc>, Engine), sqlx::Error> {
    // Two statements: the second must see what was committed while the first waited.
    sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended('metrics:closing', 0))")
        .execute(&mut **tx)
        .await?;
    let (closed_until, storage): (DateTime<Utc>, String) =
        sqlx::query_as("SELECT closed_until, storage FROM metric_progress").fetch_one(&mut **tx).await?;
    let engine = Engine::try_from(storage).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((closed_until, engine))
}

/// A column of a batch; empty when nobody has a value, which `UNNEST` fills up with nulls.
fn column<T>(samples: &[&NewSample], value: impl Fn(&NewSample) -> Option<T>) -> Vec<Option<T>> {
    let values: Vec<Option<T>> = samples.iter().map(|sample| value(sample)).collect();
    if values.iter().all(Option::is_none) { Vec::new() } else { values }
}

/// Keeps samples; one that is there already is left alone. A late one counts as there when the host has any sample of
/// its moment, because it may have been delivered before under another time of arrival.
pub(in crate::metrics) async fn insert_samples(
    tx: &mut Tx<'_>,
    samples: &[&NewSample],
    late: bool,
) -> Result<(), sqlx::Error> {
    if samples.is_empty() {
        return Ok(());
    }
    let unless_there = if late {
        "WHERE NOT EXISTS (SELECT 1 FROM metric_samples AS s
                           WHERE s.host_id = u.host_id AND s.recorded_at = u.recorded_at)"
    } else {
        ""
    };
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO metric_samples
             (host_id, recorded_at, received_at, cpu_centi, memory_centi, disk_centi, uptime_seconds, swap_centi,
              load1_centi, load5_centi, load15_centi, process_count)
         SELECT u.host_id, u.recorded_at, u.received_at, u.cpu_centi, u.memory_centi, u.disk_centi, u.uptime_seconds,
                u.swap_centi, u.load1_centi, u.load5_centi, u.load15_centi, u.process_count
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::smallint[], $5::smallint[],
                     $6::smallint[], $7::bigint[], $8::smallint[], $9::integer[], $10::integer[], $11::integer[],
                     $12::integer[])
              AS u(host_id, recorded_at, received_at, cpu_centi, memory_centi, disk_centi, uptime_seconds,
                   swap_centi, load1_centi, load5_centi, load15_centi, process_count)
         {unless_there}
         ON CONFLICT DO NOTHING"
    )))
    .bind(samples.iter().map(|sample| sample.host_id).collect::<Vec<_>>())
    .bind(samples.iter().map(|sample| sample.recorded_at).collect::<Vec<_>>())
    .bind(samples.iter().map(|sample| sample.received_at).collect::<Vec<_>>())
    .bind(column(samples, |sample| sample.cpu_centi))
    .bind(column(samples, |sample| sample.memory_centi))
    .bind(column(samples, |sample| sample.disk_centi))
    .bind(column(samples, |sample| sample.uptime_seconds))
    .bind(column(samples, |sample| sample.swap_centi))
    .bind(column(samples, |sample| sample.load_centi[0]))
    .bind(column(samples, |sample| sample.load_centi[1]))
    .bind(column(samples, |sample| sample.load_centi[2]))
    .bind(column(samples, |sample| sample.process_count))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Keeps the space used on mount points.
pub(in crate::metrics) async fn insert_disks(
    tx: &mut Tx<'_>,
    samples: &[NewSample],
) -> Result<(), sqlx::Error> {
    let rows: Vec<(&NewSample, &NewDisk)> =
        samples.iter().flat_map(|sample| sample.disks.iter().map(move |disk| (sample, disk))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO host_disk_samples (host_id, recorded_at, mount_point, total_bytes, used_bytes, used_centi)
         SELECT u.host_id, u.recorded_at, u.mount_point, u.total_bytes, u.used_bytes, u.used_centi
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::smallint[])
              AS u(host_id, recorded_at, mount_point, total_bytes, used_bytes, used_centi)
         ON CONFLICT DO NOTHING",
    )
    .bind(rows.iter().map(|(sample, _)| sample.host_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(sample, _)| sample.recorded_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, disk)| disk.mount_point.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, disk)| disk.total_bytes).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, disk)| disk.used_bytes).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, disk)| disk.used_centi).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Keeps the traffic of interfaces.
pub(in crate::metrics) async fn insert_rates(
    tx: &mut Tx<'_>,
    samples: &[NewSample],
) -> Result<(), sqlx::Error> {
    let rows: Vec<(&NewSample, &NewRate)> =
        samples.iter().flat_map(|sample| sample.network.iter().map(move |rate| (sample, rate))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO host_network_samples
             (host_id, recorded_at, interface, receive_bytes, transmit_bytes, receive_errors_centi,
              transmit_errors_centi)
         SELECT u.host_id, u.recorded_at, u.interface, u.receive_bytes, u.transmit_bytes, u.receive_errors_centi,
                u.transmit_errors_centi
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[],
                     $7::integer[])
              AS u(host_id, recorded_at, interface, receive_bytes, transmit_bytes, receive_errors_centi,
                   transmit_errors_centi)
         ON CONFLICT DO NOTHING",
    )
    .bind(rows.iter().map(|(sample, _)| sample.host_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(sample, _)| sample.recorded_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, rate)| rate.interface.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, rate)| rate.receive_bytes).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, rate)| rate.transmit_bytes).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, rate)| rate.receive_errors_centi).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, rate)| rate.transmit_errors_centi).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Notes what has to be aggregated again.
pub(in crate::metrics) async fn insert_late(
    tx: &mut Tx<'_>,
    slots: &HashSet<(Uuid, DateTime<Utc>)>,
) -> Result<(), sqlx::Error> {
    if slots.is_empty() {
        return Ok(());
    }
    // In one order everywhere, so that two batches never wait for each other in a circle.
    let mut slots: Vec<(Uuid, DateTime<Utc>)> = slots.iter().copied().collect();
    slots.sort_unstable();
    // A row that is there is locked although nothing about it changes: who aggregates waits for this batch then, and
    // sees its samples.
    sqlx::query(
        "INSERT INTO metric_late (host_id, slot)
         SELECT u.host_id, u.slot FROM UNNEST($1::uuid[], $2::timestamptz[]) AS u(host_id, slot)
         ON CONFLICT (host_id, slot) DO UPDATE SET slot = EXCLUDED.slot WHERE false",
    )
    .bind(slots.iter().map(|(host_id, _)| *host_id).collect::<Vec<_>>())
    .bind(slots.iter().map(|(_, slot)| *slot).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}
