//! Area: sign-in through identity providers.
//!
//! | Slice | What it does | Tables it writes |
//! |---|---|---|
//! | [`identity_providers`] | which providers an organisation trusts, and how | `identity_providers` |
//! | [`oidc`] | a browser's way through an OpenID provider | none of its own |
//! | [`saml`] | a browser's way through a SAML identity provider | `saml_assertions` |
//!
//! [`attempts`] holds what is common to both ways: the browser that began must be the one that returns, once. Owns
//! `sso_attempts`. Who somebody is among our accounts is decided by `ctops_identity::external`, and the session is started by
//! `ctops_identity::sign_in`, as for every other way to sign in.

pub(crate) mod arrival;
pub mod attempts;
pub mod identity_providers;
pub mod oidc;
pub mod saml;

use std::sync::Arc;

use ctops_base::Clock;
use ctops_identity::reauthentication::Reauthenticate;
use ctops_pg::Pool;
use ctops_slice::Slice;

/// What the slices of this area are made from.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
}

/// The slices of this area.
pub fn slices(deps: &Deps) -> Vec<Slice> {
    let cache = oidc::Cache::default();
    vec![identity_providers::slice(deps, cache.clone()), oidc::slice(deps, cache), saml::slice(deps)]
}

/// How people who came through a provider confirm that it is still them.
pub fn reauthentication() -> Vec<Arc<dyn Reauthenticate>> {
    use identity_providers::{Kind, RoundTrip};
    vec![Arc::new(RoundTrip(Kind::Oidc)), Arc::new(RoundTrip(Kind::Saml))]
}
