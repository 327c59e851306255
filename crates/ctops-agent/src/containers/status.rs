//! Which engine there is (containers 1, 2, 4; wire contract 9.1).

use std::path::Path;
use std::time::Duration;

use ctops_base::text;
use ctops_proto::agent::{DockerRuntimeStatus, DockerStatus};

use super::answers::Version;
use super::cut;
use super::engine::{Engine, EngineError};
use crate::logging::chain;

const PATIENCE: Duration = Duration::from_secs(2);
const MAX_VERSION_BYTES: usize = 64;
const MAX_API_VERSION_BYTES: usize = 32;
const MAX_ERROR_BYTES: usize = 512;

/// Looks for an engine below `run` and asks for its version, for at most 2 s. The engine comes with the status if it
/// can be asked for more. `now` in Unix seconds.
pub async fn probe(run: &Path, now: i64) -> (DockerStatus, Option<Engine>) {
    let mut status = DockerStatus { checked_at_unix: now, ..DockerStatus::default() };
    let Some(mut engine) = Engine::find(run) else {
        status.set_status(DockerRuntimeStatus::NotInstalled);
        return (status, None);
    };
    match engine.get::<Version>("/version", PATIENCE).await {
        Ok(version) => {
            engine.podman = version.components.iter().any(|part| part.name.contains("Podman"));
            status.set_status(DockerRuntimeStatus::Installed);
            status.runtime_version =
                cut(&text::clean(&version.version, MAX_VERSION_BYTES), MAX_VERSION_BYTES);
            status.api_version =
                cut(&text::clean(&version.api_version, MAX_API_VERSION_BYTES), MAX_API_VERSION_BYTES);
            (status, Some(engine))
        }
        Err(error) => {
            status.set_status(meaning(&error));
            status.error_message = cut(&chain(&error), MAX_ERROR_BYTES);
            (status, None)
        }
    }
}

fn meaning(error: &EngineError) -> DockerRuntimeStatus {
    match error {
        EngineError::Absent => DockerRuntimeStatus::NotInstalled,
        EngineError::Denied => DockerRuntimeStatus::PermissionDenied,
        EngineError::Refused | EngineError::TimedOut(_) => DockerRuntimeStatus::Unreachable,
        EngineError::Status(_)
        | EngineError::TooLong
        | EngineError::Connection(_)
        | EngineError::Http(_)
        | EngineError::Json(_) => DockerRuntimeStatus::Error,
    }
}
