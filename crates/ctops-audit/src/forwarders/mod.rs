//! Continuous forwarding to syslog and webhooks (audit-log 15, 16).
//!
//! Owns `audit_forwarders`. Job `audit_forward`. A forwarder reads its organisation's chain in order from a cursor, and
//! moves the cursor when the other side took what was sent: events arrive in order and at least once, however long the
//! other side was away.

mod deliver;
mod http;
mod jobs;
mod model;
mod service;
mod store;

use std::sync::Arc;

use ctops_slice::licence::Feature;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

use crate::{AUDIT_MANAGE, Deps};

pub use deliver::{sign_body, syslog_frame};
pub(crate) use jobs::FORWARDING_JOB;
pub use jobs::ForwardEvents;

pub(crate) fn extend(slice: Slice, deps: &Deps) -> Slice {
    let manage = Access::Licensed(&AUDIT_MANAGE, Feature::AuditLog);
    slice
        .operation(manage, routes!(http::list_audit_forwarders, http::create_audit_forwarder))
        .operation(manage, routes!(http::update_audit_forwarder, http::delete_audit_forwarder))
        .operation(manage, routes!(http::test_audit_forwarder))
        .job(Arc::new(ForwardEvents::new(deps)))
}
