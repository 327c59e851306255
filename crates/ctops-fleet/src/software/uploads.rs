//! What ingest calls: a scan begins, packages arrive, the scan ends.
//!
//! No transaction is open while an agent streams. Packages are put aside as they come; the last chunk merges all of them
//! in one transaction.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_base::text::clean;
use ctops_pg::Pool;
use uuid::Uuid;

use super::model::{
    KEPT_SCANS, MAX_ERROR_CHARS, Package, SUSPICIOUS_LOSS, ScanCounts, ScanStatus, SourceOutcome, Upload,
};
use super::store::uploads as store;
use crate::tasks::{SOFTWARE_INVENTORY, task_of_agent};

/// How a complete upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanResult {
    /// `Success`, `Partial` or `Failed`.
    pub status: ScanStatus,
    /// One line per source.
    pub sources: Vec<SourceOutcome>,
    /// What changed.
    pub counts: ScanCounts,
}

/// Begins an upload for the scan, which must be a task of the agent's host. An older upload of the same scan is cut off.
///
/// # Errors
/// `not_found` when the scan is none of this agent's; `wrong_state` when it is complete already or another scan of the
/// host runs; `internal`.
pub async fn begin_upload(
    pool: &Pool,
    agent_id: &str,
    scan_id: &str,
    now: DateTime<Utc>,
) -> Result<Upload, Problem> {
    let absent = || Problem::not_found("scan");
    let scan_id: Uuid = scan_id.parse().map_err(|_| absent())?;
    let task = task_of_agent(pool, scan_id, agent_id).await?;
    let task = task.filter(|task| task.kind == SOFTWARE_INVENTORY).ok_or_else(absent)?;
    let upload = Upload { upload_id: new_id(), scan_id, host_id: task.host_id, org_id: task.org_id };
    store::adopt(pool, &upload, now).await.map_err(Problem::internal)?;
    let begun = store::begin(pool, &upload, now).await;
    if begun
        .map_err(|error| if super::service::is_taken(&error) { busy() } else { Problem::internal(error) })?
    {
        return Ok(upload);
    }
    match store::status(pool, scan_id, upload.host_id).await.map_err(Problem::internal)? {
        Some(_) => Err(Problem::wrong_state("the scan is complete already")),
        None => Err(busy()),
    }
}

fn busy() -> Problem {
    Problem::wrong_state("another scan of this host is pending or running")
}

/// Puts packages of one source aside.
///
/// # Errors
/// `internal`.
pub async fn stage_packages(
    pool: &Pool,
    upload: &Upload,
    source: &str,
    packages: &[Package],
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    store::stage(pool, upload.upload_id, source, packages, now).await.map_err(Problem::internal)
}

/// Brings the inventory up to date with everything that was put aside; `sources` are those the agent read (software-
/// inventory 5 to 7).
///
/// # Errors
/// `wrong_state` when another upload took the scan over or it was ended; `internal`. Nothing is changed then.
pub async fn finish_upload(
    pool: &Pool,
    upload: &Upload,
    sources: &[String],
    now: DateTime<Utc>,
) -> Result<ScanResult, Problem> {
    let done = finish(pool, upload, sources, now).await.map_err(Problem::internal)?;
    done.ok_or_else(|| Problem::wrong_state("the scan was taken over by another upload or ended"))
}

async fn finish(
    pool: &Pool,
    upload: &Upload,
    sources: &[String],
    now: DateTime<Utc>,
) -> Result<Option<ScanResult>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !store::lock(&mut tx, upload).await? {
        return Ok(None);
    }
    let outcomes = judge(store::tally(&mut tx, upload, sources).await?);
    let good: Vec<String> = outcomes.iter().filter(|s| s.ok).map(|s| s.source.clone()).collect();
    let mut counts = store::merge(&mut tx, upload, &good, now).await?;
    counts.removed = store::remove_missing(&mut tx, upload, &good, now).await?;
    let status = match good.len() {
        0 => ScanStatus::Failed,
        all if all == outcomes.len() => ScanStatus::Success,
        _ => ScanStatus::Partial,
    };
    let error = outcomes.iter().find_map(|source| source.error.clone());
    store::end(&mut tx, upload, status, error.as_deref(), &outcomes, counts, now).await?;
    store::note_end(&mut tx, &[upload.host_id], status == ScanStatus::Success, now).await?;
    store::unstage(&mut tx, upload.upload_id).await?;
    store::prune_scans(&mut tx, upload.host_id, KEPT_SCANS).await?;
    tx.commit().await?;
    Ok(Some(ScanResult { status, sources: outcomes, counts }))
}

/// Which sources count: (name, packages that arrived, packages that were there).
fn judge(tally: Vec<(String, i64, i64)>) -> Vec<SourceOutcome> {
    let outcome = |(source, count, present)| {
        let lost = count == 0 && present > SUSPICIOUS_LOSS;
        let error = lost.then(|| format!("{source} reported no packages, but had {present}"));
        SourceOutcome { source, count, ok: !lost, error }
    };
    tally.into_iter().map(outcome).collect()
}

/// Ends an upload that was not complete: nothing of it counts. `some` says that packages had arrived.
///
/// # Errors
/// `internal`; the sweeper ends the scan later then.
pub async fn abort_upload(
    pool: &Pool,
    upload: &Upload,
    some: bool,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    abort(pool, upload, some, reason, now).await.map_err(Problem::internal)
}

async fn abort(
    pool: &Pool,
    upload: &Upload,
    some: bool,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let status = if some { ScanStatus::Partial } else { ScanStatus::Failed };
    let reason = clean(reason, MAX_ERROR_CHARS);
    let mut tx = pool.begin().await?;
    if store::end(&mut tx, upload, status, Some(&reason), &[], ScanCounts::default(), now).await? {
        store::note_end(&mut tx, &[upload.host_id], false, now).await?;
    }
    store::unstage(&mut tx, upload.upload_id).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: software-inventory 6
    #[test]
    fn judge_of_no_packages_where_more_than_ten_were_is_a_failure_of_that_source() {
        let judged = |arrived, present| judge(vec![("rpm".into(), arrived, present)])[0].ok;
        assert!(judged(0, 0) && judged(0, 10), "few packages may go");
        assert!(!judged(0, 11));
        assert!(judged(1, 5000), "a source that says something is believed");
        let outcome = &judge(vec![("rpm".into(), 0, 400)])[0];
        assert_eq!(outcome.error.as_deref(), Some("rpm reported no packages, but had 400"));
    }
}
