//! Dead letters: records that a consumer could not apply, for administrators to look at, replay or discard.
//!
//! - [`http`]: `/system/dead-letters`; [`service`]: decisions and audit, also for the operator's command line.
//! - [`cli`]: the operator's commands.
//! - [`jobs`]: applies what was asked to be replayed, in the process that leads.
//! - [`model`]: what may be shown of a payload.
//!
//! Owns no table: `ctops_queue::dead_letters` does. Permission: `system.dead_letters`.

pub mod cli;
mod http;
mod jobs;
mod model;
pub mod service;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_pg::Pool;
use ctops_queue::Handler;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use self::model::Preview;

/// See, replay and discard records that could not be applied.
pub static SYSTEM_DEAD_LETTERS: Permission = Permission {
    name: "system.dead_letters",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See, replay and discard reports that could not be applied.",
};

/// The slice; `handlers` are those of the whole program.
pub fn slice(pool: Pool, clock: Clock, handlers: Vec<Arc<dyn Handler>>) -> Slice {
    let access = Access::Needs(&SYSTEM_DEAD_LETTERS);
    Slice::new("dead_letters")
        .permissions(&[&SYSTEM_DEAD_LETTERS])
        .operation(access, routes!(http::list_dead_letters))
        .operation(access, routes!(http::get_dead_letter))
        .operation(access, routes!(http::replay_dead_letter))
        .operation(access, routes!(http::discard_dead_letter))
        .job(Arc::new(jobs::Replays::new(pool, clock, handlers)))
}
