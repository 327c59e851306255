//! Host defaults: what the hosts of an organisation collect, and how often they report (agents-enrolment 32).
//!
//! Owns `host_defaults`. Tells agents ([`ctops_slice::AgentWork`] named `host_defaults`).
//!
//! Invariants:
//! - A revision is given once, also over several installations; an agent that reports another one is told.
//! - Where nobody ever chose anything, agents work with the same defaults and are told nothing.

mod http;
mod model;
mod service;
mod store;
mod work;

use std::sync::Arc;

use ctops_base::Role;
use ctops_pg::Pool;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use work::ConfigWork;

/// See and change the host defaults.
pub static HOST_DEFAULTS_MANAGE: Permission = Permission {
    name: "host_defaults.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change what hosts collect and how often they report.",
};

/// The slice.
pub fn slice(pool: &Pool) -> Slice {
    let manage = Access::Needs(&HOST_DEFAULTS_MANAGE);
    Slice::new("host_defaults")
        .permissions(&[&HOST_DEFAULTS_MANAGE])
        .operation(manage, routes!(http::get_host_defaults))
        .operation(manage, routes!(http::put_host_defaults))
        .agent_work(Arc::new(ConfigWork::new(pool.clone())))
}
