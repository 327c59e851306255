//! Checks: what an agent looks at again and again on or from its host, and what it found.
//!
//! Owns `checks`, `check_results`. Reads `hosts`. Sends `NOTIFY ctops_agents` with `work:`; its work is
//! [`CheckWork`] (definitions) and [`CheckRuns`] (run now), its results arrive through [`CheckEvents`].
//!
//! Invariants:
//! - Agents get the complete set of their host, also when it is empty. Agents of the original product keep their checks
//!   when they get an empty set, so they get a placeholder instead (wire contract, appendix B.1).
//! - Results count only for checks of the host they came from.
//! - Parameters are validated by their type when they are written; secrets are sealed and never answered.

mod agents;
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

use crate::Deps;

pub use agents::{CheckEvents, CheckRuns, CheckWork};
pub use jobs::PruneResults;

/// See checks and their results.
pub static CHECKS_READ: Permission =
    Permission { name: "checks.read", roles: &Role::ALL, about: "See health checks and their results." };

/// Change and run checks.
pub static CHECKS_WRITE: Permission = Permission {
    name: "checks.write",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Create, edit, run and delete health checks.",
};

/// Change and run checks that are scripts.
pub static CHECKS_SCRIPT: Permission = Permission {
    name: "checks.script",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Create, edit, run and delete health checks that run a script.",
};

/// The slice.
pub fn slice(deps: &Deps) -> Slice {
    let (read, write) = (Access::Needs(&CHECKS_READ), Access::Needs(&CHECKS_WRITE));
    Slice::new("checks")
        .permissions(&[&CHECKS_READ, &CHECKS_WRITE, &CHECKS_SCRIPT])
        .operation(read, with_deps(routes!(http::list_host_checks), deps))
        .operation(write, with_deps(routes!(http::create_check), deps))
        .operation(read, with_deps(routes!(http::get_check), deps))
        .operation(write, with_deps(routes!(http::change_check), deps))
        .operation(write, with_deps(routes!(http::delete_check), deps))
        .operation(write, with_deps(routes!(http::run_check), deps))
        .operation(read, with_deps(routes!(http::list_check_results), deps))
        .operation(write, with_deps(routes!(http::clear_check_results), deps))
        .agent_work(Arc::new(CheckWork::new(deps.clone())))
        .agent_work(Arc::new(CheckRuns::new(deps.pool.clone())))
        .agent_events(Arc::new(CheckEvents))
        .job(Arc::new(PruneResults::new(deps.pool.clone(), deps.clock.clone())))
}

fn with_deps(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    deps: &Deps,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(deps.clone())))
}
