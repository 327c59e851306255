//! Licences: activation tokens, keys of organisations, what they open, revocation (licensing).
//!
//! Owns `organisation_licences`, `activation_tokens`, `licence_revocation_bundle`, `licence_clock`, `licence_notices`.
//! Reads `organisations`, `users`, `memberships`, `hosts`, `agents`. Sends and follows `NOTIFY ctops_licences` (payload:
//! an organisation, or nothing for all).
//!
//! [`Licensing`] is the server's [`ctops_slice::Entitlements`].
//!
//! Invariants:
//! - A key counts only with a good signature by the public key stored beside it, and that key only when the build knows
//!   it or the row carries the seal of this installation.
//! - The end of a key closes paid features and nothing else. Nobody has to restart anything.

mod entitlements;
mod http;
mod jobs;
mod model;
mod revocation;
mod service;
mod store;
mod trust;

use std::sync::Arc;

use axum::Extension;
use axum::extract::DefaultBodyLimit;
use axum::routing::MethodRouter;
use ctops_base::{Clock, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_pg::Pool;
use ctops_slice::{Access, AppState, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

pub use entitlements::Licensing;
pub use trust::{KeySources, VerifierTrust};

use revocation::Fetcher;

/// See the licence.
pub static LICENCE_READ: Permission = Permission {
    name: "licence.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See the licence, its features, its end and the seats taken.",
};

/// Change the licence.
pub static LICENCE_MANAGE: Permission = Permission {
    name: "licence.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Generate activation tokens, activate and remove licence keys, fetch the revocation list.",
};

/// What the slice is made from.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Seals keys and mail.
    pub seal: Arc<InstallKey>,
    /// The way out.
    pub egress: Egress,
    /// Licences of all organisations, shared with the application's state.
    pub licensing: Licensing,
    /// Where the list of revoked keys is fetched from; none never fetches.
    pub revocation_url: Option<String>,
    /// Address people use.
    pub public_url: String,
}

/// The slice.
pub fn slice(deps: &Deps) -> Slice {
    let (read, manage) = (Access::Needs(&LICENCE_READ), Access::Needs(&LICENCE_MANAGE));
    let (pool, clock, licensing) = (deps.pool.clone(), deps.clock.clone(), deps.licensing.clone());
    let fetcher = Fetcher {
        pool: pool.clone(),
        egress: deps.egress.clone(),
        url: deps.revocation_url.clone().filter(|url| !url.trim().is_empty()),
        licensing: licensing.clone(),
    };
    let with = |routes| with_parts(routes, &licensing, &fetcher);
    Slice::new("licences")
        .permissions(&[&LICENCE_READ, &LICENCE_MANAGE])
        .operation(Access::SignedIn, with(routes!(http::list_features)))
        .operation(read, with(routes!(http::get_licence)))
        .operation(manage, with(routes!(http::activate_licence)))
        .operation(manage, with(routes!(http::remove_licence)))
        .operation(read, with(routes!(http::list_licence_history)))
        .operation(manage, with(routes!(http::create_activation_token)))
        .operation(manage, with(routes!(http::refresh_licence_revocations)))
        .job(Arc::new(jobs::RefreshRevocations { fetcher: fetcher.clone(), clock: clock.clone() }))
        .job(Arc::new(jobs::GuardClock { pool: pool.clone(), clock: clock.clone() }))
        .job(Arc::new(jobs::TellAdministrators {
            pool: pool.clone(),
            clock: clock.clone(),
            seal: Arc::clone(&deps.seal),
            licensing: licensing.clone(),
            page: format!("{}/settings/licence", deps.public_url),
        }))
        .job(Arc::new(jobs::LogLicences { pool, clock, licensing: licensing.clone() }))
}

fn with_parts(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    licensing: &Licensing,
    fetcher: &Fetcher,
) -> UtoipaMethodRouter<AppState> {
    let methods: MethodRouter<AppState> = methods.layer(Extension(licensing.clone()));
    let methods: MethodRouter<AppState> = methods.layer(Extension(fetcher.clone()));
    (schemas, paths, methods.layer(DefaultBodyLimit::max(http::MAX_BODY)))
}
