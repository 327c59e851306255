//! The `ct-ops` program.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ctops_config::Mistake;
use ctops_server::migrate_profile::Profile;
use ctops_server::roles::{ConsumerGroup, ServerRole};
use ctops_server::settings::{REGISTRY, Settings};
use ctops_server::{admin, audit, composition, doctor, release, serve};

/// Exit code for settings that are wrong (deployment 7): `EX_CONFIG` of sysexits.h.
const EXIT_SETTINGS: u8 = 78;

#[derive(Parser)]
#[command(name = "ct-ops", version, about = "Self-hosted monitoring and operations for server fleets")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: web, ingest and consumers in one process.
    Serve,
    /// Run only the web server: API, UI, documentation. Needs DATABASE_URL.
    Web,
    /// Run only the edge for agents. Needs DATABASE_URL and CT_OPS_QUEUE_BROKERS.
    Ingest,
    /// Run only the consumers of one group. Needs DATABASE_URL and CT_OPS_QUEUE_BROKERS.
    Consume {
        /// The group.
        group: ConsumerGroup,
    },
    /// Bring the database schema up to date, or only look with --check.
    Migrate {
        /// Change nothing; exit with an error when the schema is not current.
        #[arg(long)]
        check: bool,
    },
    /// Move what waits in one queue into the other, while the server is stopped.
    MigrateProfile {
        /// The queue to move to.
        #[arg(long)]
        to: Profile,
        /// Brokers that speak the Kafka API, host:port separated by commas. Default: CT_OPS_QUEUE_BROKERS.
        #[arg(long)]
        brokers: Option<String>,
    },
    /// Look at settings, disk, database, clock, ports and certificates, and say what is wrong.
    Doctor,
    /// Look at the settings.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Work on the running installation from the server's own machine.
    Admin {
        #[command(subcommand)]
        command: admin::AdminCommand,
    },
    /// Make, sign, publish and withdraw releases of the agent.
    Release {
        #[command(subcommand)]
        command: release::ReleaseCommand,
    },
    /// Check that the audit log, or a file exported from it, is as it was written.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Print the web API's OpenAPI document.
    Openapi,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check the environment and name every mistake.
    Check,
    /// Print every setting with where it came from; secrets are masked.
    Print,
    /// Print the settings reference (Markdown).
    Reference,
    /// Print an example environment file.
    Example,
}

impl Command {
    /// What the command runs as a process of the server.
    fn role(&self) -> Option<ServerRole> {
        match self {
            Self::Serve => Some(ServerRole::All),
            Self::Web => Some(ServerRole::Web),
            Self::Ingest => Some(ServerRole::Ingest),
            Self::Consume { group } => Some(ServerRole::Consume(*group)),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        Command::Openapi => return print(&composition::api_document()),
        Command::Config { command: ConfigCommand::Reference } => return print(&REGISTRY.reference("ct-ops")),
        Command::Config { command: ConfigCommand::Example } => return print(&REGISTRY.example()),
        Command::Release { command } if command.is_offline() => return report(release::run_offline(command)),
        Command::Audit { command } if command.is_offline() => return report(audit::run_offline(command)),
        _ => {}
    }
    let settings = match Settings::load(std::env::vars()) {
        Ok(settings) => settings,
        Err(mistakes) => return refuse(&mistakes),
    };
    if let Some(role) = cli.command.role() {
        return match role.check(&settings) {
            Ok(()) => report(serve::run(settings, role)),
            Err(mistakes) => refuse(&mistakes),
        };
    }
    if let Command::Config { command } = &cli.command {
        return match command {
            ConfigCommand::Print => print(&settings.values.print().join("\n")),
            _ => print("the settings are in order"),
        };
    }
    let result = match cli.command {
        Command::Doctor => doctor::run(&settings),
        Command::Migrate { check } => admin::migrate(&settings, check),
        Command::MigrateProfile { to, brokers } => admin::migrate_queue(&settings, to, brokers.as_deref()),
        Command::Admin { command } => admin::run(&settings, command),
        Command::Release { command } => release::run(&settings, command),
        Command::Audit { command } => audit::run(&settings, &command),
        _ => Ok(()),
    };
    report(result)
}

/// All mistakes, one line each.
fn refuse(mistakes: &[Mistake]) -> ExitCode {
    for mistake in mistakes {
        eprintln!("ct-ops: {mistake}");
    }
    ExitCode::from(EXIT_SETTINGS)
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ct-ops: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
