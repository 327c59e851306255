//! A fleet of simulated agents over the real wire contract: each has its own key, certificate, TLS connection and
//! heartbeat stream.
//!
//! Every heartbeat carries its sequence number in `uptime_seconds`, and every acknowledged one can be written to a
//! ledger file as a line `hostname sequence`. A checker that compares the ledger with what the server stored sees
//! exactly what was lost or doubled: an acknowledged number must be stored once, any other at most once.
//!
//! Reading order: [`options`], [`fleet`] (the whole run), [`member`] (one agent), [`score`] (what is counted).

pub mod fleet;
pub mod member;
pub mod options;
pub mod score;

use ctops_agent::flags::FlagError;

use crate::fleet::Fleet;
use crate::options::Options;

/// Runs the program with `arguments` (without the program name) and returns its exit code: 0 when agents reported, 1
/// for errors, 2 for arguments that cannot be parsed.
pub fn run(arguments: &[String]) -> u8 {
    let Some(("run", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) else {
        eprintln!("{}", options::USAGE);
        return 2;
    };
    let options = match Options::parse(rest) {
        Ok(options) => options,
        Err(FlagError::Help) => {
            println!("{}", options::USAGE);
            return 0;
        }
        Err(problem) => {
            eprintln!("{problem}\n{}", options::USAGE);
            return 2;
        }
    };
    match start(options) {
        Ok(true) => 0,
        Ok(false) => {
            eprintln!("no agent became active");
            1
        }
        Err(problem) => {
            eprintln!("{problem:#}");
            1
        }
    }
}

/// Runs the fleet; whether any agent became active.
fn start(options: Options) -> anyhow::Result<bool> {
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = ctops_agent::shutdown::on_signals(&ctops_agent::restart::Restart::default())?;
        let output = options.output_json.clone();
        let summary = Fleet::new(options)?.run(shutdown).await?;
        let text = serde_json::to_string_pretty(&summary)?;
        println!("{text}");
        if let Some(path) = output {
            std::fs::write(path, text)?;
        }
        Ok(summary["registrations_active"] != 0)
    })
}

/// A connection is an open file; the soft limit is often 1024.
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // With the lower limit the run still works, with fewer agents.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
