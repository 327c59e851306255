//! `ct-ops audit`: checks of the audit log for the operator and for auditors, who need only an exported file.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::{Args, Subcommand};
use ctops_audit::chain::{self, INSTALLATION_CHAIN, Report};
use ctops_audit::exports::{FileReport, Signature, verify_file};
use ctops_base::Clock;
use ctops_pg::Pool;
use uuid::Uuid;

use crate::install_key;
use crate::settings::Settings;
use crate::storage::Storage;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Recompute the hash chain of the running installation, or check an exported file without any server.
    Verify(VerifyArguments),
    /// Print the public key that checkpoints and exports are signed with.
    Key,
}

/// What to verify.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// First day of the range, UTC. Default: 400 days ago.
    #[arg(long, conflicts_with = "file")]
    from: Option<NaiveDate>,
    /// Last day of the range, UTC. Default: today.
    #[arg(long, conflicts_with = "file")]
    to: Option<NaiveDate>,
    /// Only this organisation. Default: all chains.
    #[arg(long, conflicts_with = "file")]
    organisation: Option<Uuid>,
    /// An exported file to check instead.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The detached signature of the file.
    #[arg(long, requires = "file")]
    signature: Option<PathBuf>,
    /// The public key of the installation, as its settings page or `ct-ops audit key` shows it.
    #[arg(long, requires = "signature")]
    public_key: Option<String>,
}

impl AuditCommand {
    /// Whether the command needs neither settings nor a database.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Verify(arguments) if arguments.file.is_some())
    }
}

/// Runs a command that needs no server.
///
/// # Errors
/// When the file cannot be read, or is not what was exported.
pub fn run_offline(command: &AuditCommand) -> Result<()> {
    let AuditCommand::Verify(arguments) = command else { bail!("this command needs the installation") };
    let path = arguments.file.as_ref().context("no file was named")?;
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let signature: Option<Signature> = match &arguments.signature {
        None => None,
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Some(serde_json::from_str(&text).with_context(|| format!("{} is no signature", path.display()))?)
        }
    };
    let json_lines = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl"));
    let report = verify_file(file, json_lines, signature.as_ref(), arguments.public_key.as_deref())
        .with_context(|| format!("reading {}", path.display()))?;
    say(&about_file(&report, json_lines, arguments.public_key.is_some()))?;
    if !report.is_intact() {
        bail!("the file is not what was exported");
    }
    Ok(())
}

fn about_file(report: &FileReport, json_lines: bool, key_given: bool) -> String {
    let mut text = match report.signed {
        Some(true) if key_given => "the signature is right\n".to_owned(),
        Some(true) => "the signature fits the file; give --public-key to check whose it is\n".to_owned(),
        Some(false) => "the signature is WRONG\n".to_owned(),
        None => "no signature was given\n".to_owned(),
    };
    // Writing into a string cannot fail.
    let _ = match &report.first_break {
        Some(wrong) => writeln!(text, "first break: {wrong}"),
        None if json_lines => {
            writeln!(text, "{} events are unchanged, {} follow each other", report.events, report.links)
        }
        None => writeln!(text, "only files of JSON Lines hold what hashes are computed from"),
    };
    text.trim_end().to_owned()
}

/// Runs a command on the running installation.
///
/// # Errors
/// When the database cannot be reached, or a chain is broken.
pub fn run(settings: &Settings, command: &AuditCommand) -> Result<()> {
    let key = install_key::load_or_create(&settings.state_dir, settings.install_secret.as_ref())?;
    let public_key = chain::signing_key(&key).public_key();
    let AuditCommand::Verify(arguments) = command else { return say(&hex(&public_key)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = Storage::attach(settings).await?;
        let now = Clock::system().now();
        let chains = match arguments.organisation {
            Some(organisation) => vec![organisation],
            None => chain::chains(&pool).await?,
        };
        verify_chains(&pool, &chains, range(arguments, now), &public_key, now).await
    })
}

fn range(arguments: &VerifyArguments, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let to = arguments.to.map_or(now + TimeDelta::seconds(1), |day| midnight(day) + TimeDelta::days(1));
    (arguments.from.map_or(to - TimeDelta::days(400), midnight), to)
}

async fn verify_chains(
    pool: &Pool,
    chains: &[Uuid],
    range: (DateTime<Utc>, DateTime<Utc>),
    public_key: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut broken = 0;
    for chain_id in chains {
        let report = chain::verify(pool, *chain_id, range, public_key, now).await?;
        broken += u32::from(!report.is_intact());
        say(&about_chain(*chain_id, &report))?;
    }
    if broken > 0 {
        bail!("{broken} of {} chains are broken", chains.len());
    }
    Ok(())
}

fn about_chain(chain_id: Uuid, report: &Report) -> String {
    let whose = match chain_id {
        INSTALLATION_CHAIN => "installation".to_owned(),
        org_id => format!("organisation {org_id}"),
    };
    let state = match &report.first_break {
        Some(found) => format!("BROKEN at {}: {}", found.seq, found.reason),
        None if report.unsealed > 0 => format!("{} events were kept out of the chain", report.unsealed),
        None => "intact".to_owned(),
    };
    let (checked, checkpoints) = (report.checked, report.checkpoints);
    format!("{whose}: {state}, {checked} events, {checkpoints} signed checkpoints")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn say(text: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;

    fn verify(file: &str, text: &str) -> Result<()> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        let arguments = VerifyArguments {
            from: None,
            to: None,
            organisation: None,
            file: Some(path),
            signature: None,
            public_key: None,
        };
        run_offline(&AuditCommand::Verify(arguments))
    }

    /// Spec: audit-log 7
    #[test]
    fn file_is_checked_without_a_server_and_a_changed_one_fails() {
        assert!(verify("a.jsonl", "{\"about\":{}}\n").is_ok());
        let error = verify("a.jsonl", "{\"about\":{}}\n{\"seq\":1}\n").unwrap_err();
        assert_eq!(error.to_string(), "the file is not what was exported");
        assert!(verify("a.csv", "# export: x\r\nseq,id\r\n").is_ok());
    }

    #[test]
    fn range_includes_the_last_day() {
        let day = NaiveDate::from_ymd_opt(2026, 6, 3).unwrap();
        let arguments = VerifyArguments {
            from: Some(day),
            to: Some(day),
            organisation: None,
            file: None,
            signature: None,
            public_key: None,
        };
        let (from, to) = range(&arguments, Clock::system().now());
        assert_eq!(to - from, TimeDelta::days(1));
    }
}
