//! Queries: what people ask a connected host on demand, its listening ports or its running services.
//!
//! Owns `agent_queries`. Reads `hosts`. Sends `NOTIFY ctops_agents` with `work:`.
//!
//! Invariants:
//! - A query lives two minutes; what arrives later is dropped, and the query reads as failed.
//! - An answer counts only from the host that was asked.

mod agents;
mod http;
mod jobs;
mod service;
mod store;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_pg::Pool;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use agents::{QueryEvents, QueryWork};

/// Ask hosts.
pub static HOSTS_QUERY: Permission = Permission {
    name: "hosts.query",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Ask a host for its listening ports and running services.",
};

/// The slice.
pub fn slice(pool: &Pool, clock: &Clock) -> Slice {
    let query = Access::Needs(&HOSTS_QUERY);
    Slice::new("queries")
        .permissions(&[&HOSTS_QUERY])
        .operation(query, routes!(http::create_host_query))
        .operation(query, routes!(http::get_host_query))
        .agent_work(Arc::new(QueryWork::new(pool.clone(), clock.clone())))
        .agent_events(Arc::new(QueryEvents))
        .job(Arc::new(jobs::PurgeQueries::new(pool.clone(), clock.clone())))
}
