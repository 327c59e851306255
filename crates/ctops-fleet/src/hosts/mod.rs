//! Hosts: every machine that runs an agent, with what it is (facts), how it is (vitals) and whether it is there
//! (status).
//!
//! Owns `hosts`, `host_vitals`. Reads `agents`, `agent_leases`, `users`, `metric_samples`; the metrics slice keeps the
//! samples that the consumer hands it.
//! Consumes `metrics.raw` (group `metrics`) and `agent.status` (group `events`).
//! Sends `NOTIFY ctops_changes` with `vitals`, `status` and `hosts`; [`watch`] turns these into live views.
//!
//! Invariants:
//! - A row of `host_vitals` exists exactly while the host is not deleted. It repeats everything the list sorts and
//!   filters by, so that lists and counts read this one narrow table.
//! - Figures move forward only by the agent's clock, `last_seen_at` only by ours.
//! - Nothing writes `hosts` or `host_vitals` but this slice; the agents slice calls [`create`], [`reidentify`],
//!   [`set_status`] and [`soft_delete`]. Rows are locked in the order agents, vitals (by id), hosts.

use std::sync::Arc;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

mod changes;
mod consume;
mod http;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;
pub mod watch;

pub use consume::{MetricsConsumer, StatusConsumer, describe_metrics};
pub(crate) use http::{HostItem, HostListParams};
pub use model::{
    FacetValue, Facets, FleetSummary, HostDetail, HostFilter, HostIdentity, HostListInput, HostQuery,
    HostRow, HostStatus, NewHost, Sort, SortKey, Vital,
};
pub(crate) use service::check_there;
pub use service::{
    NamedHost, count_by_status, create, find_host, fleet_facets, fleet_summary, list_hosts, named, purge,
    reidentify, rename_host, set_status, soft_delete,
};

/// See the fleet, the list and host pages.
pub static HOSTS_READ: Permission = Permission {
    name: "hosts.read",
    roles: &Role::ALL,
    about: "See the fleet, the list of hosts and host pages.",
};

/// Change what people say about hosts.
pub static HOSTS_WRITE: Permission = Permission {
    name: "hosts.write",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Change the display names of hosts.",
};

/// The slice.
pub fn slice() -> Slice {
    let (read, write) = (Access::Needs(&HOSTS_READ), Access::Needs(&HOSTS_WRITE));
    Slice::new("hosts")
        .permissions(&[&HOSTS_READ, &HOSTS_WRITE])
        .operation(read, routes!(http::list_hosts))
        .operation(read, routes!(http::host_summary))
        .operation(read, routes!(http::host_facets))
        .operation(read, routes!(http::get_host))
        .operation(write, routes!(http::change_host))
        .operation(read, routes!(http::host_samples))
        .operation(read, routes!(http::follow_host))
        .operation(read, routes!(http::follow_topics))
        .consumer(Arc::new(MetricsConsumer))
        .consumer(Arc::new(StatusConsumer))
}
