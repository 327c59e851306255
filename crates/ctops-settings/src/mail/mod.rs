//! Mail: delivers what [`ctops_slice::mail::send`] put into the outbox, through the relay of the organisation, else that
//! of the environment; without either, administrators find it in the list of pending mail (auth 8, settings 10 to 12).
//!
//! Owns `mail_outbox` after the letter was put in. Declares the settings page `smtp-relay`. Reads `users` and
//! `memberships` to see whose mail waits.
//!
//! Invariants:
//! - Relays that organisations name are reached through the egress module only.
//! - Passwords and letters do not cross the network readable when TLS was asked for: no silent fall-back.
//! - The link of a mail to a super_admin is shown to super_admins only; each look at a link is audited.

mod http;
mod jobs;
mod letter;
mod relay;
mod service;
mod smtp;
mod store;
mod stream;

use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::settings::SETTINGS_WRITE;
use ctops_slice::{Access, AppState, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::Deps;

pub use jobs::DeliverMail;
pub use relay::{Encryption, EnvironmentRelay, SmtpRelay};
pub(crate) use store::count_waiting;

/// See mail that waits, and its links.
pub static MAIL_PENDING: Permission = Permission {
    name: "mail.pending",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See mail that could not be sent yet, hand its links over, and discard it.",
};

/// The slice.
pub(crate) fn slice(deps: &Deps) -> Slice {
    let pending = Access::Needs(&MAIL_PENDING);
    Slice::new("mail")
        .permissions(&[&MAIL_PENDING])
        .settings_page::<SmtpRelay>()
        .operation(Access::Needs(&SETTINGS_WRITE), with_deps(routes!(http::test_smtp_relay), deps))
        .operation(pending, with_deps(routes!(http::list_pending_mail), deps))
        .operation(pending, with_deps(routes!(http::reveal_mail_link), deps))
        .operation(pending, with_deps(routes!(http::discard_mail), deps))
        .job(Arc::new(DeliverMail::new(deps.clone())))
}

fn with_deps(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    deps: &Deps,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(deps.clone())))
}
