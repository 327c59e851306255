//! Command line, in the syntax of the agent and of the original load tester.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ctops_agent::flags::{FlagError, Kind, split};
use ctops_agent::settings::Secret;
use ctops_base::{Clock, id};

mod cleanup;
mod duration;
mod limits;

pub use cleanup::CleanupOptions;
use duration::parse_duration;
pub use limits::Limits;

/// What the program prints for `-help` and after a mistake.
pub const USAGE: &str = "\
Usage of ct-ops-loadtest run:
  -address host:port            address of the server (required)
  -token text                   enrolment token: auto-approve, enough uses (required)
  -ca-cert file                 certificates to trust instead of the system's
  -tls-skip-verify              do not verify the server
  -agents n                     how many agents (default 100)
  -ramp duration                time over which they start (default 30s)
  -duration duration            length of the run from its start, 0 until a signal (default 5m)
  -heartbeat-interval duration  between heartbeats of one agent, from 10ms (default 30s)
  -run-id text                  part of every host name (default from the time)
  -hostname-prefix text         start of every host name (default loadtest)
  -registration-concurrency n   registrations at a time (default 32)
  -source-addresses n           spread the agents over n addresses from 127.0.1.1 on (default 0: any)
  -max-backoff duration         longest delay before a reconnect (default 60s)
  -conn-fanout n                registrations that share a connection (default 1); streams never do, because the
                                certificate of a connection says which agent it is
  -preflight                    register one agent first and end if that fails (default true)
  -simulate-checks              answer checks (default true)
  -simulate-tasks               do tasks (default true)
  -simulate-inventory           send packages for software inventory tasks (default true)
  -simulate-terminal            accepted, without effect: no server of this version opens terminals (default true)
  -check-failure-rate share     share of check results that fail (default 0.05)
  -metrics-jitter share         how much the vitals vary (default 0.1)
  -stats-interval duration      between lines about the progress (default 10s)
  -ledger file                  write a line `hostname sequence` for every acknowledged heartbeat
  -output-json file             write the summary there too
Limits; one that is exceeded makes the exit code 3:
  -fail-active-below percent    share of agents that became active
  -fail-ack-p99 duration        99 of 100 acknowledgements take at most this long
  -fail-unacknowledged n        heartbeats sent and never acknowledged
  -fail-reconnects n            streams that had to be opened again
  -fail-errors n                errors of any kind
Usage of ct-ops-loadtest cleanup (deletes the hosts of a run):
  -web-url url                  address of the web server (required)
  -admin-key text               value of CT_OPS_LOADTEST_ADMIN_KEY there (required, or in that environment variable)
  -run-id text                  the run (required)
  -hostname-prefix text         start of every host name (default loadtest)
  -ca-cert file                 certificates to trust instead of the system's
  -tls-skip-verify              do not verify the server
  -timeout duration             for the whole call (default 5m)";

/// Shorter ones would measure the load tester.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Addresses of one block of 127.0.0.0/8 that are used: .1 to .250 of each /24.
const PER_BLOCK: usize = 250;

/// Flags with a value.
const VALUES: [&str; 23] = [
    "address",
    "token",
    "ca-cert",
    "agents",
    "ramp",
    "duration",
    "heartbeat-interval",
    "run-id",
    "hostname-prefix",
    "registration-concurrency",
    "source-addresses",
    "max-backoff",
    "conn-fanout",
    "check-failure-rate",
    "metrics-jitter",
    "stats-interval",
    "ledger",
    "output-json",
    "fail-active-below",
    "fail-ack-p99",
    "fail-unacknowledged",
    "fail-reconnects",
    "fail-errors",
];
/// Flags that are on or off.
const SWITCHES: [&str; 6] = [
    "tls-skip-verify",
    "preflight",
    "simulate-checks",
    "simulate-tasks",
    "simulate-inventory",
    "simulate-terminal",
];

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` of the server.
    pub address: String,
    /// Enrolment token.
    pub token: Secret,
    /// Certificates to trust instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Server verification off.
    pub tls_skip_verify: bool,
    /// How many agents.
    pub agents: usize,
    /// Time over which they start.
    pub ramp: Duration,
    /// Length of the run from its start; zero until a signal.
    pub duration: Duration,
    /// Between heartbeats of one agent.
    pub heartbeat_interval: Duration,
    /// Part of every host name.
    pub run_id: String,
    /// Start of every host name.
    pub hostname_prefix: String,
    /// Registrations at a time.
    pub registration_concurrency: usize,
    /// How many local addresses to use; zero leaves the choice to the system.
    pub source_addresses: usize,
    /// Longest delay before a reconnect.
    pub max_backoff: Duration,
    /// Registrations that share a connection.
    pub conn_fanout: usize,
    /// Whether one agent registers before the others start.
    pub preflight: bool,
    /// Whether checks are answered.
    pub simulate_checks: bool,
    /// Whether tasks are done.
    pub simulate_tasks: bool,
    /// Whether software inventory tasks send packages.
    pub simulate_inventory: bool,
    /// Share of check results that fail, 0 to 1.
    pub check_failure_rate: f64,
    /// How much the vitals vary, 0 to 1.
    pub metrics_jitter: f64,
    /// What makes the run a failure.
    pub limits: Limits,
    /// Between lines about the progress.
    pub stats_interval: Duration,
    /// Where acknowledged heartbeats are written.
    pub ledger: Option<PathBuf>,
    /// Where the summary is written.
    pub output_json: Option<PathBuf>,
}

impl Options {
    /// Reads the command line behind `run`.
    ///
    /// # Errors
    /// For flags that are unknown, incomplete, out of range or missing.
    pub fn parse(arguments: &[String]) -> Result<Self, FlagError> {
        let mut known: Vec<(&str, Kind)> = VALUES.map(|name| (name, Kind::Value)).to_vec();
        known.extend(SWITCHES.map(|name| (name, Kind::Switch)));
        let mut options = Self::standard();
        for (name, value) in split(arguments, &known)? {
            let taken = options.take(name, &value) || options.limits.take(name, &value);
            if !taken {
                return Err(FlagError::BadValue(name.to_owned(), value));
            }
        }
        for (name, given) in [("address", &options.address[..]), ("token", options.token.expose())] {
            if given.is_empty() {
                return Err(FlagError::NoValue(name.to_owned()));
            }
        }
        Ok(options)
    }

    /// Takes the value of one flag in; false when it cannot be that or is none of these flags.
    fn take(&mut self, name: &str, value: &str) -> bool {
        let number = |least: usize| value.parse().ok().filter(|n| *n >= least);
        let time = || parse_duration(value);
        let share = || value.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
        let text = || Some(value.to_owned());
        let file = || Some(Some(PathBuf::from(value)));
        let switch = || Some(value == "true");
        match name {
            "address" => put(&mut self.address, text()),
            "token" => put(&mut self.token, Some(Secret::new(value))),
            "ca-cert" => put(&mut self.ca_cert, file()),
            "tls-skip-verify" => put(&mut self.tls_skip_verify, switch()),
            "agents" => put(&mut self.agents, number(1)),
            "ramp" => put(&mut self.ramp, time()),
            "duration" => put(&mut self.duration, time()),
            "heartbeat-interval" => {
                put(&mut self.heartbeat_interval, time().filter(|time| *time >= SHORTEST_INTERVAL))
            }
            "run-id" => put(&mut self.run_id, text()),
            "hostname-prefix" => put(&mut self.hostname_prefix, text()),
            "registration-concurrency" => put(&mut self.registration_concurrency, number(1)),
            "source-addresses" => put(&mut self.source_addresses, number(0)),
            "max-backoff" => put(&mut self.max_backoff, time()),
            "conn-fanout" => put(&mut self.conn_fanout, number(1)),
            "preflight" => put(&mut self.preflight, switch()),
            "simulate-checks" => put(&mut self.simulate_checks, switch()),
            "simulate-tasks" => put(&mut self.simulate_tasks, switch()),
            "simulate-inventory" => put(&mut self.simulate_inventory, switch()),
            "simulate-terminal" => true,
            "check-failure-rate" => put(&mut self.check_failure_rate, share()),
            "metrics-jitter" => put(&mut self.metrics_jitter, share()),
            "stats-interval" => put(&mut self.stats_interval, time()),
            "ledger" => put(&mut self.ledger, file()),
            "output-json" => put(&mut self.output_json, file()),
            _ => false,
        }
    }

    fn standard() -> Self {
        let random: String = id::new_id().simple().to_string().chars().rev().take(8).collect();
        Self {
            address: String::new(),
            token: Secret::default(),
            ca_cert: None,
            tls_skip_verify: false,
            agents: 100,
            ramp: Duration::from_secs(30),
            duration: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(30),
            run_id: format!("lt-{}-{random}", Clock::system().now().format("%y%m%d-%H%M%S")),
            hostname_prefix: "loadtest".to_owned(),
            registration_concurrency: 32,
            source_addresses: 0,
            max_backoff: Duration::from_secs(60),
            conn_fanout: 1,
            preflight: true,
            simulate_checks: true,
            simulate_tasks: true,
            simulate_inventory: true,
            check_failure_rate: 0.05,
            metrics_jitter: 0.1,
            limits: Limits::default(),
            stats_interval: Duration::from_secs(10),
            ledger: None,
            output_json: None,
        }
    }

    /// Host name of the agent that tries token and server before the others start.
    pub fn preflight_hostname(&self) -> String {
        format!("{}-{}-preflight", self.hostname_prefix, self.run_id)
    }

    /// Host name of agent number `index`.
    pub fn hostname(&self, index: usize) -> String {
        format!("{}-{}-{index:04}", self.hostname_prefix, self.run_id)
    }

    /// How far in the past the reports' clock starts, in seconds. It counts whole seconds and has to differ between
    /// the reports of one host, or the server takes two for one; so a fleet that reports more often than once in a
    /// second starts early enough not to overtake the present. Servers accept a day.
    pub fn clock_lead(&self) -> i64 {
        const LONGEST: f64 = 80_000.0;
        const MARGIN: f64 = 10.0;
        if self.heartbeat_interval >= Duration::from_secs(1) {
            return 0;
        }
        let length = self.duration.as_secs_f64();
        let reports = length / self.heartbeat_interval.as_secs_f64();
        let lead = if self.duration.is_zero() { LONGEST } else { (reports - length + MARGIN).min(LONGEST) };
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        let lead = lead as i64;
        lead
    }

    /// Local address of agent number `index`. The server limits registrations per source address and token, so a
    /// large fleet needs many; all of 127.0.0.0/8 is this machine.
    pub fn source(&self, index: usize) -> Option<IpAddr> {
        let position = index.checked_rem(self.source_addresses)?;
        let block = u8::try_from(1 + position / PER_BLOCK).unwrap_or(u8::MAX);
        let last = u8::try_from(1 + position % PER_BLOCK).unwrap_or(u8::MAX);
        Some(IpAddr::V4(Ipv4Addr::new(127, 0, block, last)))
    }
}

/// Sets `place` if there is a value; whether there was one.
fn put<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(line: &str) -> Result<Options, FlagError> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn command_line_when_complete_then_fills_the_options() {
        let options =
            parse("-address h:1 -token t -agents=3 -heartbeat-interval 200ms -duration 0 -run-id r").unwrap();
        assert_eq!((options.agents, options.heartbeat_interval), (3, Duration::from_millis(200)));
        assert_eq!(options.duration, Duration::ZERO);
        assert_eq!(options.hostname(7), "loadtest-r-0007");
        assert!(parse("-address h:1 -token t").unwrap().run_id.starts_with("lt-"));
    }

    #[test]
    fn command_line_when_incomplete_or_out_of_range_then_is_refused() {
        for bad in [
            "",
            "-address h:1",
            "-token t",
            "-address h:1 -token t -agents 0",
            "-address h:1 -token t -ramp soon",
            "-address h:1 -token t -heartbeat-interval 9ms",
            "-address h:1 -token t -cleanup",
            "-address h:1 -token t -conn-fanout 0",
            "-address h:1 -token t -check-failure-rate 1.1",
            "-address h:1 -token t -metrics-jitter NaN",
            "-address h:1 -token t -fail-active-below 101",
            "-address h:1 -token t -fail-errors many",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn clock_when_reports_come_more_often_than_seconds_then_starts_in_the_past() {
        let lead = |line: &str| parse(&format!("-address h:1 -token t {line}")).unwrap().clock_lead();
        assert_eq!(lead("-heartbeat-interval 1s"), 0);
        assert_eq!(
            lead("-heartbeat-interval 200ms -duration 100s"),
            410,
            "500 reports in 100 s, and ten more"
        );
        assert_eq!(lead("-heartbeat-interval 200ms -duration 0"), 80_000);
        assert_eq!(lead("-heartbeat-interval 10ms -duration 10h"), 80_000);
    }

    #[test]
    fn source_addresses_when_spread_then_are_all_different_and_local() {
        let options = parse("-address h:1 -token t -source-addresses 600").unwrap();
        let used: std::collections::BTreeSet<_> =
            (0..1200).map(|index| options.source(index).unwrap()).collect();
        assert_eq!(used.len(), 600);
        assert!(used.iter().all(IpAddr::is_loopback));
        assert_eq!(options.source(0), options.source(600));
        assert_eq!(parse("-address h:1 -token t").unwrap().source(5), None);
    }
}
