//! Routes for machines that are about to join: script, program, server certificate. Nobody is signed in here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use ctops_base::{Problem, ProblemKind};
use ctops_proto::release::{ReleaseError, Version};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{ApiResult, AppState, QueryParams};
use serde::Deserialize;
use utoipa::IntoParams;

use super::binaries::{AgentBinaries, AgentBinary, Platform};
use super::install::{IngestAddress, script};
use crate::releases::{ReleaseFiles, open_program};

/// Scripts that one address may fetch per minute.
const SCRIPTS: Rate = Rate { scope: "agent.install_script", limit: 30, window: Duration::from_secs(60) };
/// Certificates that one address may fetch per minute.
const CERTIFICATES: Rate = Rate { scope: "agent.ca", limit: 30, window: Duration::from_secs(60) };
/// Programs that one address may fetch per minute.
const BINARIES: Rate = Rate { scope: "agent.binary", limit: 20, window: Duration::from_secs(60) };
/// Digest of a program, lower-case hex.
const SHA256_HEADER: HeaderName = HeaderName::from_static("x-sha256");

/// What the script should be made for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ScriptParams {
    /// `host:port` of ingest; the server's own when absent.
    ingest: Option<String>,
    /// `true` makes agents that do not verify the server: insecure.
    skip_verify: Option<String>,
}

/// The install script for Linux, to be run by `sh` with the token in `CT_OPS_ENROLMENT_TOKEN`.
#[utoipa::path(get, path = "/agent/install.sh", tag = "enrolment", params(ScriptParams),
    responses((status = 200, body = String, content_type = "text/x-shellscript"),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(super) async fn get_install_script(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    QueryParams(params): QueryParams<ScriptParams>,
) -> ApiResult<Response> {
    admit(&state, &SCRIPTS, ip).await?;
    let skip_verify = match params.skip_verify.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Problem::invalid_field("skip_verify", "invalid", "must be true or false").into());
        }
    };
    let ingest = match params.ingest.as_deref() {
        Some(given) => IngestAddress::parse(given)
            .map_err(|error| Problem::invalid_field("ingest", "invalid", error.to_string()))?,
        None => IngestAddress::parse(&state.installation.ingest_address).map_err(Problem::internal)?,
    };
    let text = script(&state.installation, &ingest, skip_verify);
    Ok(answer("text/x-shellscript; charset=utf-8", text))
}

/// Which program to fetch.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BinaryParams {
    /// `linux`, `darwin` or `windows`.
    os: Option<String>,
    /// `amd64` or `arm64`.
    arch: Option<String>,
    /// A published version; the newest stable one when absent.
    version: Option<String>,
}

/// The agent program for a platform; `x-sha256` holds its digest in hex.
#[utoipa::path(get, path = "/agent/binary", tag = "enrolment", params(BinaryParams),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub(super) async fn get_agent_binary(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    Extension(binaries): Extension<Arc<AgentBinaries>>,
    QueryParams(params): QueryParams<BinaryParams>,
) -> ApiResult<Response> {
    admit(&state, &BINARIES, ip).await?;
    let platform = Platform::parse(params.os.as_deref(), params.arch.as_deref())?;
    let version = params.version.as_deref().map(str::parse).transpose();
    let version: Option<Version> = version
        .map_err(|error: ReleaseError| Problem::invalid_field("version", "invalid", error.to_string()))?;
    let binary = match released(&state, platform, version).await? {
        Some(binary) => binary,
        None if version.is_some() => return Err(Problem::not_found("release").into()),
        None => binaries.open(&state.installation.agent_dist_dir, platform).await?,
    };
    let digest = HeaderValue::from_str(&binary.sha256).map_err(Problem::internal)?;
    let disposition = format!("attachment; filename=\"{}\"", platform.file_name());
    let disposition = HeaderValue::from_str(&disposition).map_err(Problem::internal)?;
    let mut response = answer("application/octet-stream", binary.body);
    let headers = response.headers_mut();
    headers.insert(SHA256_HEADER, digest);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(binary.bytes));
    headers.insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The program of a release: the store comes before files that were put into the directory by hand.
async fn released(
    state: &AppState,
    platform: Platform,
    version: Option<Version>,
) -> Result<Option<AgentBinary>, Problem> {
    let files = ReleaseFiles::below(&state.installation.agent_dist_dir);
    let program = match open_program(&state.pool, &files, version, platform.names(), 0).await {
        // A release need not have every platform.
        Err(problem) if version.is_none() && problem.kind() == ProblemKind::Unavailable => None,
        opened => opened?,
    };
    Ok(program.map(|program| AgentBinary::new(program.file, program.remaining, program.sha256)))
}

/// Certificates that agents trust the server by, PEM.
#[utoipa::path(get, path = "/agent/ca.pem", tag = "enrolment",
    responses((status = 200, body = String, content_type = "application/pem-certificate-chain"),
        (status = 429, body = ProblemBody)))]
pub(super) async fn get_server_ca(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
) -> ApiResult<Response> {
    admit(&state, &CERTIFICATES, ip).await?;
    Ok(answer("application/pem-certificate-chain", state.installation.server_ca_pem.get()))
}

async fn admit(state: &AppState, rate: &Rate, ip: IpAddr) -> Result<(), Problem> {
    throttle::hit(&state.pool, rate, &ip.to_string(), state.clock.now()).await
}

fn answer(content_type: &'static str, body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], body.into()).into_response()
}
