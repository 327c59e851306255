//! Releases of the agent: signed programs in the server's own store, updates of single agents, rollouts in waves
//! (agents-enrolment 27 to 31).
//!
//! Owns `agent_releases`, `agent_update_settings`, `agent_updates`, `agent_rollouts`, `agent_rollout_members`, and the files
//! below `<AGENT_DIST_DIR>/releases`. Reads `agents`, `host_vitals`, `organisations`, `users`.
//! Brings [`AgentWork`](ctops_slice::AgentWork) (offers) and [`AgentEvents`](ctops_slice::AgentEvents) (outcomes).
//!
//! Ingest calls [`open_program`] for agents, the enrolment slice for machines that install one; `ct-ops release` calls
//! [`sign`], [`import`], [`list_for_operator`] and [`withdraw_for_operator`].
//!
//! Invariants:
//! - Nothing enters the store that the trusted key has not signed; the private key never needs to be on the server.
//! - A version is one set of programs: what was published under it is never replaced.
//! - An agent is offered another version only because it is pinned to it, was told to update, is in an open wave, or is
//!   below the minimum version; the newest decision of a person wins.

mod bundle;
mod events;
mod files;
mod http;
mod jobs;
mod model;
mod public;
mod service;
mod store;
mod work;

use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, AppState, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::agents::{AGENTS_READ, AgentDeps};
use crate::enrolment::{SETTINGS_READ, SETTINGS_WRITE};

pub use bundle::{NewRelease, Program, SignError, sign, write_bundle};
pub use files::{OpenProgram, ReleaseFiles};
pub use model::{Release, RolloutState};
pub use service::open_program;
pub use service::publish::{Publisher, import, list_for_operator, withdraw_for_operator};

/// Publish and withdraw releases of the agent.
pub static RELEASES_PUBLISH: Permission = Permission {
    name: "releases.publish",
    roles: &[Role::SuperAdmin],
    about: "Publish and withdraw releases of the agent.",
};

/// Decide which agents run which version.
pub static AGENTS_UPDATE: Permission = Permission {
    name: "agents.update",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Update agents, pin their versions, choose their channels and run rollouts.",
};

/// What this slice needs besides database and clock.
#[derive(Clone, Debug)]
pub struct ReleaseDeps {
    /// The programs.
    pub files: ReleaseFiles,
    /// Ed25519 public key that releases must be signed with.
    pub trusted_key: [u8; 32],
    /// Where agents of the original product download from.
    pub download_url: String,
}

impl ReleaseDeps {
    /// A store below `dist_dir` (`AGENT_DIST_DIR`) of a server that people reach at `public_url`.
    pub fn new(dist_dir: &Path, trusted_key: [u8; 32], public_url: &str) -> Self {
        let download_url = format!("{public_url}/api/v1/agent/binary");
        Self { files: ReleaseFiles::below(dist_dir), trusted_key, download_url }
    }
}

/// The slice.
pub fn slice(deps: &AgentDeps) -> Slice {
    let (read, update) = (Access::Needs(&AGENTS_READ), Access::Needs(&AGENTS_UPDATE));
    let publish = Access::Needs(&RELEASES_PUBLISH);
    Slice::new("releases")
        .permissions(&[&RELEASES_PUBLISH, &AGENTS_UPDATE])
        .operation(read, routes!(http::releases::list_agent_releases))
        .operation(publish, with_deps(routes!(http::releases::publish_agent_release), deps))
        .operation(publish, routes!(http::releases::withdraw_agent_release))
        .operation(Access::Public, routes!(public::get_agent_manifest))
        .operation(read, routes!(http::updates::get_agent_update))
        .operation(update, routes!(http::updates::request_agent_update))
        .operation(update, routes!(http::updates::change_agent_update))
        .operation(read, routes!(http::rollouts::list_agent_rollouts))
        .operation(update, routes!(http::rollouts::start_agent_rollout))
        .operation(update, routes!(http::rollouts::halt_agent_rollout))
        .operation(update, routes!(http::rollouts::resume_agent_rollout))
        .operation(Access::Needs(&SETTINGS_READ), routes!(http::rollouts::get_agent_update_settings))
        .operation(Access::Needs(&SETTINGS_WRITE), routes!(http::rollouts::update_agent_update_settings))
        .agent_work(Arc::new(work::Offers {
            pool: deps.pool.clone(),
            clock: deps.clock.clone(),
            releases: deps.releases.clone(),
        }))
        .agent_events(Arc::new(events::Outcomes { clock: deps.clock.clone() }))
        .job(Arc::new(jobs::AdvanceRollouts { pool: deps.pool.clone(), clock: deps.clock.clone() }))
}

fn with_deps(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    deps: &AgentDeps,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(deps.clone())))
}
