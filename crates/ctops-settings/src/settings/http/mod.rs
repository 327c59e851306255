//! Routes of settings pages.

mod shapes;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::settings::Document;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, QueryParams};
use serde::Deserialize;

use super::pages::Pages;
use super::service::{self, PageView};
use shapes::{
    ExportBody, HistoryBody, ImportBody, ImportInput, PageBody, PageListBody, PageSummary, PastSaveBody,
    RestoreInput,
};

/// Lists the pages this person may see, with every key: what the search box looks through.
#[utoipa::path(get, path = "/settings", tag = "settings", responses((status = 200, body = PageListBody)))]
pub(super) async fn list_settings_pages(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
) -> ApiResult<Json<PageListBody>> {
    let found = service::list(&state, &actor, &pages).await?;
    let items = found.into_iter().map(|(info, writable, version)| PageSummary::new(&info, writable, version));
    Ok(Json(PageListBody { items: items.collect() }))
}

/// Shows one page; the tag names its version.
#[utoipa::path(get, path = "/settings/{page}", tag = "settings",
    params(("page" = String, Path, description = "Name of the page")), responses(
    (status = 200, body = PageBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_settings_page(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
    Path(page): Path<String>,
) -> ApiResult<impl IntoResponse> {
    Ok(tagged(&service::view(&state, &actor, &pages, &page).await?))
}

/// Saves the keys that the body names: a value sets a key, `null` takes it back to its default or clears a secret.
#[utoipa::path(put, path = "/settings/{page}", tag = "settings",
    params(
        ("page" = String, Path, description = "Name of the page"),
        ("If-Match" = Option<String>, Header, description = "Version that was seen"),
    ),
    request_body = std::collections::HashMap<String, serde_json::Value>, responses(
    (status = 200, body = PageBody),
    (status = 409, body = ProblemBody, content_type = "application/problem+json",
        description = "`set_by_environment`: a variable of the environment fixes the key"),
    (status = 412, body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn save_settings_page(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
    Path(page): Path<String>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<Document>,
) -> ApiResult<impl IntoResponse> {
    let seen = seen_version(&headers);
    Ok(tagged(&service::save(&state, &actor, &pages, &page, seen, &input).await?))
}

/// Where a part of the history begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    cursor: Option<String>,
}

/// Lists the saves of a page, newest first.
#[utoipa::path(get, path = "/settings/{page}/history", tag = "settings",
    params(
        ("page" = String, Path, description = "Name of the page"),
        ("cursor" = Option<String>, Query, description = "From the answer before"),
    ), responses(
    (status = 200, body = HistoryBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_settings_history(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
    Path(page): Path<String>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<Json<HistoryBody>> {
    let from = query.cursor.map(|text| text.parse::<i64>()).transpose();
    let from =
        from.map_err(|_| Problem::invalid_field("cursor", "invalid", "is not a cursor of this list"))?;
    let (entries, next) = service::history(&state, &actor, &pages, &page, from).await?;
    let items = entries.into_iter().map(PastSaveBody::from).collect();
    Ok(Json(HistoryBody { items, next_cursor: next.map(|version| version.to_string()) }))
}

/// Brings an earlier version of a page back, as a new version. Secrets stay as they are.
#[utoipa::path(post, path = "/settings/{page}/restore", tag = "settings",
    params(
        ("page" = String, Path, description = "Name of the page"),
        ("If-Match" = Option<String>, Header, description = "Version that was seen"),
    ),
    request_body = RestoreInput, responses(
    (status = 200, body = PageBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn restore_settings_page(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
    Path(page): Path<String>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<RestoreInput>,
) -> ApiResult<impl IntoResponse> {
    let seen = seen_version(&headers);
    Ok(tagged(&service::restore(&state, &actor, &pages, &page, seen, input.version).await?))
}

/// Exports what was chosen on all pages, without secrets.
#[utoipa::path(get, path = "/settings/export", tag = "settings", responses((status = 200, body = ExportBody)))]
pub(super) async fn export_settings(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
) -> ApiResult<impl IntoResponse> {
    let export = service::export(&state, &actor, &pages).await?;
    let disposition = HeaderValue::from_static("attachment; filename=\"ct-ops-settings.json\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], Json(ExportBody::from(export))))
}

/// Compares an export with what counts here and, unless it is a dry run, saves it: all pages or none.
#[utoipa::path(post, path = "/settings/import", tag = "settings", request_body = ImportInput, responses(
    (status = 200, body = ImportBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn import_settings(
    State(state): State<AppState>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
    JsonBody(input): JsonBody<ImportInput>,
) -> ApiResult<Json<ImportBody>> {
    let done = service::import(&state, &actor, &pages, &input.document, input.dry_run).await?;
    Ok(Json(ImportBody::from(done)))
}

/// A page with the tag of its version (api-conventions 7).
fn tagged(view: &PageView) -> impl IntoResponse + use<> {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", view.stored.version)) {
        headers.insert(header::ETAG, tag);
    }
    (headers, Json(PageBody::new(view)))
}

/// The version that `If-Match` names; none when there is no such header. A tag never given out matches nothing.
fn seen_version(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    if text == "*" {
        return None;
    }
    Some(text.trim_matches('"').parse().unwrap_or(-1))
}
