//! Decisions about releases and who runs them.

pub(super) mod publish;
pub(super) mod rollouts;
pub(super) mod updates;

use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_proto::release::{DEFAULT_CHANNEL, Version};

use super::files::{OpenProgram, ReleaseFiles};
use super::store;

/// Opens the program of a release at `offset`: of `version`, or of the newest stable release. None when the store has no
/// release that is meant.
///
/// # Errors
/// `unavailable` when the release has no program for the platform, or this machine has not its file.
pub async fn open_program(
    pool: &Pool,
    files: &ReleaseFiles,
    version: Option<Version>,
    (os, arch): (&str, &str),
    offset: u64,
) -> Result<Option<OpenProgram>, Problem> {
    let artifacts = store::artifacts(pool, version, DEFAULT_CHANNEL).await.map_err(Problem::internal)?;
    let Some(artifacts) = artifacts else { return Ok(None) };
    let absent = || Problem::unavailable(format!("there is no agent for {os}-{arch} on this server"));
    let artifact =
        artifacts.iter().find(|artifact| artifact.os == os && artifact.arch == arch).ok_or_else(absent)?;
    files.open(artifact, offset).await.map_err(Problem::internal)?.ok_or_else(absent).map(Some)
}
