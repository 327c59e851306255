//! Routes of exports.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::format::Format;
use super::model::Export;
use super::offline::Signature;
use super::{service, stream};
use crate::events::FilterInput;

/// What to export.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditExportInput)]
pub(super) struct ExportInput {
    /// `csv`, `jsonl` or `cef`.
    format: String,
    /// The filter of the list.
    #[serde(default)]
    filter: FilterInput,
}

/// An export.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditExport)]
pub(super) struct ExportBody {
    id: Uuid,
    /// `ready`, and `signed` once the file was fetched.
    status: &'static str,
    format: &'static str,
    /// As asked for, with the range of time spelled out.
    #[schema(value_type = Object)]
    filter: Value,
    events: i64,
    /// Hex.
    first_hash: Option<String>,
    /// Hex.
    last_hash: Option<String>,
    created_at: Timestamp,
}

impl From<Export> for ExportBody {
    fn from(export: Export) -> Self {
        Self {
            id: export.id,
            status: if export.signed.is_some() { "signed" } else { "ready" },
            format: export.format.as_str(),
            filter: export.filter,
            events: export.events,
            first_hash: export.first_hash.map(hex::encode),
            last_hash: export.last_hash.map(hex::encode),
            created_at: export.created_at.into(),
        }
    }
}

/// The detached signature of an export.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditExportSignature)]
pub(super) struct SignatureBody {
    export: Uuid,
    /// SHA-256 of the file, hex.
    sha256: String,
    /// Ed25519, hex.
    signature: String,
    /// Hex.
    public_key: String,
}

/// Prepares an export of the events that are sealed now, at most 1,000,000.
#[utoipa::path(post, path = "/audit/exports", tag = "audit", request_body = ExportInput, responses(
    (status = 201, body = ExportBody),
    (status = 413, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create_audit_export(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<ExportInput>,
) -> ApiResult<(StatusCode, Json<ExportBody>)> {
    let format = Format::parse(&input.format)
        .ok_or_else(|| Problem::invalid_field("format", "invalid", "must be csv, jsonl or cef"))?;
    let export = service::create(&state, &actor, format, input.filter).await?;
    Ok((StatusCode::CREATED, Json(export.into())))
}

/// Shows an export.
#[utoipa::path(get, path = "/audit/exports/{id}", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 200, body = ExportBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_audit_export(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ExportBody>> {
    let (_, export) = service::find(&state, &actor, id).await?;
    Ok(Json(export.into()))
}

/// The file of an export, streamed.
#[utoipa::path(get, path = "/audit/exports/{id}/file", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The file", content_type = "text/csv"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_audit_export_file(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Response> {
    let (grant, export) = service::find(&state, &actor, id).await?;
    let format = export.format;
    let day = export.created_at.format("%Y%m%d-%H%M%S");
    let name = format!("attachment; filename=\"audit-{day}.{}\"", format.as_str());
    let body = Body::from_stream(stream::file(state, grant.org_id(), export)?);
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(Problem::internal)?);
    Ok(response)
}

/// The signature of an export whose file was fetched.
#[utoipa::path(get, path = "/audit/exports/{id}/signature", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 200, body = SignatureBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_audit_export_signature(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<SignatureBody>> {
    let (_, export) = service::find(&state, &actor, id).await?;
    let signed =
        export.signed.ok_or_else(|| Problem::wrong_state("fetch the file first; it is signed then"))?;
    let signature = Signature {
        export: export.id,
        sha256: hex::encode(signed.sha256),
        signature: hex::encode(signed.signature),
        public_key: hex::encode(signed.public_key),
    };
    Ok(Json(SignatureBody {
        export: signature.export,
        sha256: signature.sha256,
        signature: signature.signature,
        public_key: signature.public_key,
    }))
}
