//! Command line of `cleanup`.

use std::path::PathBuf;
use std::time::Duration;

use ctops_agent::flags::{FlagError, Kind, split};
use ctops_agent::settings::Secret;

use super::{parse_duration, put};

/// Where the key is read when `-admin-key` is not given, which would show it in the list of processes.
const KEY_VARIABLE: &str = "CT_OPS_LOADTEST_ADMIN_KEY";

/// Which hosts to delete, and where.
#[derive(Clone, Debug)]
pub struct CleanupOptions {
    /// Address of the web server, `https://host:port`.
    pub web_url: String,
    /// Key of the endpoint.
    pub admin_key: Secret,
    /// Start of the host names.
    pub hostname_prefix: String,
    /// The run whose hosts are deleted.
    pub run_id: String,
    /// Certificates to trust instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Server verification off.
    pub tls_skip_verify: bool,
    /// For the whole call.
    pub timeout: Duration,
}

impl CleanupOptions {
    /// Reads the command line behind `cleanup`.
    ///
    /// # Errors
    /// For flags that are unknown, incomplete or missing.
    pub fn parse(arguments: &[String]) -> Result<Self, FlagError> {
        const VALUES: [&str; 6] = ["web-url", "admin-key", "run-id", "hostname-prefix", "ca-cert", "timeout"];
        let mut known: Vec<(&str, Kind)> = VALUES.map(|name| (name, Kind::Value)).to_vec();
        known.push(("tls-skip-verify", Kind::Switch));
        let mut options = Self {
            web_url: String::new(),
            admin_key: Secret::new(&std::env::var(KEY_VARIABLE).unwrap_or_default()),
            hostname_prefix: "loadtest".to_owned(),
            run_id: String::new(),
            ca_cert: None,
            tls_skip_verify: false,
            timeout: Duration::from_secs(300),
        };
        for (name, value) in split(arguments, &known)? {
            match name {
                "web-url" => options.web_url = value.trim_end_matches('/').to_owned(),
                "admin-key" => options.admin_key = Secret::new(&value),
                "run-id" => options.run_id = value,
                "hostname-prefix" => options.hostname_prefix = value,
                "ca-cert" => options.ca_cert = Some(PathBuf::from(value)),
                "timeout" => {
                    if !put(&mut options.timeout, parse_duration(&value)) {
                        return Err(FlagError::BadValue(name.to_owned(), value));
                    }
                }
                _ => options.tls_skip_verify = value == "true",
            }
        }
        let needed = [
            ("web-url", &options.web_url[..]),
            ("admin-key", options.admin_key.expose()),
            ("run-id", &options.run_id),
        ];
        match needed.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(FlagError::NoValue((*name).to_owned())),
            None => Ok(options),
        }
    }

    /// What the names of the run's hosts begin with. The end is part of it, so that run `a` does not take the hosts of
    /// run `a2` with it.
    pub fn prefix(&self) -> String {
        format!("{}-{}-", self.hostname_prefix, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn command_line_when_complete_then_names_the_hosts_of_one_run() {
        let parse = |line: &str| {
            CleanupOptions::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        let options = parse("-web-url https://h:1/ -admin-key k -run-id a -timeout 1m").unwrap();
        assert_eq!((options.web_url.as_str(), options.prefix().as_str()), ("https://h:1", "loadtest-a-"));
        assert_eq!(options.timeout, Duration::from_secs(60));
        assert!(!format!("{options:?}").contains("\"k\""), "the key stays out of logs");
        for bad in
            ["", "-web-url u -run-id a -admin-key", "-admin-key k -run-id a", "-web-url u -admin-key k"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("-web-url u -admin-key k -run-id a -timeout soon").is_err());
    }
}
