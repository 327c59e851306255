//! What one process of the installation does: everything, or one role of it.

use anyhow::{Result, bail};

use crate::queue;
use crate::settings::Settings;

/// The part of the server that a process runs. Several processes of every role may run at once, except that the
/// embedded database and the embedded queue have one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// Web, ingest and all consumers: `ct-ops serve`.
    All,
    /// The API, the UI and the documentation.
    Web,
    /// The edge where agents arrive.
    Ingest,
    /// The consumers of one group.
    Consume(ConsumerGroup),
}

/// A group of consumers (deployment 1). Its name is the group's name in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ConsumerGroup {
    /// Reports of agents into samples and vitals.
    Metrics,
    /// Alerts that wait for delivery.
    Alerts,
    /// What happens to agents and what they deliver.
    Events,
}

impl ConsumerGroup {
    /// Name of the group in the queue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Alerts => "alerts",
            Self::Events => "events",
        }
    }
}

impl ServerRole {
    /// Name for logs, metrics and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "serve",
            Self::Web => "web",
            Self::Ingest => "ingest",
            Self::Consume(ConsumerGroup::Metrics) => "consume metrics",
            Self::Consume(ConsumerGroup::Alerts) => "consume alerts",
            Self::Consume(ConsumerGroup::Events) => "consume events",
        }
    }

    /// Whether this process serves browsers.
    pub fn serves_web(self) -> bool {
        matches!(self, Self::All | Self::Web)
    }

    /// Whether this process accepts agents.
    pub fn accepts_agents(self) -> bool {
        matches!(self, Self::All | Self::Ingest)
    }

    /// Whether this process runs the consumers of `group`.
    pub fn consumes(self, group: &str) -> bool {
        match self {
            Self::All => true,
            Self::Consume(own) => own.name() == group,
            Self::Web | Self::Ingest => false,
        }
    }

    /// Whether this process publishes to the queue or reads from it.
    pub fn needs_queue(self) -> bool {
        self != Self::Web
    }

    /// Refuses what cannot work with these settings, before anything is touched.
    ///
    /// # Errors
    /// A sentence that says what to set.
    pub fn check(self, settings: &Settings) -> Result<()> {
        if self == Self::All {
            return Ok(());
        }
        let command = format!("`ct-ops {}`", self.name());
        if settings.database_url.is_none() {
            bail!(
                "{command} needs a database that all processes share: set DATABASE_URL; without it, only `ct-ops serve` can \
                 run, which brings the embedded one"
            );
        }
        if self.needs_queue() && !queue::is_shared(settings) {
            bail!(
                "{command} needs a queue that all processes share: set CT_OPS_QUEUE_BROKERS; the embedded queue belongs to \
                 one process, so without brokers run `ct-ops serve` instead"
            );
        }
        if settings.install_secret.is_none() && !settings.state_dir.join("install.key").is_file() {
            bail!(
                "{command} needs the installation's secret to read the keys in the database: set BETTER_AUTH_SECRET to the \
                 same value for all processes, or share install.key in CT_OPS_STATE_DIR"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SEPARATE: [ServerRole; 5] = [
        ServerRole::Web,
        ServerRole::Ingest,
        ServerRole::Consume(ConsumerGroup::Metrics),
        ServerRole::Consume(ConsumerGroup::Alerts),
        ServerRole::Consume(ConsumerGroup::Events),
    ];

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(pairs).unwrap()
    }

    #[test]
    fn role_when_the_embedded_database_would_be_used_then_is_refused_except_for_serve() {
        assert!(ServerRole::All.check(&settings(&[])).is_ok());
        for role in SEPARATE {
            let refusal = role.check(&settings(&[])).unwrap_err().to_string();
            assert!(refusal.contains(role.name()) && refusal.contains("DATABASE_URL"), "{refusal}");
        }
    }

    #[test]
    fn role_when_the_queue_is_embedded_then_only_web_may_run_beside_serve() {
        let secret = "0123456789abcdef0123456789abcdef";
        let shared = [("DATABASE_URL", "postgres://db/ctops"), ("BETTER_AUTH_SECRET", secret)];
        for role in SEPARATE {
            let outcome = role.check(&settings(&shared)).map_err(|refusal| refusal.to_string());
            assert_eq!(outcome.is_ok(), role == ServerRole::Web, "{outcome:?}");
            assert!(outcome.err().is_none_or(|refusal| refusal.contains("CT_OPS_QUEUE_BROKERS")));
        }
    }

    #[test]
    fn role_when_there_is_no_install_secret_then_is_refused_instead_of_making_another() {
        let dir = tempfile::tempdir().unwrap();
        let pairs =
            [("DATABASE_URL", "postgres://db/ctops"), ("CT_OPS_STATE_DIR", dir.path().to_str().unwrap())];
        let refusal = ServerRole::Web.check(&settings(&pairs)).unwrap_err().to_string();
        assert!(refusal.contains("BETTER_AUTH_SECRET"), "{refusal}");
        std::fs::write(dir.path().join("install.key"), "key").unwrap();
        assert!(ServerRole::Web.check(&settings(&pairs)).is_ok());
    }
}
