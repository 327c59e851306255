//! Software: the packages of every host, when each came and when it went, and the scans that find out.
//!
//! Owns `software_packages`, `software_scans`, `software_hosts`, `software_settings`, `software_staged_packages`. Reads
//! `host_vitals`, `agents`, `task_targets`. A scan is a task of the tasks slice, which carries it to the agent; the agent
//! streams its packages to ingest, which calls [`begin_upload`], [`stage_packages`] and [`finish_upload`] or
//! [`abort_upload`].
//!
//! Invariants:
//! - Only a complete scan changes packages, and only those of sources that it read.
//! - A host has one open scan at a time (a unique index), and a scan one upload: the newest.
//! - No transaction is open while an agent streams.

mod consume;
mod http;
mod jobs;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;
mod uploads;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_pg::Pool;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use model::{
    MAX_PACKAGES, Package, PackageQuery, PackageQueryInput, PackageRow, PackageSort, PackageSortKey,
    ScanCounts, ScanRow, ScanStatus, SoftwareSettings, SourceOutcome, Upload, source_name,
};
pub use service::{StartedScan, get_settings, list_packages, list_scans, put_settings, rescan};
pub use uploads::{ScanResult, abort_upload, begin_upload, finish_upload, stage_packages};

/// See packages and scans.
pub static SOFTWARE_READ: Permission = Permission {
    name: "software.read",
    roles: &Role::ALL,
    about: "See the packages of hosts and their scans.",
};

/// Start scans.
pub static SOFTWARE_RESCAN: Permission = Permission {
    name: "software.rescan",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Start a scan of the software of a host.",
};

/// Decide about automatic scans.
pub static SOFTWARE_SETTINGS: Permission = Permission {
    name: "software.settings",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change the settings of the software inventory.",
};

/// The slice.
pub fn slice(pool: &Pool, clock: &Clock) -> Slice {
    let (read, settings) = (Access::Needs(&SOFTWARE_READ), Access::Needs(&SOFTWARE_SETTINGS));
    Slice::new("software")
        .permissions(&[&SOFTWARE_READ, &SOFTWARE_RESCAN, &SOFTWARE_SETTINGS])
        .operation(read, routes!(http::list_host_packages))
        .operation(read, routes!(http::list_host_scans))
        .operation(Access::Needs(&SOFTWARE_RESCAN), routes!(http::start_host_scan))
        .operation(settings, routes!(http::get_software_settings))
        .operation(settings, routes!(http::put_software_settings))
        .agent_events(Arc::new(consume::ScanEvents))
        .job(Arc::new(jobs::SweepScans::new(pool.clone(), clock.clone())))
        .job(Arc::new(jobs::PurgePackages::new(pool.clone(), clock.clone())))
}
