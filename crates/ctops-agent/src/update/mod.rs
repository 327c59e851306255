//! Updates of the agent by itself (agents-enrolment 28 to 30; wire contract 10).
//!
//! ```text
//! offer ─► check ─► download ─► size, digest ─► -version ─► state: on trial ─► execute the installed program
//!                                                                                │ counts the start, sets the alarm
//!                          heartbeat answered: in use  ◄── updated program ◄─────┘ and executes the updated one
//!                          health window over, died, hung: given up, the one before goes on
//! ```
//!
//! The installed program is never changed: the service has no right to, and a package manager may own it. Updated
//! programs lie in the data directory, and the installed one executes the right one at its start, after checking its
//! signature. Replacing the state file is the one atomic step from one program to the other, so a loss of power at any
//! moment leaves either the old or the new program in charge.

mod boot;
mod download;
mod offer;
mod state;
mod store;

use std::sync::Arc;

use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse, UpdateOffer};
use futures_util::FutureExt;
use nix::unistd::alarm;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

pub use boot::{Updates, execute};
pub use store::PROGRAM_DIR;

use boot::Shared;
use download::Failure;
use offer::{Plan, Running};
use state::{Ended, Entry, Outcome, Trial};

use crate::dial::Releases;
use crate::restart::Restart;
use crate::timing::Timing;

/// What the agent says it understands.
pub const CAPABILITY: &str = "update";
/// Interrupted downloads, after which the update counts as failed.
const MAX_ATTEMPTS: u32 = 20;

/// Updates while the agent reports.
#[derive(Debug)]
pub(crate) struct Updater {
    shared: Option<Arc<Shared>>,
    timing: Timing,
    restart: Restart,
    tasks: watch::Receiver<usize>,
    plan: Option<Plan>,
    running: Option<JoinHandle<Result<(), Failure>>>,
    attempts: u32,
    not_before: Instant,
    /// The state in memory is not yet on disk.
    unsaved: bool,
}

impl Drop for Updater {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl Updater {
    /// `tasks` counts those of the server that run; an update waits for their end.
    pub(crate) fn new(
        updates: &Updates,
        timing: &Timing,
        restart: Restart,
        tasks: watch::Receiver<usize>,
    ) -> Self {
        Self {
            shared: updates.0.clone(),
            timing: timing.clone(),
            restart,
            tasks,
            plan: None,
            running: None,
            attempts: 0,
            not_before: Instant::now(),
            unsaved: false,
        }
    }

    /// Adds what the server should know to a report.
    pub(crate) fn report(&self, report: &mut HeartbeatRequest) {
        let Some(shared) = &self.shared else { return };
        report.capabilities.push(CAPABILITY.to_owned());
        report.update_outcome = shared.state().outcome.as_ref().map(Outcome::message);
    }

    /// Takes in what the server answered. `releases` makes calls on the connection it answered on.
    pub(crate) fn obey(&mut self, message: &HeartbeatResponse, releases: impl FnOnce() -> Releases) {
        let Some(shared) = self.shared.clone() else { return };
        if message.ok {
            self.prove(&shared);
        }
        if message.update_outcome_stored {
            let mut state = shared.state();
            if state.outcome.take().is_some() {
                self.unsaved = !shared.save(&state);
            }
        }
        if let Some(offer) = &message.update {
            self.consider(&shared, offer);
        }
        if let Some(result) = self.running.as_mut().and_then(FutureExt::now_or_never) {
            self.running = None;
            let result = result.unwrap_or_else(|error| Err(Failure::Later(error.to_string())));
            self.finish(&shared, result);
        }
        if self.running.is_none()
            && Instant::now() >= self.not_before
            && let Some(plan) = self.plan.clone()
        {
            self.attempts += 1;
            info!(version = %plan.version, "downloading an update");
            let (releases, timing, restart) = (releases(), self.timing.clone(), self.restart.clone());
            let mut tasks = self.tasks.clone();
            self.running = Some(tokio::spawn(async move {
                download::prepare(Arc::clone(&shared), plan.clone(), releases, timing).await?;
                // The sender lives as long as the agent.
                let _ = tasks.wait_for(|count| *count == 0).await;
                commit(&shared, &plan)?;
                restart.ask();
                Ok(())
            }));
        }
    }

    /// A heartbeat was answered: a program on trial has proved itself.
    fn prove(&mut self, shared: &Shared) {
        let mut state = shared.state();
        if state.trial.as_ref().is_some_and(|trial| trial.entry.version == shared.running) {
            alarm::cancel();
            state.confirm();
            self.unsaved = true;
            info!(version = %shared.running, "update proved itself");
        }
        if self.unsaved && shared.save(&state) {
            self.unsaved = false;
            shared.store.tidy(&state);
        }
    }

    fn consider(&mut self, shared: &Shared, offer: &UpdateOffer) {
        let mut state = shared.state();
        let reported = state.outcome.as_ref().is_some_and(|outcome| outcome.version == offer.version);
        let on_trial = state.trial.is_some();
        if reported || on_trial {
            return;
        }
        let running = Running {
            version: shared.running,
            platform: boot::platform(),
            keys: &shared.store.keys(),
            rejected: &state.rejected,
        };
        match offer::check(offer, &running) {
            Ok(None) => {}
            Ok(plan) if plan == self.plan => {}
            Ok(plan) => {
                if let Some(running) = self.running.take() {
                    running.abort();
                }
                (self.plan, self.attempts, self.not_before) = (plan, 0, Instant::now());
            }
            Err(refusal) => {
                warn!(err = %refusal, version = offer.version, "offered update refused");
                state.outcome =
                    Some(Outcome::new(offer.version.clone(), Ended::Refused, refusal.to_string()));
                self.unsaved = !shared.save(&state);
            }
        }
    }

    /// Takes in how an attempt ended. After a success the process is about to end.
    fn finish(&mut self, shared: &Shared, result: Result<(), Failure>) {
        let (Some(plan), Err(failure)) = (self.plan.clone(), result) else {
            self.plan = None;
            return;
        };
        let detail = match failure {
            Failure::Busy => {
                self.attempts -= 1;
                self.not_before = Instant::now() + self.timing.update_retry;
                return;
            }
            Failure::Later(detail) if self.attempts < MAX_ATTEMPTS => {
                warn!(version = %plan.version, err = detail, retry = ?self.timing.update_retry, "update not ready");
                self.not_before = Instant::now() + self.timing.update_retry;
                return;
            }
            Failure::Later(detail) | Failure::Final(detail) => detail,
        };
        warn!(version = %plan.version, err = detail, "update failed");
        self.plan = None;
        let mut state = shared.state();
        state.outcome = Some(Outcome::new(plan.version.to_string(), Ended::Failed, detail));
        self.unsaved = !shared.save(&state);
        shared.store.tidy(&state);
    }
}

/// The step from one program to the other: after it, the next start tries the new one.
fn commit(shared: &Shared, plan: &Plan) -> Result<(), Failure> {
    let mut state = shared.state();
    let mut next = state.clone();
    next.installed_program = Some(shared.installed.clone());
    next.outcome = None;
    next.trial = Some(Trial {
        entry: Entry {
            version: plan.version,
            pinned: plan.pinned,
            installed_version: shared.installed_version,
        },
        starts: 0,
        began_uptime: None,
    });
    if !shared.save(&next) {
        return Err(Failure::Later("state of updates cannot be stored".to_owned()));
    }
    *state = next;
    info!(version = %plan.version, "update ready, restarting");
    Ok(())
}
