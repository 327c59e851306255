//! Getting an offered program ready: download with resume, size and digest, a first look at it (agents-enrolment 28).

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ctops_proto::agent::FetchReleaseRequest;
use ctops_proto::release::Version;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::boot::Shared;
use super::offer::Plan;
use crate::dial::Releases;
use crate::timing::Timing;

/// What a program prints for `-version` at most, bytes.
const MAX_ANSWER_BYTES: u64 = 256;

/// Why a program is not ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server or the network; the download goes on later where it stopped.
    Later(String),
    /// The server has no time for it now.
    Busy,
    /// Trying again would not help.
    Final(String),
}

/// Downloads and checks the program of `plan`; afterwards it lies where it can be executed.
pub(super) async fn prepare(
    shared: Arc<Shared>,
    plan: Plan,
    releases: Releases,
    timing: Timing,
) -> Result<(), Failure> {
    let resumed = match timeout(timing.download, download(&shared, &plan, releases)).await {
        Ok(result) => result?,
        Err(_) => return Err(Failure::Later(format!("not downloaded within {:?}", timing.download))),
    };
    let (version, artifact, store) = (plan.version, plan.artifact.clone(), shared.store.clone());
    let same = tokio::task::spawn_blocking(move || store.partial_is(version, &artifact)).await;
    match same {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => {
            shared.store.drop_partial(version);
            let detail = "downloaded program differs from the size or digest in the manifest".to_owned();
            // The first part may be of another program that was published under this version.
            return Err(if resumed { Failure::Later(detail) } else { Failure::Final(detail) });
        }
        Ok(Err(error)) => return Err(disk(&error)),
        Err(error) => return Err(Failure::Later(error.to_string())),
    }
    shared.store.adopt(version, &plan.manifest_json, &plan.signature).map_err(|error| disk(&error))?;
    if plan.names_keys {
        shared.store.trust(version, &plan.manifest_json, &plan.signature).map_err(|error| disk(&error))?;
    }
    look_at(&shared, version, timing.first_look).await.map_err(Failure::Final)
}

/// Whether part of the program had been downloaded before.
async fn download(shared: &Shared, plan: &Plan, mut releases: Releases) -> Result<bool, Failure> {
    let size = plan.artifact.size;
    let (file, mut present) = shared.store.open_partial(plan.version, size).map_err(|error| disk(&error))?;
    let resumed = present > 0;
    let mut file = File::from_std(file);
    if present < size {
        let request = FetchReleaseRequest {
            version: plan.version.to_string(),
            os: plan.artifact.os.clone(),
            arch: plan.artifact.arch.clone(),
            offset: present,
        };
        let mut chunks =
            releases.fetch_release(request).await.map_err(|status| refused(&status))?.into_inner();
        while let Some(chunk) = chunks.message().await.map_err(|status| refused(&status))? {
            present += chunk.data.len() as u64;
            if present > size {
                shared.store.drop_partial(plan.version);
                return Err(Failure::Final("server sends more than the manifest says".to_owned()));
            }
            file.write_all(&chunk.data).await.map_err(|error| disk(&error))?;
        }
    }
    file.flush().await.map_err(|error| disk(&error))?;
    file.sync_all().await.map_err(|error| disk(&error))?;
    if present < size {
        return Err(Failure::Later(format!("download ended after {present} of {size} bytes")));
    }
    Ok(resumed)
}

fn refused(status: &Status) -> Failure {
    match status.code() {
        Code::ResourceExhausted => Failure::Busy,
        Code::NotFound | Code::InvalidArgument | Code::Unimplemented => {
            Failure::Final(format!("server has no such program: {}", status.message()))
        }
        code => Failure::Later(format!("{code:?}: {}", status.message())),
    }
}

/// A full disk may have room later.
fn disk(error: &std::io::Error) -> Failure {
    Failure::Later(format!("program cannot be stored: {error}"))
}

/// Asks the program for its version. One that cannot be executed on this machine, hangs, or is another version than
/// was signed never gets as far as a trial.
async fn look_at(shared: &Shared, version: Version, patience: Duration) -> Result<(), String> {
    let mut command = Command::new(shared.store.program(version));
    command
        .arg("-version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("program cannot be executed: {error}"))?;
    let answer = async {
        let mut text = String::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_ANSWER_BYTES).read_to_string(&mut text).await?;
        }
        child.wait().await.map(|status| (text, status))
    };
    match timeout(patience, answer).await {
        Err(_) => Err(format!("program does not tell its version within {patience:?}")),
        Ok(Err(error)) => Err(format!("program does not tell its version: {error}")),
        Ok(Ok((text, _))) if text == format!("ct-ops-agent {version}\n") => Ok(()),
        Ok(Ok((_, status))) if !status.success() => {
            Err(format!("program ended with {status} when asked for its version"))
        }
        Ok(Ok((text, _))) => Err(format!("program says that it is {:?}", text.trim())),
    }
}
