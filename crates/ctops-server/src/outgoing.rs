//! What the outbound client of this process may reach, from the settings.

use ctops_egress::EgressOptions;

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
