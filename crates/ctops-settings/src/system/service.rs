//! Puts the picture together and judges it.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_slice::licence::Tier;
use ctops_slice::{Actor, AppState};

use super::SYSTEM_READ;
use super::facts::Facts;
use super::store::{self, Database, IngestNode, LastRun, Progress};
use crate::settings::{PageFault, Pages, faults};
use crate::{Deps, mail};

/// Nodes are shown this long after they were last alive.
const NODES_SINCE: TimeDelta = TimeDelta::hours(24);
/// Certificates that end sooner are worth a warning.
const CERTIFICATE_SOON: TimeDelta = TimeDelta::days(14);
/// Failures in a row that are worth a warning.
const FAILING: i64 = 3;

/// Something an administrator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Warning {
    /// Stable code.
    pub(super) code: &'static str,
    /// For people.
    pub(super) message: String,
}

/// The whole picture.
pub(super) struct Health {
    /// When it was taken.
    pub(super) at: DateTime<Utc>,
    /// Tier of the organisation.
    pub(super) tier: Tier,
    /// Facts of this process.
    pub(super) facts: Facts,
    /// The database.
    pub(super) database: Database,
    /// Consumers.
    pub(super) progress: Vec<Progress>,
    /// Records that could not be applied.
    pub(super) dead_letters: i64,
    /// Nodes that accept agents.
    pub(super) nodes: Vec<IngestNode>,
    /// Agents by version.
    pub(super) agents: Vec<(String, i64)>,
    /// Jobs.
    pub(super) runs: Vec<LastRun>,
    /// Mail that waits.
    pub(super) pending_mail: i64,
    /// Stored settings that cannot be used.
    pub(super) faults: Vec<PageFault>,
    /// What to look at.
    pub(super) warnings: Vec<Warning>,
}

/// Takes the picture.
pub(super) async fn health(
    state: &AppState,
    deps: &Deps,
    pages: &Pages,
    actor: &Actor,
) -> Result<Health, Problem> {
    let grant = actor.grant(&SYSTEM_READ)?;
    let (pool, now) = (&state.pool, state.clock.now());
    let tier = state.entitlements.of(grant.org_id()).await?.tier;
    let mut health = Health {
        at: now,
        tier,
        facts: deps.facts.facts().await,
        database: store::database(pool).await.map_err(Problem::internal)?,
        progress: store::progress(pool).await.map_err(Problem::internal)?,
        dead_letters: store::dead_letters(pool).await.map_err(Problem::internal)?,
        nodes: store::ingest_nodes(pool, now - NODES_SINCE).await.map_err(Problem::internal)?,
        agents: store::agent_versions(pool, &grant).await.map_err(Problem::internal)?,
        runs: store::runs(pool).await.map_err(Problem::internal)?,
        pending_mail: mail::count_waiting(pool, &grant, now).await.map_err(Problem::internal)?,
        faults: faults(pool, &grant, pages).await?,
        warnings: Vec::new(),
    };
    health.warnings = judge(&health);
    Ok(health)
}

/// What is worth a warning.
fn judge(health: &Health) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning { code, message });
    for fault in &health.faults {
        let message = format!("{}, {}: {}; the default counts", fault.page, fault.key, fault.message);
        warn("setting_unusable", message);
    }
    for certificate in &health.facts.certificates {
        let left = certificate.not_after - health.at;
        if left < CERTIFICATE_SOON {
            let message =
                format!("the certificate for {} ends in {} days", certificate.name, left.num_days());
            warn("certificate_ends", message);
        }
    }
    for volume in &health.facts.volumes {
        if volume.free_bytes < volume.total_bytes / 10 {
            warn("disk_full", format!("less than a tenth of the disk of {} is free", volume.name));
        }
    }
    for run in health.runs.iter().filter(|run| run.failures >= FAILING) {
        warn("job_fails", format!("the job {} failed {} times in a row", run.job, run.failures));
    }
    if health.dead_letters > 0 {
        warn("dead_letters", format!("{} records of the queue could not be applied", health.dead_letters));
    }
    if health.pending_mail > 0 {
        warn("mail_waits", format!("{} mails could not be sent yet", health.pending_mail));
    }
    if health.nodes.iter().all(|node| node.lease_until < health.at) {
        warn("no_ingest", "no node accepts agents".to_owned());
    }
    for remark in &health.facts.remarks {
        warn("configuration", remark.clone());
    }
    warnings
}
