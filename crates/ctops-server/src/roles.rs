//! What one process of the installation does: everything, or one role of it.

use ctops_config::Mistake;

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

    /// Whether this role can work with these settings, before anything is touched.
    ///
    /// # Errors
    /// Everything that is missing, at once.
    pub fn check(self, settings: &Settings) -> Result<(), Vec<Mistake>> {
        if self == Self::All {
            return Ok(());
        }
        let command = format!("`ct-ops {}`", self.name());
        let mut mistakes = Vec::new();
        let mut needed =
            |env: &str, why: String| mistakes.push(Mistake { env: env.to_owned(), message: why });
        if settings.database_url.is_none() {
            needed(
                "DATABASE_URL",
                format!(
                    "{command} needs a database that all processes share; without one only `ct-ops serve` can run, which \
                     brings its own"
                ),
            );
        }
        if self.needs_queue() && !queue::is_shared(settings) {
            needed(
                "CT_OPS_QUEUE_BROKERS",
                format!(
                    "{command} needs a queue that all processes share; the embedded queue belongs to one process, so \
                     without brokers run `ct-ops serve` instead"
                ),
            );
        }
        if settings.install_secret.is_none() && !settings.state_dir.join("install.key").is_file() {
            needed(
                "BETTER_AUTH_SECRET",
                format!(
                    "{command} needs the secret that the keys in the database are sealed with, the same for all \
                     processes; or share the file install.key in CT_OPS_STATE_DIR"
                ),
            );
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
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

    /// Names of the settings that a role misses.
    fn missing(role: ServerRole, pairs: &[(&str, &str)]) -> Vec<String> {
        let named = |mistake: Mistake| {
            assert!(mistake.message.contains(role.name()), "{mistake}");
            mistake.env
        };
        role.check(&settings(pairs)).err().into_iter().flatten().map(named).collect()
    }

    #[test]
    fn role_when_everything_is_embedded_then_only_serve_can_run_and_the_others_say_all_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let pairs = [("CT_OPS_STATE_DIR", dir.path().to_str().unwrap())];
        assert!(ServerRole::All.check(&settings(&pairs)).is_ok());
        assert_eq!(missing(ServerRole::Web, &pairs), ["DATABASE_URL", "BETTER_AUTH_SECRET"]);
        for role in SEPARATE.into_iter().filter(|role| *role != ServerRole::Web) {
            assert_eq!(missing(role, &pairs), ["DATABASE_URL", "CT_OPS_QUEUE_BROKERS", "BETTER_AUTH_SECRET"]);
        }
        std::fs::write(dir.path().join("install.key"), "key").unwrap();
        assert_eq!(missing(ServerRole::Web, &pairs), ["DATABASE_URL"]);
    }

    #[test]
    fn role_when_the_queue_is_embedded_then_only_web_may_run_beside_serve() {
        let secret = "0123456789abcdef0123456789abcdef";
        let shared = [("DATABASE_URL", "postgres://db/ctops"), ("BETTER_AUTH_SECRET", secret)];
        assert!(missing(ServerRole::Web, &shared).is_empty());
        for role in SEPARATE.into_iter().filter(|role| *role != ServerRole::Web) {
            assert_eq!(missing(role, &shared), ["CT_OPS_QUEUE_BROKERS"]);
        }
    }
}
