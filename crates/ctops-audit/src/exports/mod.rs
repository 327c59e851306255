//! Exports: the events of a filter as CSV, JSON Lines or CEF, with a detached signature (audit-log 14, 16).
//!
//! Owns `audit_exports`. Asking for an export fixes what is in it: sealed events up to the end of the chain at that
//! moment. The file is streamed from the database when it is fetched, any number of times with the same bytes; the
//! signature is there when it was fetched once.

mod format;
mod http;
mod model;
mod offline;
mod service;
mod store;
mod stream;

use ctops_slice::licence::Feature;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

use crate::AUDIT_EXPORT;

pub use format::Format;
pub use offline::{FileReport, Signature, verify_file};

pub(crate) fn extend(slice: Slice) -> Slice {
    let export = Access::Licensed(&AUDIT_EXPORT, Feature::AuditLog);
    slice
        .operation(export, routes!(http::create_audit_export))
        .operation(export, routes!(http::get_audit_export))
        .operation(export, routes!(http::get_audit_export_file))
        .operation(export, routes!(http::get_audit_export_signature))
}
