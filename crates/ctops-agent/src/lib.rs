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
pub mod collect;
pub mod config;
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
pub mod registration;
pub mod settings;
pub mod shutdown;
pub mod tags;
pub mod timing;
pub mod trust;
pub mod work;

use std::error::Error;

use ctops_base::Clock;
use tracing::{error, info};

use crate::agent::{Agent, Outcome};
use crate::collect::Sources;
use crate::flags::{FlagError, Flags};
use crate::install::Layout;
use crate::settings::Settings;
use crate::timing::Timing;

/// Version of this program, as `-version` prints it and heartbeats carry it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exit code of a normal end, for instance after SIGTERM.
pub const EXIT_OK: u8 = 0;
/// Exit code when the agent cannot work: bad configuration, unreadable identity, failed installation.
pub const EXIT_FAILURE: u8 = 1;
/// Exit code for flags that cannot be parsed.
pub const EXIT_USAGE: u8 = 2;
/// Exit code when the server revoked this agent; the service manager does not start it again
/// (agents-enrolment 9).
pub const EXIT_REVOKED: u8 = 3;

/// Runs the program with `arguments` (without the program name) and returns its exit code.
pub fn run(arguments: &[String]) -> u8 {
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
        println!("ct-ops-agent {VERSION}");
        return EXIT_OK;
    }
    let clock = Clock::system();
    logging::to_stdout(clock.clone());
    match perform(&flags, clock) {
        Ok(code) => code,
        Err(problem) => {
            error!(err = logging::chain(problem.as_ref()), "agent cannot continue");
            EXIT_FAILURE
        }
    }
}

fn perform(flags: &Flags, clock: Clock) -> Result<u8, Box<dyn Error>> {
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
    let timing = Timing::standard(settings.heartbeat_interval);
    let agent = Agent::new(settings, timing, clock, Sources::system())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::on_signals()?;
        Ok::<_, std::io::Error>(Box::pin(agent.run(shutdown)).await)
    })?;
    // A thread stuck in a system call (a dead network file system) must not hold up the end.
    runtime.shutdown_background();
    info!(reason = %outcome, "agent ended");
    Ok(match outcome {
        Outcome::Stopped => EXIT_OK,
        Outcome::Revoked => EXIT_REVOKED,
    })
}
