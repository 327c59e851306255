//! Command line in the syntax of Go's `flag` package, which existing installations and scripts use (wire contract
//! 11.1): one or two dashes, `-flag value` or `-flag=value`; switches take a value only after `=`.

use std::path::PathBuf;

use crate::settings::Secret;

/// What the program prints for `-help` and after a mistake.
pub const USAGE: &str = "\
Usage of ct-ops-agent:
  -config file       configuration file (default /etc/ct-ops/agent.toml)
  -token text        enrolment token
  -address host:port address of the server
  -ca-cert file      certificates to trust instead of the system's
  -tag key=value     tag of this host, may be repeated; key:value works as well
  -tls-skip-verify   do not verify the server (insecure)
  -install           install as a systemd service and start it
  -uninstall         stop the service and remove everything
  -version, -v       print the version
";

/// Where the configuration is read when `-config` is not given.
pub const DEFAULT_CONFIG: &str = "/etc/ct-ops/agent.toml";

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off; `-flag` alone means on.
    Switch,
    /// Needs a value.
    Value,
}

/// A mistake on the command line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FlagError {
    /// `-h` or `-help`: not a mistake, the usage is wanted.
    #[error("help requested")]
    Help,
    /// No such flag.
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    /// Something like `---x` or `-=x`.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// The value is missing.
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    /// A switch or number with a value it cannot have.
    #[error("invalid value {1:?} for flag -{0}")]
    BadValue(String, String),
    /// Text where a flag was expected; ignoring it would ignore all flags behind it too.
    #[error("unexpected argument: {0:?}")]
    Unexpected(String),
}

/// Splits `arguments` into the flags of `known`, in the order given. Switches get the value `true` or `false`.
///
/// # Errors
/// For the first argument that does not fit the syntax.
pub fn split<'k>(
    arguments: &[String],
    known: &'k [(&'k str, Kind)],
) -> Result<Vec<(&'k str, String)>, FlagError> {
    let mut found = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(body) = argument.strip_prefix('-').filter(|body| !body.is_empty()) else {
            return Err(FlagError::Unexpected(argument.clone()));
        };
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.is_empty() {
            // "--" ends the flags.
            return rest.next().map_or(Ok(found), |extra| Err(FlagError::Unexpected(extra.clone())));
        }
        if body.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(argument.clone()));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some((name, kind)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(if matches!(name, "h" | "help") {
                FlagError::Help
            } else {
                FlagError::Unknown(name.to_owned())
            });
        };
        let value = match (kind, inline) {
            (Kind::Switch, None) => "true".to_owned(),
            (Kind::Switch, Some(text)) => {
                parse_bool(&text).ok_or_else(|| FlagError::BadValue((*name).to_owned(), text))?.to_string()
            }
            (Kind::Value, Some(text)) => text,
            (Kind::Value, None) => {
                rest.next().cloned().ok_or_else(|| FlagError::NoValue((*name).to_owned()))?
            }
        };
        found.push((*name, value));
    }
    Ok(found)
}

/// The spellings of Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The flags of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Configuration file.
    pub config: PathBuf,
    /// Install as a service and end.
    pub install: bool,
    /// Remove the service and end.
    pub uninstall: bool,
    /// Print the version and end.
    pub version: bool,
    /// Enrolment token.
    pub token: Option<Secret>,
    /// Address of the server.
    pub address: Option<String>,
    /// Certificates to trust instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Tags in the order given, unparsed.
    pub tags: Vec<String>,
    /// Server verification off; `None` leaves it to the configuration.
    pub tls_skip_verify: Option<bool>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            config: PathBuf::from(DEFAULT_CONFIG),
            install: false,
            uninstall: false,
            version: false,
            token: None,
            address: None,
            ca_cert: None,
            tags: Vec::new(),
            tls_skip_verify: None,
        }
    }
}

impl Flags {
    /// Reads the command line; a flag given twice has the last value, except `-tag`.
    ///
    /// # Errors
    /// For the first argument that does not fit the syntax.
    pub fn parse(arguments: &[String]) -> Result<Self, FlagError> {
        const KNOWN: &[(&str, Kind)] = &[
            ("config", Kind::Value),
            ("install", Kind::Switch),
            ("uninstall", Kind::Switch),
            ("version", Kind::Switch),
            ("v", Kind::Switch),
            ("token", Kind::Value),
            ("address", Kind::Value),
            ("ca-cert", Kind::Value),
            ("tag", Kind::Value),
            ("tls-skip-verify", Kind::Switch),
        ];
        let mut flags = Self::default();
        for (name, value) in split(arguments, KNOWN)? {
            let on = value == "true";
            match name {
                "config" => flags.config = PathBuf::from(value),
                "install" => flags.install = on,
                "uninstall" => flags.uninstall = on,
                "version" | "v" => flags.version = on,
                "token" => flags.token = Some(Secret::new(&value)),
                "address" => flags.address = Some(value),
                "ca-cert" => flags.ca_cert = Some(PathBuf::from(value)),
                "tag" => flags.tags.push(value),
                _ => flags.tls_skip_verify = Some(on),
            }
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Flags, FlagError> {
        Flags::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    /// Spec: agents-enrolment 23
    #[test]
    fn every_flag_when_written_in_each_form_then_is_understood() {
        for line in [
            "-config /c -token t -address h:1 -ca-cert /ca -tag a=b -tag c:d -tls-skip-verify",
            "--config /c --token t --address h:1 --ca-cert /ca --tag a=b --tag c:d --tls-skip-verify",
            "-config=/c -token=t -address=h:1 -ca-cert=/ca -tag=a=b --tag=c:d --tls-skip-verify=T --",
        ] {
            let flags = parse(line).unwrap();
            assert_eq!(flags.config, PathBuf::from("/c"), "{line}");
            assert_eq!(flags.token, Some(Secret::new("t")));
            assert_eq!(flags.address.as_deref(), Some("h:1"));
            assert_eq!(flags.ca_cert, Some(PathBuf::from("/ca")));
            assert_eq!(flags.tags, ["a=b", "c:d"]);
            assert_eq!(flags.tls_skip_verify, Some(true));
        }
        assert!(parse("-install").unwrap().install);
        assert!(parse("--uninstall").unwrap().uninstall);
        assert!(parse("-v").unwrap().version && parse("-version=1").unwrap().version);
        assert_eq!(parse("").unwrap(), Flags::default());
        assert_eq!(parse("-tls-skip-verify=false").unwrap().tls_skip_verify, Some(false));
        assert_eq!(parse("-token a -token b").unwrap().token, Some(Secret::new("b")), "the last one counts");
        assert_eq!(
            parse("-token -v").unwrap().token,
            Some(Secret::new("-v")),
            "a value may look like a flag"
        );
    }

    /// Spec: agents-enrolment 23
    #[test]
    fn mistake_on_the_command_line_when_parsed_then_is_named() {
        let text = |line| parse(line).unwrap_err().to_string();
        assert_eq!(text("-nope"), "flag provided but not defined: -nope");
        assert_eq!(text("---config x"), "bad flag syntax: ---config");
        assert_eq!(text("-=x"), "bad flag syntax: -=x");
        assert_eq!(text("-token"), "flag needs an argument: -token");
        assert_eq!(text("-install=maybe"), "invalid value \"maybe\" for flag -install");
        assert_eq!(text("-tls-skip-verify false"), "unexpected argument: \"false\"");
        assert_eq!(text("- -v"), "unexpected argument: \"-\"");
        assert_eq!(text("-- -v"), "unexpected argument: \"-v\"");
        assert_eq!(parse("-help"), Err(FlagError::Help));
        assert_eq!(parse("--h"), Err(FlagError::Help));
    }

    #[test]
    fn token_when_flags_are_printed_then_stays_hidden() {
        assert!(!format!("{:?}", parse("-token tok_secret").unwrap()).contains("tok_secret"));
    }

    proptest! {
        #[test]
        fn any_command_line_is_read_without_panic(arguments: Vec<String>) {
            let _ = Flags::parse(&arguments);
        }
    }
}
