//! Reading the audit log: the list, one event with its neighbours, the names of actions, everybody's own sign-ins
//! (audit-log 9, 10, 12, 13).
//!
//! Reads `audit_events` and `audit_chain`, writes nothing.

mod cursor;
mod filter;
mod http;
mod service;
pub(crate) mod store;

use ctops_slice::licence::Feature;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

use crate::AUDIT_READ;

pub use filter::FilterInput;
pub(crate) use filter::{Filter, Window};
pub use store::list_statement;

pub(crate) fn extend(slice: Slice) -> Slice {
    let read = Access::Licensed(&AUDIT_READ, Feature::AuditLog);
    slice
        .operation(read, routes!(http::list_audit_events))
        .operation(read, routes!(http::get_audit_event))
        .operation(read, routes!(http::list_audit_actions))
        .operation(Access::OwnAccount, routes!(http::list_own_sign_ins))
}
