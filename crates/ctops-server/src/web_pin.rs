//! Tells agents which certificate the web server shows, so that they trust it when they download from it
//! (wire contract 5.4, security 21).

use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::agents::announce_work_for_all;
use ctops_slice::{AgentWork, ConnectedAgent};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The certificate that agents pin. Without one, for example when a proxy speaks TLS, agents are told nothing.
pub struct WebPin {
    pool: Pool,
    shown: ArcSwapOption<Shown>,
}

struct Shown {
    chain_pem: String,
    /// Lower-case hex SHA-256 of the leaf's DER.
    fingerprint: String,
}

impl WebPin {
    /// Nothing to pin yet.
    pub fn new(pool: Pool) -> Arc<Self> {
        Arc::new(Self { pool, shown: ArcSwapOption::empty() })
    }

    /// The web server shows this certificate chain, PEM, from now on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn set(&self, chain_pem: &str) -> Result<()> {
        let leaf =
            CertificateDer::from_pem_slice(chain_pem.as_bytes()).context("no certificate in the file")?;
        let fingerprint = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
        self.shown.store(Some(Arc::new(Shown { chain_pem: chain_pem.to_owned(), fingerprint })));
        Ok(())
    }

    /// Has all connected agents looked at again.
    pub async fn announce(&self) {
        let announced = async {
            let mut tx = self.pool.begin().await?;
            announce_work_for_all(&mut tx).await?;
            tx.commit().await
        };
        if let Err(error) = announced.await {
            tracing::warn!(%error, "the new web certificate was not announced; agents get it when they connect next");
        }
    }
}

#[async_trait]
impl AgentWork for WebPin {
    fn name(&self) -> &'static str {
        "web_certificate"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let Some(shown) = self.shown.load_full() else { return Ok(Vec::new()) };
        let outdated = agents.iter().filter(|agent| agent.pinned_certificate != shown.fingerprint);
        let response = || HeartbeatResponse {
            pending_server_cert_pem: shown.chain_pem.clone(),
            ..HeartbeatResponse::default()
        };
        Ok(outdated.map(|agent| (agent.host_id, response())).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::Utc;
    use ctops_crypto::authority::{Authority, Purpose};
    use ctops_slice::Capabilities;
    use ctops_testkit::TestDb;

    use super::*;

    fn agent(pinned: &str) -> ConnectedAgent {
        ConnectedAgent {
            host_id: Uuid::from_u128(pinned.len() as u128),
            org_id: Uuid::nil(),
            agent_id: "a".repeat(24),
            version: "0.38.1".to_owned(),
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            capabilities: Capabilities::default(),
            config_revision: 0,
            pinned_certificate: pinned.to_owned(),
        }
    }

    /// Spec: security 21
    #[tokio::test]
    async fn pin_is_sent_to_agents_that_have_another_one_also_to_those_of_the_original_product() {
        let db = TestDb::new().await;
        let pin = WebPin::new(db.pool().clone());
        assert!(pin.pending(&[agent("")]).await.unwrap().is_empty(), "a proxy speaks TLS");
        let authority = Authority::generate(Purpose::ServerCa, Utc::now()).unwrap();
        let made = authority.issue_server(&["localhost".to_owned()], Utc::now()).unwrap();
        pin.set(&made.cert_chain_pem).unwrap();
        let fingerprint = pin.shown.load_full().unwrap().fingerprint.clone();
        assert_eq!(fingerprint.len(), 64);
        let sent = pin.pending(&[agent(""), agent(&fingerprint), agent("00")]).await.unwrap();
        let hosts: Vec<_> = sent.iter().map(|(host_id, _)| host_id.as_u128()).collect();
        assert_eq!(hosts, [0, 2], "whoever has it already is left alone");
        assert_eq!(sent[0].1.pending_server_cert_pem, made.cert_chain_pem);
    }
}
