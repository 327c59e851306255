//! Settings: one document per page and organisation, with versions, history, export and import (settings 2 to 8).
//!
//! Owns `settings`, `settings_history`, `setting_secrets`. Serves every page that a slice declares with
//! [`ctops_slice::Slice::settings_page`]; pages of fleet slices with endpoints of their own stay theirs.
//!
//! Invariants:
//! - A save touches the keys it names and no other page; a save of an outdated version changes nothing.
//! - What this release does not understand is kept as it is, and the default counts.
//! - Secrets go in and never come out; they are in neither document, history, export nor audit.

mod http;
mod model;
mod pages;
mod service;
mod store;

use axum::Extension;
use ctops_slice::settings::{
    AuthenticationSettings, OrganisationSettings, PageInfo, SETTINGS_READ, SETTINGS_WRITE,
};
use ctops_slice::{Access, AppState, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

pub use pages::Pages;
pub(crate) use service::{PageFault, faults, stored_values};

/// Pages that belong to no other slice.
pub(crate) fn own_pages() -> [PageInfo; 2] {
    [PageInfo::of::<OrganisationSettings>(), PageInfo::of::<AuthenticationSettings>()]
}

/// The slice.
pub(crate) fn slice(pages: &Pages) -> Slice {
    let (read, write) = (Access::Needs(&SETTINGS_READ), Access::Needs(&SETTINGS_WRITE));
    let with = |routes| with_pages(routes, pages);
    Slice::new("settings")
        .operation(read, with(routes!(http::list_settings_pages)))
        .operation(read, with(routes!(http::get_settings_page)))
        .operation(write, with(routes!(http::save_settings_page)))
        .operation(read, with(routes!(http::list_settings_history)))
        .operation(write, with(routes!(http::restore_settings_page)))
        .operation(read, with(routes!(http::export_settings)))
        .operation(write, with(routes!(http::import_settings)))
}

fn with_pages(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    pages: &Pages,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(pages.clone())))
}
