//! Containers: which ones run on each host, what they use, and what happened to them.
//!
//! Owns `container_runtimes`, `containers`, `container_events`, `container_samples`, `container_batches`,
//! `container_settings`, `container_host_settings`. Reads `host_vitals`, `agent_leases`. Takes the runtime's state from
//! `events.raw`; ingest calls [`check_batch`], [`store_batch`] and [`complete_inventory`] for uploads. Tells agents what
//! to collect ([`ctops_slice::AgentWork`] named `containers`).
//!
//! Invariants:
//! - Only a complete inventory marks containers as gone; samples never change presence.
//! - A batch id counts once in 7 days, a sample once per container and moment.
//! - Labels are kept by the organisation's policy only, whatever the agent sends.

mod consume;
mod http;
mod jobs;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;
mod telemetry;
mod work;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_pg::Pool;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use model::{
    BatchOutcome, ContainerHostSettings, ContainerSettings, MAX_BATCH_BYTES, MAX_BATCH_ITEMS,
    MAX_BATCH_SAMPLES, MAX_LABELS, TelemetrySource,
};
pub use telemetry::{check_batch, complete_inventory, store_batch};

/// See containers, their events and samples.
pub static CONTAINERS_READ: Permission = Permission {
    name: "containers.read",
    roles: &Role::ALL,
    about: "See containers, their events and samples.",
};

/// Decide how the containers of one host are watched.
pub static CONTAINERS_HOST_SETTINGS: Permission = Permission {
    name: "containers.host_settings",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change how the containers of a host are watched and how long their samples are kept.",
};

/// Decide how containers are watched.
pub static CONTAINERS_SETTINGS: Permission = Permission {
    name: "containers.settings",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change how containers are watched in the whole organisation.",
};

/// The slice.
pub fn slice(pool: &Pool, clock: &Clock) -> Slice {
    let read = Access::Needs(&CONTAINERS_READ);
    let (host, org) = (Access::Needs(&CONTAINERS_HOST_SETTINGS), Access::Needs(&CONTAINERS_SETTINGS));
    Slice::new("containers")
        .permissions(&[&CONTAINERS_READ, &CONTAINERS_HOST_SETTINGS, &CONTAINERS_SETTINGS])
        .operation(read, routes!(http::list_host_containers))
        .operation(read, routes!(http::list_container_runtimes))
        .operation(read, routes!(http::get_container))
        .operation(read, routes!(http::list_container_events))
        .operation(read, routes!(http::list_container_samples))
        .operation(org, routes!(http::get_container_settings))
        .operation(org, routes!(http::put_container_settings))
        .operation(host, routes!(http::get_host_container_settings))
        .operation(host, routes!(http::put_host_container_settings))
        .agent_work(Arc::new(work::TelemetryWork::new(pool.clone())))
        .agent_events(Arc::new(consume::RuntimeEvents))
        .job(Arc::new(jobs::KeepTelemetry::new(pool.clone(), clock.clone())))
}
