//! What happens before anything else: which program runs (agents-enrolment 28, 29).
//!
//! The service manager always starts the installed program. It executes the updated one in its place, if there is one
//! that its signature vouches for. A program on trial is counted before it is executed, so one that dies at once is
//! given up after [`MAX_STARTS`] starts, and it is executed under an alarm (alarm(2) outlives execve(2)), so one that hangs
//! before it can judge itself is ended by the kernel, and given up at the next start. One that works so far judges
//! itself: a thread executes the installed program again when the health window ends without a heartbeat.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ctops_proto::release::Version;
use nix::unistd::alarm;
use tracing::{error, info, warn};

use super::offer::{Key, Platform};
use super::state::{Entry, UpdateState};
use super::store::Store;
use crate::collect;
use crate::logging::chain;
use crate::program::Build;

/// Starts of a program on trial without success, after which it is given up.
pub(super) const MAX_STARTS: u32 = 3;
/// The kernel's turn comes only when the program did not judge itself.
const ALARM_GRACE: Duration = Duration::from_secs(10);

/// Updates of this process, shared by the agent and the thread that judges it. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Updates(pub(super) Option<Arc<Shared>>);

/// What is shared.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) state: Mutex<UpdateState>,
    /// Version of this process.
    pub(super) running: Version,
    /// The program that the service manager starts.
    pub(super) installed: PathBuf,
    /// Its version.
    pub(super) installed_version: Version,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, UpdateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores `state`; what cannot be stored stays in memory and is stored with the next change.
    pub(super) fn save(&self, state: &UpdateState) -> bool {
        match self.store.save(state) {
            Ok(()) => true,
            Err(error) => {
                warn!(err = %error, "state of updates cannot be stored");
                false
            }
        }
    }
}

impl Updates {
    /// A process that never updates itself.
    pub fn none() -> Self {
        Self(None)
    }

    /// Decides which program runs. Returns in the one that does; executing another one does not return.
    pub fn begin(build: &Build, key: Key, data_dir: &Path, window: Duration) -> Self {
        // One that an earlier program of this process set.
        alarm::cancel();
        let Ok(running) = build.version.parse::<Version>() else { return Self::none() };
        let own = match env::current_exe() {
            Ok(own) => own,
            Err(error) => {
                warn!(err = %error, "this program does not know where it is, it will not update itself");
                return Self::none();
            }
        };
        let store = Store::new(data_dir, key);
        let state = store.load();
        match (store.version_of(&own), state.installed_program.clone()) {
            (None, _) => Self::begin_installed(store, state, running, own, window),
            (Some(version), Some(installed)) => {
                let facts = [&state.trial.as_ref().map(|trial| trial.entry.clone()), &state.current];
                let entry = facts.into_iter().flatten().find(|entry| entry.version == version);
                let installed_version = entry.map_or(running, |entry| entry.installed_version);
                let shared = Arc::new(Shared {
                    store,
                    state: Mutex::new(state),
                    running,
                    installed,
                    installed_version,
                });
                judge_later(&shared, version, window);
                Self(Some(shared))
            }
            (Some(_), None) => {
                warn!("started by hand from the directory of updates, this program will not update itself");
                Self::none()
            }
        }
    }

    fn begin_installed(
        store: Store,
        mut state: UpdateState,
        running: Version,
        own: PathBuf,
        window: Duration,
    ) -> Self {
        if state.trial.is_some() {
            try_out(&store, &mut state, window);
        }
        if let Some(current) = state.current.clone() {
            run_current(&store, &mut state, &current, running);
        }
        store.tidy(&state);
        let shared =
            Shared { store, state: Mutex::new(state), running, installed: own, installed_version: running };
        Self(Some(Arc::new(shared)))
    }

    /// The program to execute in order to begin anew; this one's own if nothing else is known.
    pub fn program(&self) -> io::Result<PathBuf> {
        match &self.0 {
            Some(shared) => Ok(shared.installed.clone()),
            None => env::current_exe(),
        }
    }

    /// The agent was asked to end: a trial that was under way begins anew at the next start.
    pub fn stopped(&self) {
        let Some(shared) = &self.0 else { return };
        let mut state = shared.state();
        if let Some(trial) = &mut state.trial {
            (trial.starts, trial.began_uptime) = (0, None);
            shared.save(&state);
        }
    }
}

/// Executes `program` in place of this one, with the same arguments and environment. Returns only when that fails.
pub fn execute(program: &Path) -> io::Error {
    Command::new(program).args(env::args_os().skip(1)).exec()
}

/// Executes the program on trial, or gives it up.
fn try_out(store: &Store, state: &mut UpdateState, window: Duration) {
    let uptime = uptime_seconds();
    let Some(trial) = &mut state.trial else { return };
    // A machine that was started anew counts from there.
    let began = trial.began_uptime.filter(|began| *began <= uptime).unwrap_or(uptime);
    let rest = window.saturating_sub(Duration::from_secs(uptime - began));
    let version = trial.entry.version;
    let detail = if trial.starts >= MAX_STARTS {
        format!("ended {MAX_STARTS} times before its first heartbeat")
    } else if rest.is_zero() {
        format!("no heartbeat within {} s", window.as_secs())
    } else {
        trial.starts += 1;
        trial.began_uptime = Some(began);
        // A start that is not counted must not happen.
        if let Err(error) = store.save(state) {
            error!(err = %error, "updated program not started, its start cannot be recorded");
            return;
        }
        let Some(trial) = &state.trial else { return };
        match store.usable(&trial.entry, platform()) {
            Err(refusal) => chain(&refusal),
            Ok(program) => {
                info!(version = %version, start = trial.starts, "starting the updated program on trial");
                alarm::set(u32::try_from((rest + ALARM_GRACE).as_secs()).unwrap_or(u32::MAX));
                let error = execute(&program);
                alarm::cancel();
                format!("cannot be executed: {error}")
            }
        }
    };
    error!(version = %version, detail, "updated program given up, going on without it");
    state.roll_back(&detail);
    if let Err(error) = store.save(state) {
        warn!(err = %error, "state of updates cannot be stored");
    }
}

/// Executes the updated program in use, unless the installed one took its place.
fn run_current(store: &Store, state: &mut UpdateState, current: &Entry, running: Version) {
    let wanted = match current.pinned {
        true => current.installed_version == running,
        false => current.version > running,
    };
    if wanted {
        match store.usable(current, platform()) {
            Ok(program) => {
                let error = execute(&program);
                error!(err = %error, version = %current.version, "updated program cannot be executed");
            }
            Err(refusal) => {
                error!(err = chain(&refusal), version = %current.version, "updated program not used");
            }
        }
    } else {
        info!(version = %current.version, "installed program takes the place of the updated one");
    }
    (state.current, state.previous) = (None, None);
    if let Err(error) = store.save(state) {
        warn!(err = %error, "state of updates cannot be stored");
    }
}

/// On trial: returns to the installed program when the health window ends first.
fn judge_later(shared: &Arc<Shared>, version: Version, window: Duration) {
    let state = shared.state();
    let Some(trial) = state.trial.as_ref().filter(|trial| trial.entry.version == version) else { return };
    if shared.running != version {
        let detail = format!("program says that it is {}", shared.running);
        drop(state);
        return_to_installed(shared, &detail);
        return;
    }
    let spent = uptime_seconds().saturating_sub(trial.began_uptime.unwrap_or_default());
    let rest = window.saturating_sub(Duration::from_secs(spent));
    drop(state);
    let judged = Arc::clone(shared);
    let judge = thread::Builder::new().name("update-judge".to_owned()).stack_size(64 * 1024);
    let spawned = judge.spawn(move || {
        thread::sleep(rest);
        return_to_installed(&judged, &format!("no heartbeat within {} s", window.as_secs()));
    });
    if let Err(error) = spawned {
        // The alarm is still set.
        warn!(err = %error, "no thread to judge the updated program");
    }
}

/// Gives up the trial if it is still under way.
fn return_to_installed(shared: &Shared, detail: &str) {
    let mut state = shared.state();
    if state.trial.is_none() {
        return;
    }
    error!(version = %shared.running, detail, "updated program given up, returning to the one before");
    state.roll_back(detail);
    shared.save(&state);
    let error = execute(&shared.installed);
    error!(err = %error, "the program before cannot be executed");
    // The service manager starts the installed program.
    std::process::exit(i32::from(crate::EXIT_FAILURE));
}

pub(super) fn platform() -> Platform {
    Platform { os: collect::OS, arch: collect::arch() }
}

/// Seconds since the machine started, which go on counting while it sleeps; 0 if unknown.
fn uptime_seconds() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}
