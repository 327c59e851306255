//! Routes: releases.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ctops_proto::release::{MAX_ARTIFACT_BYTES, MAX_ARTIFACTS, MAX_MANIFEST_BYTES};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, Timestamp};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::agents::AgentDeps;
use crate::releases::model::Release;
use crate::releases::service::publish::{self, Publisher};

/// Largest bundle: all programs at their limit.
const MAX_BUNDLE_BYTES: u64 = MAX_ARTIFACT_BYTES * MAX_ARTIFACTS as u64 + 2 * MAX_MANIFEST_BYTES as u64;

/// A release of the agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentRelease)]
pub(in crate::releases) struct ReleaseBody {
    id: Uuid,
    channel: String,
    version: String,
    /// Agents below are updated without being told to.
    minimum_version: String,
    released_at: Timestamp,
    published_at: Timestamp,
    /// Null when the operator published it on the server's machine.
    published_by: Option<PublisherBody>,
    withdrawn_at: Option<Timestamp>,
    artifacts: Vec<ArtifactBody>,
}

/// Who published a release.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentReleasePublisher)]
pub(in crate::releases) struct PublisherBody {
    id: Uuid,
    name: String,
}

/// A program of a release.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentReleaseArtifact)]
pub(in crate::releases) struct ArtifactBody {
    os: String,
    arch: String,
    /// Below the server's address.
    url: String,
    /// Bytes.
    size: u64,
    /// Lower-case hex.
    sha256: String,
}

impl From<Release> for ReleaseBody {
    fn from(release: Release) -> Self {
        let artifact = |artifact: ctops_proto::release::Artifact| ArtifactBody {
            os: artifact.os,
            arch: artifact.arch,
            url: artifact.url,
            size: artifact.size,
            sha256: artifact.sha256,
        };
        Self {
            id: release.id,
            channel: release.channel,
            version: release.version.to_string(),
            minimum_version: release.minimum_version.to_string(),
            released_at: release.released_at.into(),
            published_at: release.published_at.into(),
            published_by: release.published_by.map(|(id, name)| PublisherBody { id, name }),
            withdrawn_at: release.withdrawn_at.map(Timestamp::from),
            artifacts: release.artifacts.into_iter().map(artifact).collect(),
        }
    }
}

/// Releases, newest version first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentReleases)]
pub(in crate::releases) struct ReleasesBody {
    items: Vec<ReleaseBody>,
}

/// Which releases.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::releases) struct ReleaseParams {
    /// One channel only.
    channel: Option<String>,
}

/// Releases in the store, newest version first, at most 200.
#[utoipa::path(get, path = "/agent-releases", tag = "releases", params(ReleaseParams),
    responses((status = 200, body = ReleasesBody)))]
pub(in crate::releases) async fn list_agent_releases(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<ReleaseParams>,
) -> ApiResult<Json<ReleasesBody>> {
    let releases = publish::list(&state, &actor, params.channel.as_deref()).await?;
    Ok(Json(ReleasesBody { items: releases.into_iter().map(ReleaseBody::from).collect() }))
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishedAgentRelease)]
pub(in crate::releases) struct PublishedBody {
    version: String,
    channel: String,
}

/// Publish a bundle made by `ct-ops release sign`.
#[utoipa::path(post, path = "/agent-releases", tag = "releases",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = PublishedBody), (status = 403, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::releases) async fn publish_agent_release(
    actor: Actor,
    Extension(deps): Extension<AgentDeps>,
    body: Body,
) -> ApiResult<(StatusCode, Json<PublishedBody>)> {
    // Programs go to disk piece by piece, so the limit of JSON bodies does not apply.
    let pieces = body.into_data_stream().map_err(std::io::Error::other);
    let mut reader = StreamReader::new(pieces).take(MAX_BUNDLE_BYTES);
    let parts = (&deps.pool, &deps.clock, &deps.releases);
    let (version, channel) = publish::import(parts, Publisher::Person(&actor), &mut reader).await?;
    Ok((StatusCode::CREATED, Json(PublishedBody { version: version.to_string(), channel })))
}

/// Withdraw a release: nobody is offered it any more, agents that run it keep it.
#[utoipa::path(post, path = "/agent-releases/{id}/withdraw", tag = "releases", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::releases) async fn withdraw_agent_release(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    publish::withdraw(&state.pool, Publisher::Person(&actor), id, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
