//! Tasks live in this area, not in one of their own, because software inventory in this area is made of them.
//!
//! Tasks: work that is run on hosts through their agents, with progress, results, cancelling and an end for every run.
//! This slice is the engine: other slices create runs with [`create_run`] and take results through
//! [`ctops_slice::AgentEvents`]; people see runs and cancel them.
//!
//! Owns `task_runs`, `task_targets`, `task_output`. Reads `hosts`, `agents`, `agent_leases`, `users`.
//! Sends `NOTIFY ctops_agents` with `work:`; its work is [`ctops_slice::AgentWork`] named `tasks`.
//!
//! Invariants:
//! - A target is claimed by one transaction that holds its run, so `max_parallel` holds on any number of nodes.
//! - What was claimed is sent again whenever its agent is asked about, until its result arrives: agents remember the ids
//!   they have seen, so nothing runs twice on one agent's life.
//! - Results and progress count only from the target's own host, and only while the target is open.
//! - Every run ends: silence, lost agents and unanswered cancellations have limits.
//! - Rows are locked in the order runs (by id), targets.

mod consume;
mod deliver;
mod http;
mod jobs;
mod model;
mod service;
mod store;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_pg::Pool;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use consume::TaskEvents;
pub use deliver::TaskWork;
pub use jobs::SweepTasks;
pub use model::{CreatedRun, NewRun, SOFTWARE_INVENTORY, TaskRef};
pub use service::{cancel_for_host, cancel_run, create_run, task_of_agent};

/// See runs and their output.
pub static TASKS_READ: Permission = Permission {
    name: "tasks.read",
    roles: &Role::ALL,
    about: "See task runs, their hosts and their output.",
};

/// Run tasks and cancel one's own runs.
pub static TASKS_RUN: Permission = Permission {
    name: "tasks.run",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Run tasks on hosts and cancel one's own runs.",
};

/// Cancel runs of other people and of the system.
pub static TASKS_CANCEL_ANY: Permission = Permission {
    name: "tasks.cancel_any",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Cancel task runs that somebody else or the system started.",
};

/// The slice.
pub fn slice(pool: &Pool, clock: &Clock) -> Slice {
    let (read, run) = (Access::Needs(&TASKS_READ), Access::Needs(&TASKS_RUN));
    Slice::new("tasks")
        .permissions(&[&TASKS_READ, &TASKS_RUN, &TASKS_CANCEL_ANY])
        .operation(read, routes!(http::get_task_run))
        .operation(read, routes!(http::get_task_output))
        .operation(read, routes!(http::list_host_task_runs))
        .operation(run, routes!(http::cancel_task_run))
        .agent_work(Arc::new(TaskWork::new(pool.clone(), clock.clone())))
        .agent_events(Arc::new(TaskEvents))
        .job(Arc::new(SweepTasks::new(pool.clone(), clock.clone())))
}
