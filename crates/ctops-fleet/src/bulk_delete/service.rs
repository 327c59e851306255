//! Deletes hosts by the start of their names.

use std::net::IpAddr;

use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent, By};
use serde_json::json;
use uuid::Uuid;

use crate::agents::{self, AgentDeps};
use crate::{deleted_hosts, hosts};

/// What every prefix must begin with, so that no real host can be meant.
const REQUIRED: &str = "loadtest-";
/// Longest prefix, characters.
const LONGEST: usize = 200;
/// Hosts of one transaction.
const BATCH: i64 = 200;

/// What became of the hosts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many are gone.
    pub deleted: u64,
    /// Names of those that could not be deleted.
    pub failed: Vec<String>,
}

/// Deletes every host whose name begins with `prefix`, in all organisations, with its agent, certificates and history.
/// A batch that fails is reported and the others go on.
///
/// # Errors
/// `invalid` for a prefix that is not allowed; `internal` when the hosts cannot be read.
pub async fn delete_hosts(deps: &AgentDeps, prefix: &str, ip: Option<IpAddr>) -> Result<Deleted, Problem> {
    if !prefix.starts_with(REQUIRED) || prefix.chars().count() > LONGEST {
        let detail = format!("must begin with {REQUIRED} and have at most {LONGEST} characters");
        return Err(Problem::invalid_field("hostname_prefix", "invalid", detail));
    }
    let (mut outcome, mut after) = (Deleted::default(), Uuid::nil());
    loop {
        let found = hosts::named(&deps.pool, prefix, after, BATCH).await?;
        let Some(last) = found.last() else { break };
        after = last.id;
        let ids: Vec<Uuid> = found.iter().map(|host| host.id).collect();
        match delete_batch(deps, prefix, &ids, ip).await {
            Ok(deleted) => {
                outcome.deleted += deleted;
                deleted_hosts::forget(&deps.pool, &ids, deps.clock.now()).await;
            }
            Err(problem) => {
                tracing::error!(
                    cause = problem.cause_chain(),
                    hosts = ids.len(),
                    "hosts could not be deleted"
                );
                outcome.failed.extend(found.into_iter().map(|host| host.hostname));
            }
        }
    }
    tracing::info!(
        prefix,
        deleted = outcome.deleted,
        failed = outcome.failed.len(),
        "deleted simulated hosts"
    );
    Ok(outcome)
}

async fn delete_batch(
    deps: &AgentDeps,
    prefix: &str,
    ids: &[Uuid],
    ip: Option<IpAddr>,
) -> Result<u64, Problem> {
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    agents::end_for_deletion(&mut tx, ids, now).await?;
    let orgs = hosts::purge(&mut tx, ids).await?;
    for (org_id, count) in &orgs {
        let mut event = AuditEvent::by(By::System, Some(*org_id), "host.deleted", "host")
            .because("bulk_delete")
            .summary(format!("deleted {count} hosts whose names begin with {prefix}"))
            .change(Some(json!({"prefix": prefix, "hosts": count})), None);
        event.ip = ip;
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    Ok(orgs.iter().map(|(_, count)| *count).sum())
}
