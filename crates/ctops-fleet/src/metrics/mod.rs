//! Metrics: the history of what every host measures, drawn for any range and kept as long as its organisation says.
//!
//! Owns `metric_samples`, `host_disk_samples`, `host_network_samples`, their aggregates (`*_1m`, `*_1h`, `*_1d`),
//! `metric_progress`, `metric_late`, `metric_retention`, `metric_storage`. Reads `hosts`, `host_vitals`, `agents`,
//! `agent_leases`, `agent_status_history`, `organisations`.
//!
//! The metrics consumer calls [`record`] inside its transaction. Aggregates are made once per minute for all hosts, from
//! samples that are complete: `closed_until` moves only between batches, and a batch with samples from before it notes
//! the ten minutes they belong to in `metric_late`, in its own transaction. Those are made again from the samples. What
//! is not aggregated yet is read from samples, so charts are complete up to now.
//!
//! Invariants:
//! - An aggregate is always the aggregate of the rows of the finer level, however often and in whatever order samples
//!   arrived: it is made anew and never added to.
//! - Aggregates hold sums and counts and no averages, so every bucket a chart asks for is exact.
//! - The engine (plain PostgreSQL, TimescaleDB under either licence) changes how tables are made and old rows dropped,
//!   and neither names nor the questions asked.

use std::sync::Arc;

use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

mod http;
mod jobs;
mod model;
mod rollup;
mod service;
mod store;

pub use model::{
    Chart, ChartInput, Gap, GapChart, MAX_POINTS, NewDisk, NewRate, NewSample, OfflinePeriod, Point, Series,
};
pub use rollup::{bring_up_to_date, record};
pub use service::{chart, forget_hosts, heartbeat_gaps, offline_periods};

use crate::enrolment::{SETTINGS_READ, SETTINGS_WRITE};
use crate::hosts::HOSTS_READ;

/// The slice.
pub fn slice(pool: &Pool, clock: &Clock) -> Slice {
    let read = Access::Needs(&HOSTS_READ);
    Slice::new("metrics")
        .operation(read, routes!(http::host_metrics))
        .operation(read, routes!(http::host_heartbeat_gaps))
        .operation(read, routes!(http::host_offline_periods))
        .operation(Access::Needs(&SETTINGS_READ), routes!(http::get_retention_settings))
        .operation(Access::Needs(&SETTINGS_WRITE), routes!(http::update_retention_settings))
        .job(Arc::new(jobs::KeepHistory::new(pool.clone(), clock.clone())))
        .job(Arc::new(jobs::RollUp::new(pool.clone(), clock.clone())))
}
