//! Sign-in through SAML 2.0: service provider, HTTP redirect out, HTTP POST in (auth 34, 35).
//!
//! Owns `saml_assertions`. Journeys are in [`crate::attempts`], providers in [`crate::identity_providers`].
//!
//! What comes in passes three doors: [`gate`] refuses documents of a shape that attacks need and honest providers do not
//! (declarations, comments, several assertions, weak algorithms), [`library`] verifies signature and conditions, and
//! [`service`] accepts each assertion once, and only with the browser that began.
//!
//! The answer arrives with a POST from another site, with which browsers send no cookie of ours. So the route that takes it
//! verifies it, keeps who was asserted under a ticket of one use, and sends the browser on to a route of ours, where the
//! cookie is there again.

mod gate;
mod http;
mod jobs;
mod library;
mod metadata;
mod own_key;
mod service;
mod store;

use std::sync::Arc;

use ctops_slice::{Access, Slice};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Deps;
use crate::arrival::own_url;

pub(crate) use metadata::read_metadata;
pub(crate) use own_key::make_own_key;

/// Our entity id towards a provider, and where our metadata are.
pub(crate) fn entity_id(public_url: &str, provider_id: Uuid) -> String {
    own_url(public_url, "saml", provider_id, "metadata")
}

/// Where a provider sends assertions.
pub(crate) fn acs_url(public_url: &str, provider_id: Uuid) -> String {
    own_url(public_url, "saml", provider_id, "acs")
}

pub(crate) fn slice(deps: &Deps) -> Slice {
    Slice::new("saml")
        .operation(Access::Public, routes!(http::saml_metadata))
        .operation(Access::Public, routes!(http::start_saml))
        .operation(Access::Public, routes!(http::saml_acs))
        .operation(Access::Public, routes!(http::finish_saml))
        .job(Arc::new(jobs::ForgetAssertions::new(deps.pool.clone(), deps.clock.clone())))
}
