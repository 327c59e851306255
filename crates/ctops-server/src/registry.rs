//! Every setting of `ct-ops`: names, types, defaults, and what each is for. The reference is made from it.

use ctops_config::{Kind, Registry, Setting};

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
            "AUTH_EMAIL_SMTP_HOST",
            Kind::Text,
            None,
            "Mail relay of the installation, for organisations that have none of their own. Unset: their mail waits 24 h in the list of pending mail, and its links are in the log.",
        ),
        setting("AUTH_EMAIL_SMTP_PORT", Kind::Integer(1, 65_535), Some("587"), "Port of that relay."),
        setting(
            "AUTH_EMAIL_SMTP_SECURE",
            Kind::Choice(&["true", "false", "tls", "starttls", "none"]),
            Some("false"),
            "`true` or `tls`: TLS from the first byte. `false` or `starttls`: STARTTLS, without which nothing is sent. `none`: unencrypted.",
        ),
        setting("AUTH_EMAIL_SMTP_USER", Kind::Text, None, "Account at that relay. Unset: no sign-in."),
        secret("AUTH_EMAIL_SMTP_PASSWORD", Kind::Text, "Password of that account."),
        setting(
            "AUTH_EMAIL_FROM",
            Kind::Text,
            None,
            "Address that mail of the installation comes from. Unset: ct-ops at the host of BETTER_AUTH_URL.",
        ),
        setting("AUTH_EMAIL_FROM_NAME", Kind::Text, Some("CT-Ops"), "Name beside that address."),
        setting(
            "CT_OPS_TRUST_PROXY_HEADERS",
            Kind::Flag,
            Some("false"),
            "Take the client address from X-Forwarded-For and X-Real-IP. Only behind a reverse proxy that overwrites both.",
        ),
        setting(
            "LICENCE_PUBLIC_KEY_PATH",
            Kind::Path,
            None,
            "File with the public key, PEM, that new licence keys must be signed with. Unset or unreadable: LICENCE_PUBLIC_KEY, else the key of the build.",
        ),
        setting(
            "LICENCE_PUBLIC_KEY",
            Kind::Text,
            None,
            "The same key as text; line breaks may be written as \\n.",
        ),
        setting(
            "LICENCE_REVOCATION_URL",
            Kind::Text,
            None,
            "Where the signed list of revoked licence keys is fetched from, every 15 minutes. Unset or empty: it is not fetched.",
        ),
        setting(
            "CT_OPS_DEVELOPMENT",
            Kind::Flag,
            Some("false"),
            "For development and tests only: this machine may be the target of outgoing connections, and licences signed with the development key count.",
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
    prefixes: &["CT_OPS_", "BETTER_AUTH_", "INGEST_", "WEB_TLS_", "AUTH_EMAIL_"],
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
