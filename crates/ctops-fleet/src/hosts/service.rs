//! Decisions about hosts.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_pg::Tx;
use uuid::Uuid;

use super::model::{HostIdentity, HostStatus, NewHost};

/// Adds a host and its empty vitals, and announces it on `ctops_changes` when `tx` commits.
///
/// # Errors
/// `already_exists` when a live host of the organisation has this hostname, whatever its case; `tx` stays usable.
/// `internal` when the database fails.
pub async fn create(_tx: &mut Tx<'_>, _host: &NewHost, _now: DateTime<Utc>) -> Result<(), Problem> {
    Err(Problem::unavailable("not there yet"))
}

/// Replaces what a machine says about itself, when an agent adopts a host. Absent values leave the known ones alone.
///
/// # Errors
/// `not_found` for a deleted or unknown host; `already_exists` when another live host has this hostname, in which
/// case `tx` has failed; `internal` when the database fails.
pub async fn reidentify(_tx: &mut Tx<'_>, _id: Uuid, _as: &HostIdentity, _now: DateTime<Utc>) -> Result<(), Problem> {
    Err(Problem::unavailable("not there yet"))
}

/// Gives hosts a status and announces it on `ctops_changes` when `tx` commits. Hosts that have it already and deleted
/// ones are left alone; `Online` is refused to hosts whose agent is pending or revoked (hosts 6). Returns how many
/// changed.
///
/// # Errors
/// `internal` when the database fails.
pub async fn set_status(
    _tx: &mut Tx<'_>,
    _ids: &[Uuid],
    _status: HostStatus,
    _now: DateTime<Utc>,
) -> Result<u64, Problem> {
    Err(Problem::unavailable("not there yet"))
}

/// Takes a host out of every list and count at once, keeping its record, and announces it. Returns whether it was
/// there.
///
/// # Errors
/// `internal` when the database fails.
pub async fn soft_delete(_tx: &mut Tx<'_>, _id: Uuid, _now: DateTime<Utc>) -> Result<bool, Problem> {
    Err(Problem::unavailable("not there yet"))
}
