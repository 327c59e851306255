//! How long events are kept: retention, legal hold, pruning, monthly partitions (audit-log 17, 18).
//!
//! Owns `audit_settings` and `audit_holds`. Jobs `audit_prune` and `audit_partitions`.
//!
//! Pruning takes the oldest part of a chain, signs where it ended, and leaves the rest verifiable. It is done by a
//! function of the database that refuses the last 30 days and whatever is on hold, whoever calls it.

mod http;
mod jobs;
mod model;
mod prune;
mod service;
mod store;

use std::sync::Arc;

use ctops_slice::licence::Feature;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

use crate::{AUDIT_MANAGE, AUDIT_READ, Deps};

pub use jobs::{MakePartitions, PruneEvents};
pub use model::{COMMUNITY_DAYS, DEFAULT_DAYS, RETENTION_DAYS};

pub(crate) fn extend(slice: Slice, deps: &Deps) -> Slice {
    slice
        .operation(Access::Licensed(&AUDIT_READ, Feature::AuditLog), routes!(http::get_audit_settings))
        .operation(Access::Licensed(&AUDIT_MANAGE, Feature::AuditLog), routes!(http::put_audit_settings))
        .job(Arc::new(MakePartitions::new(deps)))
        .job(Arc::new(PruneEvents::new(deps)))
}
