//! What the outbound client of this process may reach and whose licences count, from the settings.

use anyhow::{Context, Result, anyhow};
use ctops_egress::EgressOptions;
use ctops_licensing::VerifierTrust;
use ctops_licensing::licences::KeySources;

use crate::settings::Settings;

const POSTGRES_PORT: u16 = 5432;
const BROKER_PORT: u16 = 9092;

/// The options of the outbound client: the database and the brokers are nobody's targets (security 7).
pub fn egress_options(settings: &Settings) -> EgressOptions {
    let database = settings.database_url.as_ref().and_then(|url| service_of_url(url.expose()));
    let brokers = settings.values.text("CT_OPS_QUEUE_BROKERS").unwrap_or_default();
    let brokers = brokers.split(',').filter_map(|place| service_of(place.trim(), BROKER_PORT));
    EgressOptions {
        allow_loopback: settings.values.flag("CT_OPS_DEVELOPMENT"),
        own_services: database.into_iter().chain(brokers).collect(),
        ..EgressOptions::default()
    }
}

/// The public keys that licences count with (licensing 10). A file that cannot be read is passed over; a key that cannot be
/// used is a mistake.
///
/// # Errors
/// What is wrong with the key, for people.
pub fn licence_verifiers(settings: &Settings) -> Result<VerifierTrust> {
    let file = settings.path("LICENCE_PUBLIC_KEY_PATH").and_then(|path| match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "LICENCE_PUBLIC_KEY_PATH cannot be read and is passed over");
            None
        }
    });
    let sources = KeySources { file: file.as_deref(), inline: settings.values.text("LICENCE_PUBLIC_KEY") };
    VerifierTrust::choose(sources, settings.values.flag("CT_OPS_DEVELOPMENT"))
        .map_err(|message| anyhow!(message))
        .context("LICENCE_PUBLIC_KEY_PATH, LICENCE_PUBLIC_KEY")
}

/// Host and port of a connection URL; none for a socket directory.
fn service_of_url(url: &str) -> Option<(String, u16)> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    service_of(authority.rsplit('@').next()?, POSTGRES_PORT)
}

fn service_of(place: &str, standard: u16) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(standard), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: security 7
    #[test]
    fn the_database_and_the_brokers_are_known() {
        let of = |url| service_of_url(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(of("postgres://u:p%40x@db.internal/ct_ops").as_deref(), Some("db.internal 5432"));
        assert_eq!(of("postgres://u:p@[fd00::1]:6432/x?sslmode=require").as_deref(), Some("fd00::1 6432"));
        assert_eq!(of("postgres:///x?host=/run/postgresql"), None);
        assert_eq!(service_of("kafka-1:9093", BROKER_PORT), Some(("kafka-1".into(), 9093)));
    }
}
