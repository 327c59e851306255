//! Integration tests of the fleet area: routers and consumers in process, on real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod bulk_delete;
mod containers;
mod deleted_hosts;
mod enrolment;
mod host_defaults;
mod host_groups;
mod host_keys;
mod hosts;
mod metrics;
mod queries;
mod releases;
mod scope;
mod software;
mod support;
mod tasks;
