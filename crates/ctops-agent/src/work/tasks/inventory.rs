//! `software_inventory`: collects the packages of this host and streams them to the server.

use std::sync::Arc;

use chrono::SecondsFormat;
use ctops_proto::agent::AgentTask;
use serde::{Deserialize, Serialize};

use super::output::TaskOutput;
use super::{Done, Shared, config};
use crate::software::{self, Inventory, Scope, SendError};

/// Attempts with another token or another connection.
const ATTEMPTS: usize = 3;

/// What the organisation wants to know beyond the distribution's packages; the original sends nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    include_snap: bool,
    include_flatpak: bool,
}

/// The document of wire contract 6.2, with more for more than one source.
#[derive(Serialize)]
struct Result<'r> {
    scan_id: &'r str,
    package_count: usize,
    source: &'static str,
    started_at: String,
    completed_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceCount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_sources: Vec<FailedSource<'r>>,
}

#[derive(Serialize)]
struct SourceCount {
    source: &'static str,
    package_count: usize,
}

#[derive(Serialize)]
struct FailedSource<'r> {
    source: &'static str,
    error: &'r str,
}

/// Runs the task.
pub(super) async fn task(shared: &Shared, task: &AgentTask, output: &mut TaskOutput<'_>) -> Done {
    let given: Config = match config("software_inventory", &task.config_json) {
        Ok(given) => given,
        Err(done) => return done,
    };
    let clock = &shared.surroundings.clock;
    let started = clock.now();
    let scope = Scope { snap: given.include_snap, flatpak: given.include_flatpak };
    let inventory = match shared.machine().inventory(scope).await {
        Ok(inventory) => Arc::new(inventory),
        Err(error) => return Done::failed(format!("collecting packages: {error}")),
    };
    for (source, error) in &inventory.failed {
        output.say(&format!("{} cannot be read: {error}", source.as_str()));
    }
    if let Err(error) = deliver(shared, &task.task_id, &inventory).await {
        return Done::failed(format!("streaming packages: {error}"));
    }
    let of_part = |(source, packages): &(software::Source, software::Packages)| SourceCount {
        source: source.as_str(),
        package_count: packages.len(),
    };
    let sources: Vec<_> = inventory.parts.iter().map(of_part).collect();
    let time = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let result = Result {
        scan_id: &task.task_id,
        package_count: inventory.len(),
        source: sources.first().map_or("other", |first| first.source),
        started_at: time(started),
        completed_at: time(clock.now()),
        sources: if sources.len() > 1 { sources } else { Vec::new() },
        failed_sources: inventory
            .failed
            .iter()
            .map(|(source, error)| FailedSource { source: source.as_str(), error })
            .collect(),
    };
    Done {
        exit_code: 0,
        result_json: serde_json::to_string(&result).unwrap_or_default(),
        error: String::new(),
    }
}

/// Sends everything over the present connection, with a token that is not about to end.
async fn deliver(
    shared: &Shared,
    scan_id: &str,
    inventory: &Arc<Inventory>,
) -> std::result::Result<(), String> {
    let no_connection = || "there is no connection".to_owned();
    let mut link = shared.line.fresh(&shared.surroundings.clock).await.ok_or_else(no_connection)?;
    for attempt in 1.. {
        let sent = software::send(link.client.clone(), &link.token, &link.agent_id, scan_id, inventory).await;
        let error = match sent {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let other = match &error {
            _ if attempt == ATTEMPTS => None,
            SendError::Unauthenticated(_) => shared.line.with_other_token(&link).await,
            SendError::Unavailable(_) => shared.line.with_other_connection(&link).await,
            _ => None,
        };
        let Some(other) = other else { return Err(error.to_string()) };
        link = other;
    }
    Err(no_connection())
}
