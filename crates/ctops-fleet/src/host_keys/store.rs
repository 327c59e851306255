//! Statements on `host_ssh_keys`.

use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{HostKey, HostKeys};

/// The keys of these hosts, locked.
pub(super) async fn lock(tx: &mut Tx<'_>, host_ids: &[Uuid]) -> Result<Vec<HostKeys>, sqlx::Error> {
    sqlx::query_as(
        "SELECT host_id, org_id, trusted, trusted_at, pending, pending_since
         FROM host_ssh_keys
         WHERE host_id = ANY($1)
         ORDER BY host_id
         FOR UPDATE",
    )
    .bind(host_ids)
    .fetch_all(&mut **tx)
    .await
}

/// Writes keys of hosts that exist, each host once.
pub(super) async fn write(tx: &mut Tx<'_>, all: &[HostKeys]) -> Result<(), sqlx::Error> {
    let hosts: Vec<Uuid> = all.iter().map(|keys| keys.host_id).collect();
    let orgs: Vec<Uuid> = all.iter().map(|keys| keys.org_id).collect();
    let trusted: Vec<Json<&Vec<HostKey>>> = all.iter().map(|keys| Json(&keys.trusted.0)).collect();
    let trusted_at: Vec<_> = all.iter().map(|keys| keys.trusted_at).collect();
    let pending: Vec<Option<Json<&Vec<HostKey>>>> =
        all.iter().map(|keys| keys.pending.as_ref().map(|pending| Json(&pending.0))).collect();
    let since: Vec<_> = all.iter().map(|keys| keys.pending_since).collect();
    sqlx::query(
        "INSERT INTO host_ssh_keys (host_id, org_id, trusted, trusted_at, pending, pending_since)
         SELECT said.host_id, said.org_id, said.trusted, said.trusted_at, said.pending, said.pending_since
         FROM UNNEST($1::uuid[], $2::uuid[], $3::jsonb[], $4::timestamptz[], $5::jsonb[], $6::timestamptz[])
              AS said (host_id, org_id, trusted, trusted_at, pending, pending_since)
         JOIN hosts h ON h.id = said.host_id AND h.org_id = said.org_id AND h.deleted_at IS NULL
         ORDER BY said.host_id
         ON CONFLICT (host_id) DO UPDATE
         SET trusted = EXCLUDED.trusted, trusted_at = EXCLUDED.trusted_at, pending = EXCLUDED.pending,
             pending_since = EXCLUDED.pending_since",
    )
    .bind(hosts)
    .bind(orgs)
    .bind(trusted)
    .bind(trusted_at)
    .bind(pending)
    .bind(since)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The keys of a host of the organisation: none inside when it never reported any, none outside when there is no host.
pub(super) async fn find(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
) -> Result<Option<Option<HostKeys>>, sqlx::Error> {
    let known: Option<Uuid> = sqlx::query_scalar(concat!(
        "SELECT h.id FROM hosts h WHERE h.id = $1 AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$3")
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await?;
    if known.is_none() {
        return Ok(None);
    }
    let keys = sqlx::query_as(
        "SELECT host_id, org_id, trusted, trusted_at, pending, pending_since
         FROM host_ssh_keys
         WHERE host_id = $1 AND org_id = $2",
    )
    .bind(host_id)
    .bind(grant.org_id())
    .fetch_optional(pool)
    .await?;
    Ok(Some(keys))
}
