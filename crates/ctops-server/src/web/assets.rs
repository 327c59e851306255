//! The browser UI and the documentation, embedded in the program.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::headers::StyleNonce;

/// Where `index.html` wants the nonce of this answer.
const NONCE_MARK: &str = "__CSP_NONCE__";

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Ui;

#[derive(RustEmbed)]
#[folder = "../../docs/site"]
#[allow_missing = true]
struct Docs;

/// The UI at `/`, the documentation at `/docs/`.
pub(super) fn router() -> Router {
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/{*path}", get(|Path(path): Path<String>| async move { docs(&path) }))
        .fallback(ui)
}

fn docs(path: &str) -> Response {
    match Docs::get(path) {
        Some(file) => answer(path, file, "public, max-age=300"),
        None => not_found(),
    }
}

/// A file of the UI; any other path is a page of the single-page application.
async fn ui(method: Method, uri: Uri) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if path != "index.html"
        && let Some(file) = Ui::get(path)
    {
        let is_hashed = path.starts_with("assets/");
        return answer(
            path,
            file,
            if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" },
        );
    }
    let looks_like_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if path.starts_with("assets/") || looks_like_a_file {
        return not_found();
    }
    index()
}

/// The page itself, with a fresh nonce for its styles.
fn index() -> Response {
    let Some(file) = Ui::get("index.html") else {
        let text = "the browser UI was not built into this program; build web/ first";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let nonce = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
    let page = String::from_utf8_lossy(&file.data).replace(NONCE_MARK, &nonce);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(StyleNonce(nonce));
    response
}

fn answer(path: &str, file: EmbeddedFile, cache: &'static str) -> Response {
    let mut kind = file.metadata.mimetype().to_owned();
    if kind.starts_with("text/") || path.ends_with(".js") {
        kind.push_str("; charset=utf-8");
    }
    let mut response = Body::from(file.data).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found").into_response()
}
