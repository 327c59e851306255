//! The agent: one small process per host that enrols itself, keeps one outbound gRPC stream to the server over
//! mutual TLS and reports what it measures. It never listens.
//!
//! Reading order: [`agent`] (what happens when), [`registration`], [`heartbeat`], [`dial`] and [`trust`] (how the
//! server is reached and believed), [`identity`] and [`data_dir`] (what is kept on disk), [`collect`] (what is
//! measured), [`install`] (systemd). The wire contract is `proto/agent/v1`.
//!
//! Everything that can go wrong outside (server, network, certificates, disk) is retried in the process with
//! back-off; the agent ends by itself only when its configuration is unusable or the server revoked it.

pub mod agent;
pub mod backoff;
pub mod buffer;
pub mod collect;
pub mod config;
pub mod containers;
pub mod data_dir;
pub mod dial;
pub mod files;
pub mod flags;
pub mod heartbeat;
pub mod identity;
pub mod install;
pub mod leaf;
pub mod logging;
pub mod pem;
pub mod program;
pub mod pushed;
pub mod registration;
pub mod restart;
pub mod rhythm;
pub mod settings;
pub mod shutdown;
pub mod software;
pub mod tags;
pub mod timing;
pub mod trust;
pub mod update;
pub mod watchdog;
pub mod work;

use std::error::Error;

use ctops_base::Clock;
use tracing::{error, info};

use crate::agent::{Agent, Outcome};
use crate::collect::Sources;
use crate::flags::{FlagError, Flags};
use crate::install::Layout;
use crate::program::Build;
use crate::restart::Restart;
use crate::settings::Settings;
use crate::update::Updates;

pub use crate::program::{VERSION, version};

/// Exit code of a normal end, for instance after SIGTERM.
pub const EXIT_OK: u8 = 0;
/// Exit code when the agent cannot work: bad configuration, unreadable identity, failed installation.
pub const EXIT_FAILURE: u8 = 1;
/// Exit code for flags that cannot be parsed.
pub const EXIT_USAGE: u8 = 2;
/// Exit code when the server revoked this agent; the service manager does not start it again
/// (agents-enrolment 9).
pub const EXIT_REVOKED: u8 = 3;

/// Runs the program as `build`, with `arguments` (without the program name), and returns its exit code.
pub fn run(build: Build, arguments: &[String]) -> u8 {
    build.enter();
    let flags = match Flags::parse(arguments) {
        Ok(flags) => flags,
        Err(FlagError::Help) => {
            print!("{}", flags::USAGE);
            return EXIT_OK;
        }
        Err(problem) => {
            eprintln!("{problem}\n{}", flags::USAGE);
            return EXIT_USAGE;
        }
    };
    if flags.version {
        println!("ct-ops-agent {}", build.version);
        return EXIT_OK;
    }
    let clock = Clock::system();
    logging::to_stdout(clock.clone());
    match perform(&build, &flags, clock) {
        Ok(code) => code,
        Err(problem) => {
            error!(err = logging::chain(problem.as_ref()), "agent cannot continue");
            EXIT_FAILURE
        }
    }
}

fn perform(build: &Build, flags: &Flags, clock: Clock) -> Result<u8, Box<dyn Error>> {
    let environment = |name: &str| std::env::var(name).ok();
    if flags.uninstall {
        install::uninstall(&Layout::system())?;
        return Ok(EXIT_OK);
    }
    if flags.install {
        install::install(&Layout::system(), flags, &environment, &clock)?;
        return Ok(EXIT_OK);
    }
    let file = config::load(&flags.config)?;
    let settings = Settings::resolve(&file, &environment, flags)?;
    let timing = (build.timing)(settings.heartbeat_interval);
    let key = settings.update_key.unwrap_or(build.update_key);
    let updates = Updates::begin(build, key, &settings.data_dir, timing.health_window);
    let (restart, allowance) = (Restart::default(), settings.allowance);
    let agent = Agent::new(settings, timing.clone(), clock, Sources::system())?;
    let agent = agent.with_updates(&updates, restart.clone());
    let pressure = agent.pressure();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::on_signals(&restart)?;
        tokio::spawn(watchdog::run(allowance, timing, pressure, restart.clone()));
        Ok::<_, std::io::Error>(Box::pin(agent.run(shutdown)).await)
    })?;
    // A thread stuck in a system call (a dead network file system) must not hold up the end.
    runtime.shutdown_background();
    if outcome == Outcome::Stopped && restart.is_asked() {
        return Err(update::execute(&updates.program()?).into());
    }
    info!(reason = %outcome, "agent ended");
    Ok(match outcome {
        Outcome::Stopped => {
            updates.stopped();
            EXIT_OK
        }
        Outcome::Revoked => EXIT_REVOKED,
    })
}
