//! What changes hosts. Callers lock with [`lock_hosts`] before they change rows that exist.

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_slice::{Grant, in_scope};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hosts::model::{
    FactsChange, HostIdentity, HostStatus, NewHost, StatusUpdate, VitalsChange, VitalsSample,
};

/// What free-text search looks at, of `hosts AS h`.
macro_rules! search_text {
    () => {
        "lower(concat_ws(E'\\n', h.hostname, NULLIF(h.display_name, ''),
                         NULLIF(array_to_string(h.ip_addresses, E'\\n'), '')))"
    };
}

/// Adds the record. False, and nothing else, when a live host of the organisation has the name.
pub(in crate::hosts) async fn insert_host(
    tx: &mut Tx<'_>,
    host: &NewHost,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let identity = &host.identity;
    let done = sqlx::query(
        "INSERT INTO hosts (id, org_id, hostname, os, os_version, arch, machine_id, ip_addresses, identity_ips,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         ON CONFLICT (org_id, lower(hostname)) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(host.id)
    .bind(host.org_id)
    .bind(&identity.hostname)
    .bind(&identity.os)
    .bind(&identity.os_version)
    .bind(&identity.arch)
    .bind(&identity.machine_id)
    .bind(&identity.ip_addresses)
    .bind(&identity.identity_ips)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds the empty vitals of a record that was just made.
pub(in crate::hosts) async fn insert_vitals(
    tx: &mut Tx<'_>,
    id: Uuid,
    status: HostStatus,
    agent_version: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(concat!(
        "INSERT INTO host_vitals
             (host_id, org_id, status, status_changed_at, name_key, search_text, os, arch, agent_version)
         SELECT h.id, h.org_id, $2, $3, lower(h.hostname), ",
        search_text!(),
        ", h.os, h.arch, $4
         FROM hosts AS h
         WHERE h.id = $1"
    ))
    .bind(id)
    .bind(status.as_str())
    .bind(now)
    .bind(agent_version)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Locks the vitals of these hosts, in the order of their ids, and returns those that are there with their
/// organisations. Two transactions that change many hosts then wait for each other instead of deadlocking.
pub(in crate::hosts) async fn lock_hosts(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT v.host_id, v.org_id
         FROM host_vitals AS v
         WHERE v.host_id = ANY($1)
         ORDER BY v.host_id
         FOR NO KEY UPDATE",
    )
    .bind(ids)
    .fetch_all(&mut **tx)
    .await
}

/// Replaces what the machine says about itself; absent values leave the known ones alone.
pub(in crate::hosts) async fn replace_identity(
    tx: &mut Tx<'_>,
    id: Uuid,
    identity: &HostIdentity,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE hosts
         SET hostname = $2,
             os = COALESCE($3, os),
             os_version = COALESCE($4, os_version),
             arch = COALESCE($5, arch),
             machine_id = COALESCE($6, machine_id),
             ip_addresses = $7,
             identity_ips = $8,
             updated_at = $9
         WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(id)
    .bind(&identity.hostname)
    .bind(&identity.os)
    .bind(&identity.os_version)
    .bind(&identity.arch)
    .bind(&identity.machine_id)
    .bind(&identity.ip_addresses)
    .bind(&identity.identity_ips)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Writes facts into the records. Returns the hosts for which something was new.
pub(in crate::hosts) async fn change_facts(
    tx: &mut Tx<'_>,
    changes: &[FactsChange],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    // One JSON document instead of arrays: lists of lists do not travel as PostgreSQL arrays.
    let rows: Vec<Value> = changes.iter().map(facts_row).collect();
    sqlx::query_scalar(
        "UPDATE hosts AS h
         SET os = COALESCE(f.os, h.os),
             os_version = COALESCE(f.os_version, h.os_version),
             arch = COALESCE(f.arch, h.arch),
             ip_addresses = COALESCE(f.ip_addresses, h.ip_addresses),
             disks = COALESCE(f.disks, h.disks),
             interfaces = COALESCE(f.interfaces, h.interfaces),
             updated_at = $2
         FROM jsonb_to_recordset($1) AS f(host_id uuid, os text, os_version text, arch text,
                                          ip_addresses text[], disks jsonb, interfaces jsonb)
         WHERE h.id = f.host_id
           AND h.deleted_at IS NULL
           AND (COALESCE(f.os, h.os), COALESCE(f.os_version, h.os_version), COALESCE(f.arch, h.arch),
                COALESCE(f.ip_addresses, h.ip_addresses), COALESCE(f.disks, h.disks),
                COALESCE(f.interfaces, h.interfaces))
               IS DISTINCT FROM (h.os, h.os_version, h.arch, h.ip_addresses, h.disks, h.interfaces)
         RETURNING h.id",
    )
    .bind(Value::Array(rows))
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

fn facts_row(change: &FactsChange) -> Value {
    json!({
        "host_id": change.host_id,
        "os": change.os,
        "os_version": change.os_version,
        "arch": change.arch,
        "ip_addresses": change.ip_addresses,
        "disks": change.disks,
        "interfaces": change.interfaces,
    })
}

/// Brings what the vitals repeat of the record up to date, and the agents' versions where given. Returns how many rows
/// were not up to date.
pub(in crate::hosts) async fn copy_to_vitals(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
    agent_versions: &[Option<String>],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(concat!(
        "UPDATE host_vitals AS v
         SET name_key = c.name_key, search_text = c.search_text, os = c.os, arch = c.arch,
             agent_version = COALESCE(c.agent_version, v.agent_version)
         FROM (SELECT h.id, lower(h.hostname) AS name_key, ",
        search_text!(),
        " AS search_text, h.os, h.arch, u.agent_version
               FROM UNNEST($1::uuid[], $2::text[]) AS u(id, agent_version)
               JOIN hosts AS h ON h.id = u.id) AS c
         WHERE v.host_id = c.id
           AND (v.name_key, v.search_text, v.os, v.arch, v.agent_version)
               IS DISTINCT FROM (c.name_key, c.search_text, c.os, c.arch, COALESCE(c.agent_version, v.agent_version))"
    ))
    .bind(ids)
    .bind(agent_versions)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Moves the vitals forward: the figures by the agent's clock, `last_seen_at` by ours. One change per host.
pub(in crate::hosts) async fn change_vitals(
    tx: &mut Tx<'_>,
    changes: &[VitalsChange],
) -> Result<u64, sqlx::Error> {
    let newest: Vec<Option<&VitalsSample>> = changes.iter().map(|change| change.newest.as_ref()).collect();
    let done = sqlx::query(
        "UPDATE host_vitals AS v
         SET last_seen_at = GREATEST(v.last_seen_at, u.seen_at),
             cpu_centi = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.cpu_centi ELSE v.cpu_centi END,
             memory_centi = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.memory_centi ELSE v.memory_centi END,
             disk_centi = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.disk_centi ELSE v.disk_centi END,
             uptime_seconds = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.uptime_seconds ELSE v.uptime_seconds END,
             clock_skewed = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.clock_skewed ELSE v.clock_skewed END,
             recorded_at = CASE WHEN u.recorded_at > COALESCE(v.recorded_at, '-infinity')
                 THEN u.recorded_at ELSE v.recorded_at END
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::smallint[], $5::smallint[],
                     $6::smallint[], $7::bigint[], $8::boolean[])
              AS u(host_id, seen_at, recorded_at, cpu_centi, memory_centi, disk_centi, uptime_seconds, clock_skewed)
         WHERE v.host_id = u.host_id",
    )
    .bind(changes.iter().map(|change| change.host_id).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.seen_at).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.map(|s| s.recorded_at)).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.and_then(|s| s.cpu_centi)).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.and_then(|s| s.memory_centi)).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.and_then(|s| s.disk_centi)).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.and_then(|s| s.uptime_seconds)).collect::<Vec<_>>())
    .bind(newest.iter().map(|sample| sample.is_some_and(|s| s.clock_skewed)).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Gives hosts a status, one change per host. `online` is kept from hosts without an approved agent (hosts 6). Returns
/// the organisation of each host that changed.
pub(in crate::hosts) async fn change_status(
    tx: &mut Tx<'_>,
    changes: &[StatusUpdate],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE host_vitals AS v
         SET status = u.status, status_changed_at = u.at
         FROM UNNEST($1::uuid[], $2::text[], $3::timestamptz[]) AS u(host_id, status, at)
         WHERE v.host_id = u.host_id
           AND v.status <> u.status
           AND (u.status <> 'online'
                OR EXISTS (SELECT 1 FROM agents AS a
                           WHERE a.host_id = v.host_id AND a.status IN ('active', 'offline')
                             AND a.deleted_at IS NULL))
         RETURNING v.org_id",
    )
    .bind(changes.iter().map(|change| change.host_id).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.status.as_str()).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.at).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
}

/// Takes a host out of every list and count. Returns its organisation when it was there.
pub(in crate::hosts) async fn remove_vitals(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM host_vitals WHERE host_id = $1 RETURNING org_id")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await
}

/// Notes in the record that the host is deleted, and by whom.
pub(in crate::hosts) async fn mark_deleted(
    tx: &mut Tx<'_>,
    id: Uuid,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE hosts
         SET deleted_at = $3, updated_at = $3, deleted_by = $2
         WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(id)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Host name and display name of a host in the grant, locked.
pub(in crate::hosts) async fn lock_names(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<(String, String)>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT h.hostname, h.display_name
         FROM host_vitals AS v
         JOIN hosts AS h ON h.id = v.host_id
         WHERE v.host_id = $1 AND v.org_id = $2 AND ",
        in_scope!("v.host_id", "$3"),
        " FOR NO KEY UPDATE OF v"
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(&mut **tx)
    .await
}

/// Gives a host another display name.
pub(in crate::hosts) async fn rename(
    tx: &mut Tx<'_>,
    id: Uuid,
    display_name: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE hosts SET display_name = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(display_name)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Deletes host records for good; what refers to them goes too. Returns the organisation of each.
pub(in crate::hosts) async fn purge(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM hosts WHERE id = ANY($1) RETURNING org_id")
        .bind(ids)
        .fetch_all(&mut **tx)
        .await
}
