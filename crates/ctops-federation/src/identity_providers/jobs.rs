//! Warns of certificates that end.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::model::Protocol;
use super::store;

/// Writes a warning per enabled provider whose signing certificate ends within 30 days (auth 34); the list of providers
/// shows the same to people.
pub(super) struct WatchCertificates {
    pool: Pool,
    clock: Clock,
}

impl WatchCertificates {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for WatchCertificates {
    fn name(&self) -> &'static str {
        "watch_provider_certificates"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        for provider in store::enabled_saml(&self.pool).await.map_err(Problem::internal)? {
            let Protocol::Saml(settings) = &provider.protocol else { continue };
            for certificate in settings.certificates.iter().filter(|found| found.ends_soon(now)) {
                tracing::warn!(
                    provider.id = %provider.id,
                    certificate.sha256 = %certificate.sha256,
                    certificate.not_after = %certificate.not_after,
                    "a certificate of an identity provider ends; upload its new metadata",
                );
            }
        }
        Ok(())
    }
}
