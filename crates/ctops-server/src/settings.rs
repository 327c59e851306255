//! The settings of `ct-ops`: the checked values in the shape the program uses.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ctops_config::{Mistake, Secret, Values};
use ctops_telemetry::LogFormat;

pub use crate::registry::REGISTRY;

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
