//! Commands for the operator on the server's own machine. They reach the database of the running installation.

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use ctops_base::Clock;
use ctops_fleet::enrolment::{NewToken, create_operator_token};
use ctops_pg::migrate as schema;
use serde_json::json;

use crate::admin_people::{self, PeopleCommand};
use crate::assembly::Assembly;
use crate::dead_letters::cli::LettersCommand;
use crate::migrate_profile::{self, Profile};
use crate::roles::ServerRole;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::{dead_letters, install_key};

/// What can be done.
#[derive(Subcommand)]
pub enum AdminCommand {
    /// Print whether the installation is ready, set up, and how many hosts are online, as JSON.
    Status,
    /// Make an enrolment token and print its secret, for example for this machine's own agent.
    EnrolmentToken {
        /// What the token is for.
        #[arg(long)]
        label: String,
        /// Agents that register with it need no approval.
        #[arg(long)]
        auto_approve: bool,
        /// How many agents may register with it.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        max_uses: u32,
        /// Days until it expires.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
    },
    /// Let somebody in when nobody can sign in any more: create or promote a super_admin, unlock, clear second factors.
    People {
        /// What to do.
        #[command(subcommand)]
        command: PeopleCommand,
    },
    /// See, replay and discard records that could not be applied.
    DeadLetters {
        /// What to do with them.
        #[command(subcommand)]
        command: LettersCommand,
    },
}

/// Runs a command.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub fn run(settings: &Settings, command: AdminCommand) -> Result<()> {
    block_on(async {
        let pool = Storage::attach(settings).await?;
        match command {
            AdminCommand::Status => status(&pool).await,
            AdminCommand::People { command } => {
                say(&admin_people::run(&pool, &Clock::system(), command).await?)
            }
            AdminCommand::DeadLetters { command } => {
                say(&dead_letters::cli::run(&pool, &Clock::system(), command).await?)
            }
            AdminCommand::EnrolmentToken { label, auto_approve, max_uses, days } => {
                let clock = Clock::system();
                let org_id = ctops_identity::setup::first_organisation(&pool, &clock).await?;
                let mut token = NewToken::labelled(&label);
                token.auto_approve = auto_approve;
                token.max_uses = Some(max_uses);
                token.expires_in_days = Some(days);
                let secret = create_operator_token(&pool, &clock, org_id, token).await?;
                say(&secret)
            }
        }
    })
}

/// Brings the schema up to date, or only looks.
///
/// # Errors
/// With `check`, when the schema is not current.
pub fn migrate(settings: &Settings, check: bool) -> Result<()> {
    block_on(async {
        if check {
            let pool = Storage::attach(settings).await?;
            let status = schema::status(&pool).await?;
            if !status.is_current() {
                bail!("the database schema is not current; start `ct-ops serve` or run `ct-ops migrate`");
            }
            return say("the database schema is current");
        }
        crate::storage::prepare_state_dir(&settings.state_dir)?;
        let storage = Storage::open(settings).await?;
        storage.close().await?;
        say("the database schema is current")
    })
}

/// Moves what waits in one queue into the other; the server must be stopped.
///
/// # Errors
/// See [`migrate_profile::run`].
pub fn migrate_queue(settings: &Settings, to: Profile, brokers: Option<&str>) -> Result<()> {
    block_on(async {
        crate::storage::prepare_state_dir(&settings.state_dir)?;
        let key = install_key::load_or_create(&settings.state_dir, settings.install_secret.as_ref())?;
        let storage = Storage::open(settings).await?;
        let clock = Clock::system();
        let moved = async {
            // The web role has no queue of its own to open.
            let assembly = Assembly::new(settings, ServerRole::Web, &storage, &key, clock.clone()).await?;
            let reads = &assembly.composition.reads;
            let moved = migrate_profile::run(settings, &storage.pool, &clock, reads, to, brokers).await;
            assembly.notifications.shutdown().await;
            moved
        };
        // The embedded database is stopped whatever became of it.
        let moved = Box::pin(moved).await;
        storage.close().await?;
        say(&moved?)
    })
}

async fn status(pool: &ctops_pg::Pool) -> Result<()> {
    let current = schema::status(pool).await?.is_current();
    let setup_required = ctops_identity::setup::is_required(pool).await.context("looking for accounts")?;
    let hosts = ctops_fleet::hosts::count_by_status(pool).await.context("counting hosts")?;
    let count = |status: &str| hosts.iter().find(|(name, _)| name == status).map_or(0, |(_, count)| *count);
    let total: i64 = hosts.iter().map(|(_, count)| count).sum();
    say(&json!({
        "ready": current,
        "setup_required": setup_required,
        "hosts": total,
        "hosts_online": count("online"),
        "hosts_pending": count("pending"),
    })
    .to_string())
}

fn say(text: &str) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
