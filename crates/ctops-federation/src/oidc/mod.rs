//! Sign-in through OpenID Connect: authorization code with PKCE (auth 33, 35; OpenID Connect Core 1.0, RFC 7636, RFC 9207).
//!
//! Owns no table: journeys are in [`crate::attempts`], providers in [`crate::identity_providers`].
//!
//! Invariants: nothing is taken from an ID token before its signature and all its claims were checked; discovery documents
//! and keys are asked for through the organisation's rules for outgoing connections, and kept for an hour at most; an
//! address counts only when the provider says that it verified it, or an administrator trusts the provider.

mod cache;
mod claims;
mod discovery;
mod exchange;
mod http;
pub(crate) mod id_token;
mod service;

use std::sync::Arc;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Deps;
use crate::arrival::own_url;
use crate::attempts::PurgeAttempts;

pub use cache::Cache;
pub(crate) use discovery::{endpoints, keys};

/// Where providers send browsers back to.
pub(crate) fn redirect_url(public_url: &str, provider_id: Uuid) -> String {
    own_url(public_url, "oidc", provider_id, "callback")
}

pub(crate) fn slice(deps: &Deps, cache: Cache) -> Slice {
    Slice::new("oidc")
        .operation(Access::Public, routes!(http::start_oidc).layer(Extension(cache.clone())))
        .operation(Access::Public, routes!(http::oidc_callback).layer(Extension(cache.clone())))
        .operation(Access::Public, routes!(http::oidc_logout).layer(Extension(cache)))
        .operation(Access::OwnAccount, routes!(http::get_provider_logout))
        .job(Arc::new(PurgeAttempts::new(deps.pool.clone(), deps.clock.clone())))
}
