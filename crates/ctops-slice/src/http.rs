//! Requests in, problems out: the only place that knows HTTP status codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_base::{FieldProblem, Problem, ProblemKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use uuid::Uuid;

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

/// Largest accepted JSON body, bytes (security 16).
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A problem on its way to the client. The body is written by [`render_problem`], which knows the request id.
#[derive(Debug)]
pub struct ApiError(Problem);

impl<P: Into<Problem>> From<P> for ApiError {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = status_of(self.0.kind()).into_response();
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::Malformed => StatusCode::BAD_REQUEST,
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ProblemKind::Forbidden => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::Stale => StatusCode::PRECONDITION_FAILED,
        ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemKind::Limited => StatusCode::TOO_MANY_REQUESTS,
        ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body of every error (RFC 9457, api-conventions 9).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// HTTP status.
    pub status: u16,
    /// Stable code to switch on.
    pub code: String,
    /// Text for people.
    pub detail: String,
    /// What is wrong with which field.
    pub fields: Vec<ProblemField>,
    /// Id of the request, to be found in the server's log.
    pub request_id: String,
    /// Members that only some codes have, for example `required_tier` of `feature_not_licensed`.
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: BTreeMap<&'static str, String>,
}

/// One field of a [`ProblemBody`].
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemField {
    /// Name of the field.
    pub path: String,
    /// Stable code.
    pub code: String,
    /// Text for people.
    pub message: String,
}

/// Writes the problem+json body of a response that carries a problem, and logs the failure: here, once.
pub fn render_problem(mut response: Response, request_id: &str) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() else {
        return response;
    };
    log_problem(&problem);
    let status = response.status();
    let body = ProblemBody {
        status: status.as_u16(),
        code: problem.code().to_owned(),
        detail: problem.detail().to_owned(),
        fields: problem
            .fields()
            .iter()
            .map(|f| ProblemField {
                path: f.path.clone(),
                code: f.code.to_owned(),
                message: f.message.clone(),
            })
            .collect(),
        request_id: request_id.to_owned(),
        members: problem.members().iter().cloned().collect(),
    };
    let mut rendered = (status, Json(body)).into_response();
    let headers = rendered.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            headers.insert(name.clone(), value.clone());
        }
    }
    rendered
}

fn log_problem(problem: &Problem) {
    let cause = problem.cause_chain().unwrap_or_default();
    match problem.kind() {
        ProblemKind::Internal => {
            tracing::error!(code = problem.code(), cause, "request failed: {}", problem.detail());
        }
        ProblemKind::Unavailable => {
            tracing::warn!(code = problem.code(), cause, "request could not be served: {}", problem.detail());
        }
        _ => tracing::debug!(code = problem.code(), cause, "request refused: {}", problem.detail()),
    }
}

/// A JSON body. Unknown fields are refused when the type says `deny_unknown_fields`, which every input type does.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.split(';').next().is_some_and(|v| v.trim() == "application/json"));
        if !is_json {
            return Err(Problem::malformed("malformed_json", "content type must be application/json").into());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            let detail = format!("the body has more than {MAX_BODY_BYTES} bytes or was cut off");
            Problem::new(ProblemKind::TooLarge, "payload_too_large", detail)
        })?;
        Ok(Self(parse_json(&bytes)?))
    }
}

/// Parses JSON and tells apart what is not JSON, unknown fields and unacceptable values.
///
/// # Errors
/// `malformed_json`, `unknown_field` or `validation_failed`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if has_nul(bytes) {
        let message = "a text holds the character U+0000, which cannot be stored";
        return Err(Problem::invalid_field("body", "invalid", message));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        if error.is_data() {
            let path = text.split('`').nth(1).unwrap_or("body").to_owned();
            if text.starts_with("unknown field") {
                let message = format!("unknown field {path:?}");
                return unknown_field(path, message);
            }
            if text.starts_with("missing field") {
                return Problem::invalid_field(&path, "required", "is missing");
            }
            // Only what was expected: the rest of the text repeats the value, which may be a secret.
            let expected = text.rsplit_once(", expected ").map(|(_, rest)| rest);
            let expected =
                expected.and_then(|rest| rest.split(" at line ").next()).unwrap_or("another value");
            Problem::invalid_field(
                "body",
                "invalid",
                format!("a value has the wrong type, expected {expected}"),
            )
        } else {
            Problem::malformed("malformed_json", "the body is not JSON")
        }
    })
}

/// Whether JSON holds `\u0000` in a text: PostgreSQL keeps it in none, so that it would be a fault of ours much later.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escaped = &rest[at + 1..];
        if escaped.starts_with(b"u0000") {
            return true;
        }
        rest = escaped.get(1..).unwrap_or_default();
    }
    false
}

fn unknown_field(path: String, message: String) -> Problem {
    let field = FieldProblem { path, code: "unknown_field", message: message.clone() };
    Problem::new(ProblemKind::Invalid, "unknown_field", message).with_fields(vec![field])
}

/// The query string as a type. What cannot be parsed is `malformed_query`.
#[derive(Debug)]
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await.map_err(|error| {
            let text = error.body_text();
            let reason = text.rsplit(": ").next().unwrap_or_default().to_owned();
            if reason.starts_with("unknown field") {
                let path = reason.split('`').nth(1).unwrap_or("query").to_owned();
                return unknown_field(path, reason);
            }
            Problem::malformed("malformed_query", reason)
        })?;
        Ok(Self(query.0))
    }
}

/// A UUID in the path. Anything else names nothing, so it answers `not_found`.
#[derive(Clone, Copy, Debug)]
pub struct PathId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found("page"))?;
        text.parse().map(Self).map_err(|_| Problem::not_found("record").into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[expect(dead_code, reason = "only parsed")]
        label: String,
    }

    fn code_of(text: &str) -> (&'static str, Option<String>) {
        let problem = parse_json::<Input>(text.as_bytes()).unwrap_err();
        (problem.code(), problem.fields().first().map(|f| f.path.clone()))
    }

    #[test]
    fn json_failures_are_told_apart() {
        assert_eq!(code_of("{").0, "malformed_json");
        assert_eq!(code_of(r#"{"label":"x","role":"super_admin"}"#), ("unknown_field", Some("role".into())));
        assert_eq!(code_of("{}"), ("validation_failed", Some("label".into())));
        assert_eq!(code_of(r#"{"label":7}"#).0, "validation_failed");
        for body in [r#""hunter2-hunter2""#, r#"{"label":["hunter2-hunter2"]}"#] {
            let problem = parse_json::<Input>(body.as_bytes()).unwrap_err();
            assert!(
                !format!("{problem:?}").contains("hunter2"),
                "{problem:?} repeats a value that may be a secret"
            );
        }
        assert!(parse_json::<Input>(br#"{"label":"x"}"#).is_ok());
    }

    #[test]
    fn text_that_cannot_be_stored_is_refused_and_what_only_looks_like_it_is_not() {
        for bad in [r#"{"label":"\u0000"}"#, r#"{"label":"a\\\u0000b"}"#, r#"{"lab\u0000el":"x"}"#] {
            assert_eq!(code_of(bad), ("validation_failed", Some("body".into())), "{bad}");
        }
        for good in [r#"{"label":"\\u0000"}"#, r#"{"label":"\u0001"}"#, r#"{"label":"u0000\\"}"#] {
            assert!(parse_json::<Input>(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn internal_causes_never_reach_the_body() {
        let error = ApiError::from(Problem::internal("password authentication failed for user ctops"));
        let response = render_problem(error.into_response(), "req-1");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
