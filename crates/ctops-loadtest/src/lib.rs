//! A fleet of simulated agents over the real wire contract: each has its own key, certificate, TLS connection and
//! heartbeat stream.
//!
//! Every heartbeat carries its sequence number in `uptime_seconds`, and every acknowledged one can be written to a
//! ledger file as a line `hostname sequence`. A checker that compares the ledger with what the server stored sees
//! exactly what was lost or doubled: an acknowledged number must be stored once, any other at most once.
//!
//! Reading order: [`options`], [`fleet`] (the whole run), [`member`] (one agent), [`simulate`]
//! (what it does besides reporting), [`score`] (what is counted).

pub mod cleanup;
pub mod fleet;
pub mod member;
pub mod options;
pub mod score;
pub mod simulate;

use ctops_agent::flags::FlagError;

use crate::fleet::Fleet;
use crate::options::{CleanupOptions, Options};

/// What the arguments ask for.
enum Command {
    Run(Box<Options>),
    Cleanup(CleanupOptions),
}

impl Command {
    fn parse(arguments: &[String]) -> Result<Self, FlagError> {
        match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            Some(("run", rest)) => Ok(Self::Run(Box::new(Options::parse(rest)?))),
            Some(("cleanup", rest)) => Ok(Self::Cleanup(CleanupOptions::parse(rest)?)),
            Some((other, _)) => Err(FlagError::Unexpected(other.to_owned())),
            None => Err(FlagError::Unexpected("no subcommand".to_owned())),
        }
    }
}

/// Runs the program with `arguments` (without the program name) and returns its exit code: 0 when agents reported, 1
/// for errors, 2 for arguments that cannot be parsed, 3 when a limit was exceeded.
pub fn run(arguments: &[String]) -> u8 {
    let result = match Command::parse(arguments) {
        Ok(Command::Run(options)) => start(*options),
        Ok(Command::Cleanup(options)) => clean_up(&options),
        Err(FlagError::Help) => {
            println!("{}", options::USAGE);
            return 0;
        }
        Err(problem) => {
            eprintln!("{problem}\n{}", options::USAGE);
            return 2;
        }
    };
    result.unwrap_or_else(|problem| {
        eprintln!("{problem:#}");
        1
    })
}

/// Runs the fleet; the exit code.
fn start(options: Options) -> anyhow::Result<u8> {
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = ctops_agent::shutdown::on_signals(&ctops_agent::restart::Restart::default())?;
        let (output, limits) = (options.output_json.clone(), options.limits.clone());
        let summary = Fleet::new(options)?.run(shutdown).await?;
        let text = serde_json::to_string_pretty(&summary)?;
        println!("{text}");
        if let Some(path) = output {
            std::fs::write(path, text)?;
        }
        if summary["registrations_active"] == 0 {
            eprintln!("no agent became active");
            return Ok(1);
        }
        let exceeded = limits.exceeded(&summary);
        exceeded.iter().for_each(|sentence| eprintln!("limit exceeded: {sentence}"));
        Ok(if exceeded.is_empty() { 0 } else { 3 })
    })
}

/// Deletes the hosts of a run; the exit code.
fn clean_up(options: &CleanupOptions) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(cleanup::run(options))?;
    println!("{answer}");
    Ok(u8::from(answer["failed"].as_array().is_none_or(|failed| !failed.is_empty())))
}

/// A connection is an open file; the soft limit is often 1024.
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // With the lower limit the run still works, with fewer agents.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
