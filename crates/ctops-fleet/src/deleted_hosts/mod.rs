//! Deletion of hosts: out of every list at once, then for good after a while (hosts 29, 32).
//!
//! Owns no table: the agents, hosts, tasks and metrics slices end and delete what is theirs. Reads `hosts`, `users`.
//!
//! Invariants:
//! - A deleted host has no agent that could come back: the agent is revoked in the same transaction, for good.
//! - Only deleted hosts are purged, and what hangs on them goes in the same transaction; their metric history follows.
//! - Rows are locked in the order agents, hosts, task runs.

mod http;
mod jobs;
mod model;
mod service;
mod store;

use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, AppState, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::agents::AgentDeps;

pub(crate) use service::forget;

/// Delete hosts.
pub static HOSTS_DELETE: Permission = Permission {
    name: "hosts.delete",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Delete hosts and see deleted ones.",
};

/// Remove deleted hosts for good.
pub static HOSTS_PURGE: Permission = Permission {
    name: "hosts.purge",
    roles: &[Role::SuperAdmin],
    about: "Remove deleted hosts and their history for good.",
};

/// The slice.
pub fn slice(deps: &AgentDeps) -> Slice {
    let (delete, purge) = (Access::Needs(&HOSTS_DELETE), Access::Needs(&HOSTS_PURGE));
    Slice::new("deleted_hosts")
        .permissions(&[&HOSTS_DELETE, &HOSTS_PURGE])
        .operation(delete, routes!(http::list_deleted_hosts))
        .operation(delete, with_deps(routes!(http::delete_host), deps))
        .operation(purge, with_deps(routes!(http::purge_host), deps))
        .settings_page::<model::DeletedHostSettings>()
        .job(Arc::new(jobs::PurgeDeletedHosts { pool: deps.pool.clone(), clock: deps.clock.clone() }))
}

fn with_deps(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    deps: &AgentDeps,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(deps.clone())))
}
