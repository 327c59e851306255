//! `ct-ops admin dead-letters`: for the operator, who sees the letters of all organisations.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::SecondsFormat;
use clap::Subcommand;
use ctops_base::{Clock, PageRequest};
use ctops_pg::Pool;
use ctops_queue::dead_letters::{DeadLetter, LetterStatus};

use super::model::hex;
use super::service::{self, Who};

/// How long `replay` waits for the outcome.
const OUTCOME_LIMIT: Duration = Duration::from_secs(15);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum LettersCommand {
    /// List them, newest first.
    List {
        /// Only the newest so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show one with the beginning of its payload.
    Show {
        /// Its number.
        id: i64,
    },
    /// Have one applied again, and wait for the outcome.
    Replay {
        /// Its number.
        id: i64,
    },
    /// Forget one for good.
    Discard {
        /// Its number.
        id: i64,
    },
}

/// Runs a command; what to print.
///
/// # Errors
/// When there is no such letter, when a replay was refused again, or when the database fails.
pub async fn run(pool: &Pool, clock: &Clock, command: LettersCommand) -> Result<String> {
    match command {
        LettersCommand::List { limit } => list(pool, limit).await,
        LettersCommand::Show { id } => show(pool, id).await,
        LettersCommand::Replay { id } => {
            service::replay(pool, clock, Who::Operator, id).await?;
            outcome(pool, id).await
        }
        LettersCommand::Discard { id } => {
            service::discard(pool, clock, Who::Operator, id).await?;
            Ok(format!("dead letter {id} is forgotten"))
        }
    }
}

async fn list(pool: &Pool, limit: u32) -> Result<String> {
    let page = PageRequest { page: 1, page_size: limit };
    let letters = service::list(pool, Who::Operator, None, page).await?;
    let mut text = format!("{} dead letters", letters.total);
    for letter in letters.items {
        write!(text, "\n{}", line(&letter))?;
    }
    Ok(text)
}

async fn show(pool: &Pool, id: i64) -> Result<String> {
    let (letter, preview) = service::get(pool, Who::Operator, id).await?;
    let mut text = line(&letter);
    write!(
        text,
        "\nkey {}\n{} bytes, refused {} times",
        hex(&letter.key),
        letter.payload_bytes,
        letter.refusals
    )?;
    write!(text, "\nlog {}, partition {}, offset {}", letter.log_id, letter.partition, letter.offset)?;
    match (preview.hex, preview.text) {
        (Some(hex), Some(readable)) => write!(text, "\n{hex}\n{readable}")?,
        _ => write!(text, "\nthe payload is not shown because it may hold secrets")?,
    }
    Ok(text)
}

fn line(letter: &DeadLetter) -> String {
    let parked = letter.parked_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let status = letter.status().as_str();
    format!("{}  {parked}  {status}  {} of {}: {}", letter.id, letter.topic, letter.group, letter.reason)
}

/// The process that leads applies what was asked for at once.
async fn outcome(pool: &Pool, id: i64) -> Result<String> {
    let end = tokio::time::Instant::now() + OUTCOME_LIMIT;
    loop {
        let (letter, _) = service::get(pool, Who::Operator, id).await?;
        match letter.status() {
            LetterStatus::Replayed => return Ok(format!("dead letter {id} was applied")),
            LetterStatus::Waiting => bail!("dead letter {id} was refused again: {}", letter.reason),
            LetterStatus::Requested if tokio::time::Instant::now() > end => {
                return Ok(format!("dead letter {id} will be applied when the server runs"));
            }
            LetterStatus::Requested => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}
