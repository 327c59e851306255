//! Identity providers: whom an organisation trusts to say who somebody is (auth 33 to 35).
//!
//! Owns `identity_providers`. Reads `external_identities`, `memberships`. Licensed per kind: OpenID Connect with
//! `ssoOidc`, SAML with `ssoSaml`. Without the licence providers can be seen, switched off and deleted, nothing else, and
//! their buttons are absent.
//!
//! Invariants:
//! - Secrets are sealed, never answered, and asked for anew when the place they are sent to changes.
//! - No map grants super_admin. A provider that a super_admin signs in through is changed by a super_admin only: whoever
//!   may name its keys could sign in as them.
//! - The issuer of a provider is fixed when it is made, because people are known by provider and subject.

mod answers;
mod certificates;
mod http;
mod jobs;
mod model;
mod presets;
mod reauthentication;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod store_tests;
mod trial;

use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::Deps;
use crate::oidc::Cache;

pub(crate) use certificates::Certificate;
#[cfg(test)]
pub(crate) use certificates::read_certificates;
pub(crate) use model::{Kind, Protocol, Provider};
pub(crate) use reauthentication::RoundTrip;
pub(crate) use service::{find_for_sign_in, last_used, open_secret};
#[cfg(test)]
pub(crate) use settings::AttributeMap;
pub(crate) use settings::{ClaimMap, ClientAuthentication, Endpoints, OidcSettings, SamlSettings};

/// See identity providers.
pub static IDENTITY_PROVIDERS_READ: Permission = Permission {
    name: "identity_providers.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See identity providers and how they are set up, without secrets.",
};

/// Change identity providers.
pub static IDENTITY_PROVIDERS_WRITE: Permission = Permission {
    name: "identity_providers.write",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Add, change, test and delete identity providers.",
};

pub(crate) fn slice(deps: &Deps, cache: Cache) -> Slice {
    let (read, write) = (Access::Needs(&IDENTITY_PROVIDERS_READ), Access::Needs(&IDENTITY_PROVIDERS_WRITE));
    Slice::new("identity_providers")
        .permissions(&[&IDENTITY_PROVIDERS_READ, &IDENTITY_PROVIDERS_WRITE])
        .operation(read, routes!(http::list_identity_providers))
        .operation(read, routes!(http::list_identity_provider_presets))
        .operation(read, routes!(http::get_identity_provider))
        .operation(write, routes!(http::create_identity_provider))
        .operation(write, routes!(http::change_identity_provider))
        .operation(write, routes!(http::delete_identity_provider))
        .operation(write, routes!(http::test_identity_provider).layer(Extension(cache)))
        .job(Arc::new(jobs::WatchCertificates::new(deps.pool.clone(), deps.clock.clone())))
}
