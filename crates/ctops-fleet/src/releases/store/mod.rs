//! Statements of the releases slice.

pub(super) mod offers;
pub(super) mod rollouts;
pub(super) mod updates;

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_proto::release::{Artifact, Version};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::bundle::SignedManifest;
use super::model::Release;

#[derive(FromRow)]
struct ReleaseRow {
    id: Uuid,
    channel: String,
    version: String,
    minimum_version: String,
    released_at: DateTime<Utc>,
    artifacts: Json<Vec<Artifact>>,
    published_at: DateTime<Utc>,
    publisher_id: Option<Uuid>,
    publisher_name: Option<String>,
    withdrawn_at: Option<DateTime<Utc>>,
}

impl TryFrom<ReleaseRow> for Release {
    type Error = sqlx::Error;

    fn try_from(row: ReleaseRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            version: version(&row.version)?,
            minimum_version: version(&row.minimum_version)?,
            id: row.id,
            channel: row.channel,
            released_at: row.released_at,
            artifacts: row.artifacts.0,
            published_at: row.published_at,
            published_by: row.publisher_id.zip(row.publisher_name),
            withdrawn_at: row.withdrawn_at,
        })
    }
}

/// A version as this slice wrote it.
fn version(text: &str) -> Result<Version, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Adds a release; false when its channel has this version already.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    id: Uuid,
    signed: &SignedManifest,
    released_at: DateTime<Utc>,
    publisher: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let manifest = &signed.manifest;
    let done = sqlx::query(
        "INSERT INTO agent_releases (id, channel, version, version_rank, minimum_version, minimum_rank, released_at,
                                     artifacts, manifest_json, signature, published_at, published_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (channel, version_rank) DO NOTHING",
    )
    .bind(id)
    .bind(&manifest.channel)
    .bind(manifest.version.to_string())
    .bind(manifest.version.rank())
    .bind(manifest.minimum_version.to_string())
    .bind(manifest.minimum_version.rank())
    .bind(released_at)
    .bind(Json(&manifest.artifacts))
    .bind(&signed.json)
    .bind(&signed.signature)
    .bind(now)
    .bind(publisher)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Manifests and programs that a version was published with so far, in any channel.
pub(super) async fn published_as(
    pool: &Pool,
    version: Version,
) -> Result<Vec<(Uuid, Vec<u8>, Json<Vec<Artifact>>)>, sqlx::Error> {
    sqlx::query_as("SELECT id, manifest_json, artifacts FROM agent_releases WHERE version_rank = $1")
        .bind(version.rank())
        .fetch_all(pool)
        .await
}

/// All releases, newest version first; `channel` narrows them.
pub(super) async fn list(
    pool: &Pool,
    channel: Option<&str>,
    limit: i64,
) -> Result<Vec<Release>, sqlx::Error> {
    let rows: Vec<ReleaseRow> = sqlx::query_as(
        "SELECT r.id, r.channel, r.version, r.minimum_version, r.released_at, r.artifacts, r.published_at,
                u.id AS publisher_id, u.name AS publisher_name, r.withdrawn_at
         FROM agent_releases r
         LEFT JOIN users u ON u.id = r.published_by
         WHERE $1::text IS NULL OR r.channel = $1
         ORDER BY r.version_rank DESC, r.channel
         LIMIT $2",
    )
    .bind(channel)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Release::try_from).collect()
}

/// Withdraws a release by id; its version and channel, none when there is no such release that is not withdrawn.
pub(super) async fn withdraw(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE agent_releases
         SET withdrawn_at = $2
         WHERE id = $1
           AND withdrawn_at IS NULL
         RETURNING version, channel",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
}

/// Whether there is such a release at all.
pub(super) async fn exists(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM agent_releases WHERE id = $1)")
        .bind(id)
        .fetch_one(&mut **tx)
        .await
}

/// Manifest and signature of the newest release of a channel.
pub(super) async fn newest_manifest(
    pool: &Pool,
    channel: &str,
) -> Result<Option<(String, Vec<u8>, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT version, manifest_json, signature
         FROM agent_releases
         WHERE channel = $1
           AND withdrawn_at IS NULL
         ORDER BY version_rank DESC
         LIMIT 1",
    )
    .bind(channel)
    .fetch_optional(pool)
    .await
}

/// Programs of a version that is not withdrawn; without a version, of the newest release of `channel`.
pub(super) async fn artifacts(
    pool: &Pool,
    version: Option<Version>,
    channel: &str,
) -> Result<Option<Vec<Artifact>>, sqlx::Error> {
    let row: Option<(Json<Vec<Artifact>>,)> = sqlx::query_as(
        "SELECT artifacts
         FROM agent_releases
         WHERE withdrawn_at IS NULL
           AND (version_rank = $1 OR ($1 IS NULL AND channel = $2))
         ORDER BY version_rank DESC, channel = $2 DESC
         LIMIT 1",
    )
    .bind(version.map(Version::rank))
    .bind(channel)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(artifacts,)| artifacts.0))
}
