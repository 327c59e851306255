//! Command line, in the syntax of the agent and of the original load tester.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ctops_agent::flags::{FlagError, Kind, split};
use ctops_agent::settings::Secret;
use ctops_base::{Clock, id};

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
  -stats-interval duration      between lines about the progress (default 10s)
  -ledger file                  write a line `hostname sequence` for every acknowledged heartbeat
  -output-json file             write the summary there too";

/// Shorter ones would measure the load tester.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Addresses of one block of 127.0.0.0/8 that are used: .1 to .250 of each /24.
const PER_BLOCK: usize = 250;

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
        const VALUES: [&str; 15] = [
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
            "stats-interval",
            "ledger",
            "output-json",
        ];
        let mut known: Vec<(&str, Kind)> = VALUES.map(|name| (name, Kind::Value)).to_vec();
        known.push(("tls-skip-verify", Kind::Switch));
        let mut options = Self::standard();
        for (name, value) in split(arguments, &known)? {
            let wrong = || FlagError::BadValue(name.to_owned(), value.clone());
            let number = |least: usize| value.parse().ok().filter(|n| *n >= least).ok_or_else(wrong);
            let time = || parse_duration(&value).ok_or_else(wrong);
            match name {
                "address" => options.address.clone_from(&value),
                "token" => options.token = Secret::new(&value),
                "ca-cert" => options.ca_cert = Some(PathBuf::from(&value)),
                "agents" => options.agents = number(1)?,
                "ramp" => options.ramp = time()?,
                "duration" => options.duration = time()?,
                "heartbeat-interval" if time()? < SHORTEST_INTERVAL => return Err(wrong()),
                "heartbeat-interval" => options.heartbeat_interval = time()?,
                "run-id" => options.run_id.clone_from(&value),
                "hostname-prefix" => options.hostname_prefix.clone_from(&value),
                "registration-concurrency" => options.registration_concurrency = number(1)?,
                "source-addresses" => options.source_addresses = number(0)?,
                "max-backoff" => options.max_backoff = time()?,
                "stats-interval" => options.stats_interval = time()?,
                "ledger" => options.ledger = Some(PathBuf::from(&value)),
                "output-json" => options.output_json = Some(PathBuf::from(&value)),
                _ => options.tls_skip_verify = value == "true",
            }
        }
        for (name, given) in [("address", &options.address[..]), ("token", options.token.expose())] {
            if given.is_empty() {
                return Err(FlagError::NoValue(name.to_owned()));
            }
        }
        Ok(options)
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
            stats_interval: Duration::from_secs(10),
            ledger: None,
            output_json: None,
        }
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

/// A duration as Go writes it: `300ms`, `1.5s`, `1h30m`, `0`.
fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let value: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(value * seconds).ok()?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(line: &str) -> Result<Options, FlagError> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn duration_when_written_as_in_go_then_is_understood() {
        let cases =
            [("0", 0), ("200ms", 200), ("1.5s", 1500), ("1m30s", 90_000), ("2h", 7_200_000), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "5", "s", "1x", "-1s", "1.2.3s", "1s ", "99999999999999999999h"] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
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
