//! The health of the whole system, for administrators, and the bundle that support asks for (settings, System page).
//!
//! Owns `job_runs`, written through [`RunLog`]. Reads `consumer_offsets`, `dead_letters`, `ingest_nodes` and `agents`.
//! What only the process knows comes from [`ServerFacts`].
//!
//! Invariant: nothing here holds a secret; a test with known secrets in every place watches over the bundle.

mod bundle;
mod facts;
mod http;
mod runs;
mod service;
mod store;

use axum::Extension;
use axum::routing::MethodRouter;
use ctops_base::Role;
use ctops_slice::{Access, AppState, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::Deps;
use crate::settings::Pages;

pub use facts::{CertificateFact, Facts, QueueFact, ServerFacts, VolumeFact};
pub use runs::RunLog;

/// See the health of the system.
pub static SYSTEM_READ: Permission = Permission {
    name: "system.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See the health of the system and make support bundles.",
};

/// The slice.
pub(crate) fn slice(deps: &Deps, pages: &Pages) -> Slice {
    let read = Access::Needs(&SYSTEM_READ);
    let with = |(schemas, paths, methods): UtoipaMethodRouter<AppState>| -> UtoipaMethodRouter<AppState> {
        let methods: MethodRouter<AppState> = methods.layer(Extension(deps.clone()));
        (schemas, paths, methods.layer(Extension(pages.clone())))
    };
    Slice::new("system")
        .permissions(&[&SYSTEM_READ])
        .operation(read, with(routes!(http::get_system_health)))
        .operation(read, with(routes!(http::make_support_bundle)))
}
