//! Bodies, query strings and ids from outside.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ctops_slice::AppState;
use ctops_slice::http::{ApiResult, JsonBody, MAX_BODY_BYTES, PathId, QueryParams};
use serde::Deserialize;

use crate::support::{Answer, App, an_installation};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    label: String,
    #[serde(default)]
    count: u8,
    #[serde(default)]
    nested: Option<Nested>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nested {
    #[expect(dead_code, reason = "only parsed")]
    on: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    page: Option<u32>,
}

async fn take(JsonBody(input): JsonBody<Input>) -> String {
    format!("{} {} {}", input.label.chars().count(), input.count, input.nested.is_some())
}

async fn one(PathId(id): PathId) -> ApiResult<String> {
    Ok(id.to_string())
}

async fn page(QueryParams(query): QueryParams<Query>) -> String {
    format!("{:?}", query.page)
}

async fn app() -> App {
    let api: Router<AppState> =
        Router::new().route("/take", post(take)).route("/one/{id}", get(one)).route("/page", get(page));
    App::new(an_installation(), api).await
}

async fn post_json(app: &App, body: &[u8]) -> Answer {
    app.send("POST", "/take", &[("content-type", "application/json")], body).await
}

/// Spec: api-conventions 8
#[tokio::test]
async fn bodies_are_refused_with_the_code_that_says_why() {
    let app = app().await;
    for (body, status, code) in [
        (r#"{"label":"x"}"#, 200, ""),
        (r#"{"label":"x","count":255,"nested":{"on":true}}"#, 200, ""),
        ("", 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        (r#"{"label":"x"} trailing"#, 400, "malformed_json"),
        (r#"{"label":"x"}{"label":"y"}"#, 400, "malformed_json"),
        ("\u{feff}{\"label\":\"x\"}", 400, "malformed_json"),
        (r#"{'label':'x'}"#, 400, "malformed_json"),
        (r#"{"label":"x",}"#, 400, "malformed_json"),
        (r#"{"label":NaN}"#, 400, "malformed_json"),
        (r#"{"label":"\ud800"}"#, 400, "malformed_json"),
        (r#"{"label":"x","label":"y"}"#, 422, "validation_failed"),
        (r#"{"label":"x","count":256}"#, 422, "validation_failed"),
        (r#"{"label":"x","count":-1}"#, 422, "validation_failed"),
        (r#"{"label":"x","count":1.0}"#, 422, "validation_failed"),
        (r#"{"label":"x","count":"1"}"#, 422, "validation_failed"),
        (r#"{"label":null}"#, 422, "validation_failed"),
        (r#"{"label":"a\u0000b"}"#, 422, "validation_failed"),
        (r#"{"label":"a\\u0000b"}"#, 200, ""),
        ("null", 422, "validation_failed"),
        (r#""text""#, 422, "validation_failed"),
        (r#"{"label":"x","role":"super_admin"}"#, 422, "unknown_field"),
        (r#"{"label":"x","nested":{"on":true,"org_id":1}}"#, 422, "unknown_field"),
        (r#"{"label":"x","__proto__":{"admin":true}}"#, 422, "unknown_field"),
        (r#"{"LABEL":"x"}"#, 422, "unknown_field"),
    ] {
        let answer = post_json(&app, body.as_bytes()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{body}: {}",
            answer.text
        );
    }
}

/// Spec: security 16
#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_refused() {
    let app = app().await;
    let of_size = |size: usize| {
        let frame = r#"{"label":""}"#.len();
        format!(r#"{{"label":"{}"}}"#, "x".repeat(size - frame)).into_bytes()
    };
    let answer = post_json(&app, &of_size(MAX_BODY_BYTES)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text.len());
    let answer = post_json(&app, &of_size(2 * MAX_BODY_BYTES + 1)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
}

/// Spec: security 16
#[tokio::test]
async fn deep_nesting_ends_as_a_bad_request_and_not_in_the_stack() {
    let app = app().await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [200, 20_000] {
            let body = format!("{{\"label\":{}{}}}", open.repeat(depth), close.repeat(depth));
            let answer = post_json(&app, body.as_bytes()).await;
            assert!(answer.status.is_client_error(), "{depth} of {open}: {}", answer.status);
        }
    }
}

/// A value of the wrong type may be a password in the wrong field: no answer repeats it.
///
/// Spec: security 6
#[tokio::test]
async fn no_refusal_repeats_what_was_sent() {
    let app = app().await;
    for body in [
        r#"{"label":{"hunter2":"hunter2"}}"#,
        r#"{"label":["hunter2"]}"#,
        r#"{"label":"x","count":"hunter2"}"#,
        r#""hunter2""#,
        r#"{"label":"hunter2""#,
        r#"{"label":"x","nested":"hunter2"}"#,
    ] {
        let answer = post_json(&app, body.as_bytes()).await;
        assert!(answer.status.is_client_error());
        assert!(!answer.text.contains("hunter2"), "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn only_json_that_says_so_is_read() {
    let app = app().await;
    for (kind, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json;charset=utf-8", 200),
        ("text/plain", 400),
        ("text/json", 400),
        ("application/jsonp", 400),
        ("application/x-www-form-urlencoded", 400),
        ("text/plain; application/json", 400),
        ("", 400),
    ] {
        let answer = app.send("POST", "/take", &[("content-type", kind)], br#"{"label":"x"}"#).await;
        assert_eq!(answer.status.as_u16(), status, "{kind:?}: {}", answer.text);
    }
    assert_eq!(app.send("POST", "/take", &[], br#"{"label":"x"}"#).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_malformed() {
    let app = app().await;
    for body in [&b"{\"label\":\"\xff\xfe\"}"[..], b"\xff\xfe{\0\"\0", b"\0", b"\x1f\x8b\x08\0"] {
        let answer = post_json(&app, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "malformed_json"),
            "{body:?}"
        );
    }
}

/// Spec: api-conventions 2
#[tokio::test]
async fn an_id_that_is_none_names_nothing() {
    let app = app().await;
    let id = "019a0000-0000-7000-8000-000000000000";
    assert_eq!(app.send("GET", &format!("/one/{id}"), &[], b"").await.text, id);
    for other in ["1", "../1", "%2e%2e", "019a0000", &format!("{id}0"), "'%20OR%201=1", "null", "*"] {
        let answer = app.send("GET", &format!("/one/{other}"), &[], b"").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{other}: {}", answer.text);
        assert!(!answer.text.contains("OR 1=1"));
    }
    for address in ["/one/%00", "/one/a%00b", "/page?page=%00", "/page?%00=1", "/nothing/%00"] {
        let answer = app.send("GET", address, &[], b"").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "malformed_query"), "{address}");
    }
}

/// Spec: api-conventions 8
#[tokio::test]
async fn query_strings_are_as_strict_as_bodies() {
    let app = app().await;
    for (query, status, code) in [
        ("", 200, ""),
        ("?page=3", 200, ""),
        ("?page=-1", 400, "malformed_query"),
        ("?page=4294967296", 400, "malformed_query"),
        ("?page=", 400, "malformed_query"),
        ("?page=1&page=2", 400, "malformed_query"),
        ("?org_id=1", 422, "unknown_field"),
        ("?page=1&role=super_admin", 422, "unknown_field"),
        ("?page[]=1", 422, "unknown_field"),
    ] {
        let answer = app.send("GET", &format!("/page{query}"), &[], b"").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{query}: {}",
            answer.text
        );
    }
}
