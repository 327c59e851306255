//! Sessions: who a request speaks for, and the list a person sees of their own.
//!
//! A session is a random token in the browser's cookie and a row here that knows only the token's SHA-256. It ends at
//! `expires_at`, or when it was not used for the idle time, or when it is deleted. Where people sign in from is remembered
//! to tell them of new devices and networks. Owns `sessions`, `sign_in_origins`. Reads `users`, `memberships`.
//!
//! Invariants: a token is made at sign-in and never reused; a session of a deactivated or removed user, or of
//! somebody who left the organisation, speaks for nobody from the next request on.

mod authenticator;
mod cookie;
mod http;
mod jobs;
mod model;
mod origins;
mod others_http;
mod service;
mod store;
#[cfg(test)]
mod store_tests;

use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

pub use authenticator::SessionAuthenticator;
pub use http::MeBody;
pub use model::StartedSession;
pub use service::end_sessions_of;

pub(crate) use cookie::{clearing_cookie, cookie_named, session_cookie};
pub(crate) use http::{me_after, me_with_cookie};
pub(crate) use jobs::PurgeSessions;
pub(crate) use model::{DeclaredPermissions, NewSession};
pub(crate) use service::{end, mark_confirmed, mark_second_factor, start, start_in};

/// See and end one's own sessions.
pub static SESSIONS_OWN: Permission =
    Permission { name: "sessions.own", roles: &Role::ALL, about: "See and end your own sessions." };

/// See and end the sessions of other members.
pub static SESSIONS_MANAGE: Permission = Permission {
    name: "sessions.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and end the sessions of other members.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&SESSIONS_OWN, &SESSIONS_MANAGE];

pub(crate) fn slice(declared: DeclaredPermissions, purge: PurgeSessions) -> Slice {
    Slice::new("sessions")
        .permissions(PERMISSIONS)
        .operation(Access::OwnAccount, routes!(http::get_me).layer(Extension(declared)))
        .operation(Access::Needs(&SESSIONS_OWN), routes!(http::list_sessions, http::end_other_sessions))
        .operation(Access::Needs(&SESSIONS_OWN), routes!(http::end_session))
        .operation(
            Access::Needs(&SESSIONS_MANAGE),
            routes!(others_http::list_user_sessions, others_http::end_user_sessions),
        )
        .operation(Access::Needs(&SESSIONS_MANAGE), routes!(others_http::end_user_session))
        .job(Arc::new(purge))
}
