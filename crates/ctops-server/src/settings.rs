//! The settings of `ct-ops`: the registry, and the checked values in the shape the program uses.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ctops_config::{Kind, Mistake, Registry, Secret, Setting, Values};
use ctops_telemetry::LogFormat;

const fn setting(
    env: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { env, aliases: &[], kind, default, secret: false, since: "0.1.0", about }
}

const fn secret(env: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { env, aliases: &[], kind, default: None, secret: true, since: "0.1.0", about }
}

/// Everything `ct-ops` understands.
pub const REGISTRY: Registry = Registry {
    settings: &[
        setting(
            "CT_OPS_STATE_DIR",
            Kind::Path,
            Some("/var/lib/ct-ops/server"),
            "Directory for everything the server keeps: the embedded database, the queue, keys and certificates. Back it up.",
        ),
        secret(
            "DATABASE_URL",
            Kind::Text,
            "PostgreSQL 15 or newer to use, as a connection URL. Unset: the server runs a private PostgreSQL of its own in the state directory.",
        ),
        setting(
            "CT_OPS_DATABASE_CONNECTIONS",
            Kind::Integer(4, 200),
            Some("20"),
            "Most connections to the database this process opens. Raise it together with the database's own limit when many people use the UI at once.",
        ),
        setting(
            "CT_OPS_POSTGRES_BIN_DIR",
            Kind::Path,
            None,
            "Directory with the programs `initdb` and `postgres` for the embedded database. Unset: beside this program, else the newest under /usr/lib/postgresql.",
        ),
        setting(
            "CT_OPS_POSTGRES_USER",
            Kind::Text,
            None,
            "Account the embedded database runs as when the server is started by root. Unset: `postgres`.",
        ),
        secret(
            "BETTER_AUTH_SECRET",
            Kind::LongText(32),
            "Install secret: protects the keys stored in the database. Unset: made on first start and kept in the state directory. Losing it means enrolling every agent again.",
        ),
        Setting {
            aliases: &["NEXT_PUBLIC_APP_URL"],
            ..setting(
                "BETTER_AUTH_URL",
                Kind::Url,
                Some("https://localhost:8443"),
                "Address people use in the browser. With http:// the session cookie loses its Secure flag.",
            )
        },
        setting(
            "BETTER_AUTH_TRUSTED_ORIGINS",
            Kind::List,
            None,
            "Further origins whose pages may use the API with a session, for example a second host name.",
        ),
        setting(
            "REQUIRE_EMAIL_VERIFICATION",
            Kind::StrictFlag,
            Some("true"),
            "Local accounts must verify their e-mail address before they can sign in. The first account counts as verified.",
        ),
        setting(
            "CT_OPS_TRUST_PROXY_HEADERS",
            Kind::Flag,
            Some("false"),
            "Take the client address from X-Forwarded-For and X-Real-IP. Only behind a reverse proxy that overwrites both.",
        ),
        secret(
            "CT_OPS_LOADTEST_ADMIN_KEY",
            Kind::LongText(16),
            "Key with which `ct-ops-loadtest cleanup` deletes the hosts of a load test. Unset: nobody can.",
        ),
        secret(
            "CT_OPS_SETUP_CODE",
            Kind::Text,
            "Code asked for by the first-run set-up. Unset: a new one is printed at each start until set-up is done. `off` asks for none: trusted networks only.",
        ),
        setting(
            "CT_OPS_SESSION_LIFETIME",
            Kind::Duration(3600, 2_592_000),
            Some("7d"),
            "A session ends this long after sign-in.",
        ),
        setting(
            "CT_OPS_SESSION_IDLE",
            Kind::Duration(300, 2_592_000),
            Some("24h"),
            "A session ends when it was not used for this long.",
        ),
        setting(
            "CT_OPS_WEB_LISTEN",
            Kind::Listen,
            Some("0.0.0.0:8443"),
            "Address and port of the web server.",
        ),
        setting(
            "CT_OPS_WEB_TLS",
            Kind::Flag,
            Some("true"),
            "Serve the web over TLS. Turn it off only behind a reverse proxy on the same machine.",
        ),
        setting(
            "WEB_TLS_CERT",
            Kind::Path,
            None,
            "Certificate chain of the web server, PEM. Unset: the server makes its own.",
        ),
        setting("WEB_TLS_KEY", Kind::Path, None, "Private key of the web server's certificate, PEM."),
        setting(
            "CT_OPS_INGEST_BIND",
            Kind::Text,
            Some("0.0.0.0"),
            "IP address on which agents are accepted.",
        ),
        setting(
            "INGEST_GRPC_PORT",
            Kind::Integer(1, 65_535),
            Some("9443"),
            "Port on which agents are accepted.",
        ),
        setting(
            "CT_OPS_DRAIN_NOTICE",
            Kind::Duration(0, 60),
            Some("0s"),
            "How long a process that was told to stop goes on serving while /readyz already refuses. Behind a balancer: a little more than the interval of its checks.",
        ),
        setting(
            "CT_OPS_INTERNAL_BIND",
            Kind::Text,
            Some("127.0.0.1"),
            "IP address on which `ct-ops ingest` and `ct-ops consume` answer health checks, over plain HTTP. Metrics are shown to this machine only.",
        ),
        setting(
            "INGEST_HTTP_PORT",
            Kind::Integer(1, 65_535),
            Some("8080"),
            "Port on which `ct-ops ingest` answers health checks and shows the keys of agents' tokens.",
        ),
        setting(
            "CT_OPS_CONSUME_HTTP_PORT",
            Kind::Integer(1, 65_535),
            None,
            "Port on which `ct-ops consume` answers health checks. Unset: 8081 for metrics, 8082 for alerts, 8083 for events.",
        ),
        setting(
            "CT_OPS_INGEST_ADDRESS_FOR_AGENTS",
            Kind::Text,
            None,
            "host:port that install commands tell agents to use. Unset: the host of BETTER_AUTH_URL and INGEST_GRPC_PORT.",
        ),
        setting(
            "INGEST_TLS_CERT",
            Kind::Path,
            None,
            "Certificate chain shown to agents, PEM. Unset: the server makes its own.",
        ),
        setting("INGEST_TLS_KEY", Kind::Path, None, "Private key of the certificate shown to agents, PEM."),
        setting(
            "INGEST_WEB_SERVER_CERT",
            Kind::Path,
            None,
            "Certificate chain that browsers see, PEM, for agents to trust when they download. Only for ingest beside a reverse proxy or a web server whose WEB_TLS_CERT it does not have.",
        ),
        setting(
            "CT_OPS_TLS_NAMES",
            Kind::List,
            None,
            "Further DNS names and IP addresses for the certificate that the server makes for itself.",
        ),
        setting(
            "CT_OPS_REGISTER_PER_SOURCE",
            Kind::Integer(1, 1_000_000),
            Some("120"),
            "Registrations per minute accepted from one address. Raise it while a whole rack behind one address is enrolled.",
        ),
        setting(
            "CT_OPS_REGISTER_PER_TOKEN",
            Kind::Integer(1, 1_000_000),
            Some("30"),
            "Registrations per minute accepted from one address with one token.",
        ),
        setting(
            "AGENT_DIST_DIR",
            Kind::Path,
            Some("/var/lib/ct-ops/agent-dist"),
            "Directory with agent programs for download, named ct-ops-agent-<os>-<arch>, and with the store of agent releases.",
        ),
        setting(
            "CT_OPS_RELEASE_PUBLIC_KEY",
            Kind::Text,
            None,
            "Ed25519 public key, 64 hex digits, that releases of the agent must be signed with. Unset: the key this program was built with.",
        ),
        setting(
            "CT_OPS_QUEUE_MAX_SIZE",
            Kind::Size(256 << 20, 1 << 42),
            Some("2GiB"),
            "Disk space for reports that wait for the database. When it is full, agents are slowed down; nothing is dropped.",
        ),
        setting(
            "CT_OPS_QUEUE_BROKERS",
            Kind::Text,
            None,
            "Brokers that speak the Kafka API (Redpanda, Apache Kafka), as host:port separated by commas. Unset: reports wait in the state directory, and one process does everything. To change it on a running installation use `ct-ops migrate-profile`.",
        ),
        setting(
            "CT_OPS_QUEUE_PREFIX",
            Kind::Text,
            None,
            "Put before the names of topics and consumer groups, for brokers that serve several installations.",
        ),
        setting(
            "CT_OPS_QUEUE_PARTITIONS",
            Kind::Integer(1, 1000),
            Some("12"),
            "Partitions of topics that are made on the brokers: how many consumers of a group can work at once. Topics that exist keep theirs.",
        ),
        setting(
            "CT_OPS_QUEUE_RETENTION",
            Kind::Duration(3600, 31_536_000),
            Some("7d"),
            "How long the brokers keep reports, in topics that are made. Consumers that stand still for longer lose reports.",
        ),
        setting(
            "CT_OPS_LOG",
            Kind::Text,
            Some("info"),
            "What is logged: levels and targets, for example info,ctops_ingest=debug.",
        ),
        setting(
            "CT_OPS_LOG_FORMAT",
            Kind::Choice(&["auto", "json", "text"]),
            Some("auto"),
            "Form of log lines; auto: text on a terminal, else JSON.",
        ),
    ],
    prefixes: &["CT_OPS_", "BETTER_AUTH_", "INGEST_", "WEB_TLS_"],
    reserved: &[
        // The agent's own, when both run on one machine.
        "CT_OPS_INGEST_ADDRESS",
        "CT_OPS_INGEST_CA_CERT",
        "CT_OPS_ENROLMENT_TOKEN",
        "CT_OPS_ORG_TOKEN",
        "CT_OPS_DATA_DIR",
        "CT_OPS_HEARTBEAT_INTERVAL_SECS",
        "CT_OPS_TAGS",
        // Documented names whose features are not part of this release.
        "CT_OPS_PROFILE",
        "CT_OPS_LOADTEST_ADMIN_KEY",
        "CT_OPS_DATA_KEY",
        "INGEST_WS_URL",
        "INGEST_JWT_KEY_FILE",
        "INGEST_AGENT_CA_CERT",
        "INGEST_AGENT_CA_KEY",
        "INGEST_AGENT_DOWNLOAD_BASE_URL",
        "INGEST_TERMINAL_TRUSTED_ORIGINS",
    ],
};

/// A certificate and its key, by path.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM chain.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// The checked settings.
#[derive(Debug)]
pub struct Settings {
    /// As read, for `config print`.
    pub values: Values,
    /// Everything the server keeps.
    pub state_dir: PathBuf,
    /// External database, if any.
    pub database_url: Option<Secret>,
    /// Install secret, if given.
    pub install_secret: Option<Secret>,
    /// Set-up code: `None` generate, `Some("off")`, or preset.
    pub setup_code: Option<Secret>,
    /// Web server.
    pub web_listen: SocketAddr,
    /// Certificate files of the web server.
    pub web_tls: Option<TlsFiles>,
    /// Where processes without a web server answer health checks.
    pub internal_bind: IpAddr,
    /// Agents' listener.
    pub ingest_listen: SocketAddr,
    /// Certificate files for agents.
    pub ingest_tls: Option<TlsFiles>,
    /// Where agents find ingest.
    pub ingest_address: String,
    /// Address people use.
    pub public_url: String,
}

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Mistake>> {
        let (values, mut mistakes) = REGISTRY.examine(environment);
        let bind = ip_address(&values, "CT_OPS_INGEST_BIND", &mut mistakes);
        let internal_bind = ip_address(&values, "CT_OPS_INTERNAL_BIND", &mut mistakes);
        let port = u16::try_from(values.number("INGEST_GRPC_PORT")).unwrap_or(9443);
        let web_tls = tls_files(&values, "WEB_TLS_CERT", "WEB_TLS_KEY", &mut mistakes);
        let ingest_tls = tls_files(&values, "INGEST_TLS_CERT", "INGEST_TLS_KEY", &mut mistakes);
        let public_url = text(&values, "BETTER_AUTH_URL");
        let ingest_address = values
            .text("CT_OPS_INGEST_ADDRESS_FOR_AGENTS")
            .map_or_else(|| format!("{}:{port}", host_of(&public_url)), str::to_owned);
        let web_listen = text(&values, "CT_OPS_WEB_LISTEN").parse().unwrap_or_else(|_| {
            mistakes.push(mistake("CT_OPS_WEB_LISTEN", "must be an IP address and port"));
            SocketAddr::from(([127, 0, 0, 1], 8443))
        });
        let ingest_listen = SocketAddr::new(bind, port);
        if collide(web_listen, ingest_listen) {
            mistakes
                .push(mistake("INGEST_GRPC_PORT", "is the port of CT_OPS_WEB_LISTEN; each needs its own"));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            state_dir: PathBuf::from(text(&values, "CT_OPS_STATE_DIR")),
            database_url: values.secret("DATABASE_URL"),
            install_secret: values.secret("BETTER_AUTH_SECRET"),
            setup_code: values.secret("CT_OPS_SETUP_CODE"),
            web_listen,
            web_tls,
            internal_bind,
            ingest_listen,
            ingest_tls,
            ingest_address,
            public_url,
            values,
        })
    }

    /// A path setting.
    pub fn path(&self, env: &'static str) -> Option<PathBuf> {
        self.values.text(env).map(PathBuf::from)
    }

    /// A duration setting.
    pub fn duration(&self, env: &'static str) -> Duration {
        Duration::from_secs(self.values.number(env))
    }

    /// A bounded number as `u32`.
    pub fn small(&self, env: &'static str) -> u32 {
        u32::try_from(self.values.number(env)).unwrap_or(u32::MAX)
    }

    /// Form of log lines.
    pub fn log_format(&self) -> LogFormat {
        match self.values.text("CT_OPS_LOG_FORMAT") {
            Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            _ => LogFormat::Auto,
        }
    }
}

/// The host part of a checked URL.
pub fn host_of(url: &str) -> &str {
    let authority = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => &authority[..v6.find(']').map_or(authority.len(), |end| end + 2)],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn text(values: &Values, env: &'static str) -> String {
    values.text(env).unwrap_or_default().to_owned()
}

/// Whether two listeners cannot be open at once.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn ip_address(values: &Values, env: &'static str, mistakes: &mut Vec<Mistake>) -> IpAddr {
    text(values, env).parse().unwrap_or_else(|_| {
        mistakes.push(mistake(env, "must be an IP address"));
        IpAddr::from([127, 0, 0, 1])
    })
}

fn mistake(env: &str, message: &str) -> Mistake {
    Mistake { env: env.to_owned(), message: message.to_owned() }
}

fn tls_files(
    values: &Values,
    cert: &'static str,
    key: &'static str,
    mistakes: &mut Vec<Mistake>,
) -> Option<TlsFiles> {
    match (values.text(cert), values.text(key)) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.into(), key: key.into() }),
        (None, None) => None,
        (Some(_), None) => {
            mistakes.push(mistake(key, &format!("is needed together with {cert}")));
            None
        }
        (None, Some(_)) => {
            mistakes.push(mistake(cert, &format!("is needed together with {key}")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Mistake>> {
        Settings::load(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn an_empty_environment_is_enough() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.ingest_address, "localhost:9443");
        assert_eq!(settings.ingest_listen.to_string(), "0.0.0.0:9443");
        assert!(settings.database_url.is_none());
    }

    /// Spec: auth 26
    #[test]
    fn a_short_secret_or_a_relative_url_stops_the_service_with_one_line_each() {
        let mistakes =
            load(&[("BETTER_AUTH_SECRET", "too-short"), ("BETTER_AUTH_URL", "ct-ops.local")]).unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].message.contains("at least 32"), "{}", mistakes[0]);
        assert!(
            mistakes.iter().all(|m| !m.to_string().contains('\n') && !m.to_string().contains("too-short"))
        );
        assert!(load(&[("BETTER_AUTH_URL", "https://localhost")]).is_ok(), "a single-machine trial");
    }

    /// Spec: deployment 7
    #[test]
    fn mistakes_in_values_and_between_them_are_named_together() {
        let mistakes = load(&[
            ("BETTER_AUTH_URL", "nothing"),
            ("CT_OPS_INGEST_BIND", "here"),
            ("INGEST_TLS_CERT", "/c.pem"),
            ("CT_OPS_WEB_LISTEN", "127.0.0.1:9443"),
        ])
        .unwrap_err();
        let named: Vec<&str> = mistakes.iter().map(|mistake| mistake.env.as_str()).collect();
        assert_eq!(named, ["BETTER_AUTH_URL", "CT_OPS_INGEST_BIND", "INGEST_TLS_KEY", "INGEST_GRPC_PORT"]);
        let same = load(&[("CT_OPS_WEB_LISTEN", "127.0.0.1:9443")]).unwrap_err();
        assert_eq!(same[0].env, "INGEST_GRPC_PORT");
    }

    /// Spec: auth 6
    #[test]
    fn an_unknown_spelling_of_email_verification_stops_the_service() {
        assert!(load(&[]).unwrap().values.flag("REQUIRE_EMAIL_VERIFICATION"));
        assert!(
            !load(&[("REQUIRE_EMAIL_VERIFICATION", "0")]).unwrap().values.flag("REQUIRE_EMAIL_VERIFICATION")
        );
        assert!(load(&[("REQUIRE_EMAIL_VERIFICATION", "maybe")]).is_err());
    }

    #[test]
    fn half_a_certificate_is_a_mistake() {
        assert_eq!(load(&[("WEB_TLS_CERT", "/a.pem")]).unwrap_err()[0].env, "WEB_TLS_KEY");
    }

    #[test]
    fn the_agents_own_variables_are_not_mistakes() {
        assert!(load(&[("CT_OPS_INGEST_ADDRESS", "x:1"), ("CT_OPS_DATA_DIR", "/tmp")]).is_ok());
        assert!(load(&[("CT_OPS_INGEST_ADRESS", "x:1")]).is_err());
    }

    #[test]
    fn hosts_are_taken_from_urls() {
        for (url, host) in [
            ("https://ops.example.com", "ops.example.com"),
            ("https://ops.example.com:8443/x", "ops.example.com"),
            ("https://[::1]:8443", "[::1]"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
