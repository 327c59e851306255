//! Which build of the agent this process is: its version, the key its updates are signed with, its waiting times.
//!
//! A build has a version when `CT_OPS_AGENT_VERSION=v1.2.3` is set at compile time; every other build is marked `dev` and
//! never updates itself (agents-enrolment 30). A build with a version must be told whose updates it trusts, by
//! `CT_OPS_UPDATE_PUBLIC_KEY`.

use std::sync::OnceLock;
use std::time::Duration;

use ctops_proto::release::{self, DEVELOPMENT_VERSION, PUBLIC_KEY_BYTES};

use crate::timing::Timing;

/// Version of this program as compiled; `-version` prints it.
pub const VERSION: &str = match option_env!("CT_OPS_AGENT_VERSION") {
    Some(version) => version,
    None => DEVELOPMENT_VERSION,
};

const _: () = assert!(
    option_env!("CT_OPS_AGENT_VERSION").is_none() || release::KEY_WAS_NAMED,
    "a build with CT_OPS_AGENT_VERSION needs CT_OPS_UPDATE_PUBLIC_KEY: the development key is known to everybody"
);

static RUNNING: OnceLock<Build> = OnceLock::new();

/// A build of the agent.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// `v1.2.3`, or `dev`.
    pub version: &'static str,
    /// Ed25519 public key that releases must be signed with, unless the configuration names another.
    pub update_key: [u8; PUBLIC_KEY_BYTES],
    /// Waiting times for a heartbeat interval.
    pub timing: fn(Duration) -> Timing,
}

impl Build {
    /// What this program was compiled as.
    pub const COMPILED: Self =
        Self { version: VERSION, update_key: release::BUILT_IN_KEY, timing: Timing::standard };

    /// Makes this build the one that the process is; the first call decides.
    pub(crate) fn enter(self) {
        RUNNING.get_or_init(|| self);
    }
}

/// Version of the running agent, as heartbeats carry it.
pub fn version() -> &'static str {
    RUNNING.get().map_or(VERSION, |build| build.version)
}
