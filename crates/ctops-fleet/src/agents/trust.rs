//! Certificate authorities and the token key of this installation, made once and kept sealed in the database.

use chrono::{DateTime, Utc};
use ctops_base::Clock;
use ctops_base::id::new_id;
use ctops_crypto::authority::{Authority, AuthorityError, Purpose};
use ctops_crypto::jwt::{AgentTokens, JwtError};
use ctops_crypto::seal::{InstallKey, SealError};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::store::trust as store;

/// Advisory lock under which trust material is made: the first eight bytes of "ctopsPKI".
const CREATION_LOCK: i64 = i64::from_be_bytes(*b"ctopsPKI");
/// Name of the sealed token key.
const TOKEN_KEY: &str = "agent_jwt_key";

/// Why the trust material cannot be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The database cannot be asked.
    #[error("trust material cannot be read from the database")]
    Database(#[from] sqlx::Error),
    /// Sealed with another install key, or damaged.
    #[error("trust material cannot be opened with this install key")]
    Sealed(#[from] SealError),
    /// A stored authority is unusable, or none can be made.
    #[error("certificate authority cannot be used")]
    Authority(#[from] AuthorityError),
    /// The token key is unusable, or none can be made.
    #[error("agent token key cannot be used")]
    Tokens(#[from] JwtError),
    /// A private key is not text.
    #[error("sealed private key is not text")]
    NotText(#[from] std::str::Utf8Error),
    /// The task that makes the token key was stopped.
    #[error("agent token key could not be made")]
    Stopped(#[from] tokio::task::JoinError),
}

/// The authorities that sign for agents and for our own listeners, and the key that signs agents' tokens.
#[derive(Debug)]
pub struct AgentTrust {
    agent_authority: Authority,
    server_authority: Authority,
    tokens: AgentTokens,
    trusted_agent_cas: Vec<String>,
}

impl AgentTrust {
    /// Loads what is stored and makes what is missing; processes that start at the same time end up with the same.
    ///
    /// # Errors
    /// [`TrustError`]; with another install key than the one the material was sealed with it is `Sealed`, and nothing is
    /// overwritten.
    pub async fn load_or_create(
        pool: &Pool,
        install_key: &InstallKey,
        clock: &Clock,
    ) -> Result<Self, TrustError> {
        let now = clock.now();
        let mut tx = pool.begin().await?;
        store::lock(&mut tx, CREATION_LOCK).await?;
        let stored = store::authorities(&mut tx, now).await?;
        let agent_authority = authority(&mut tx, install_key, &stored, Purpose::AgentCa, now).await?;
        let server_authority = authority(&mut tx, install_key, &stored, Purpose::ServerCa, now).await?;
        let tokens = tokens(&mut tx, install_key, now).await?;
        tx.commit().await?;
        let retired =
            stored.into_iter().filter(|ca| ca.purpose == name_of(Purpose::AgentCa) && !ca.is_active);
        let mut trusted_agent_cas = vec![as_block(agent_authority.cert_pem())];
        trusted_agent_cas.extend(retired.map(|ca| as_block(&ca.cert_pem)));
        Ok(Self { agent_authority, server_authority, tokens, trusted_agent_cas })
    }

    /// Signs the client certificates of agents.
    pub fn agent_authority(&self) -> &Authority {
        &self.agent_authority
    }

    /// Signs the certificates of our own listeners.
    pub fn server_authority(&self) -> &Authority {
        &self.server_authority
    }

    /// Signs and verifies agents' tokens.
    pub fn tokens(&self) -> &AgentTokens {
        &self.tokens
    }

    /// Every agent authority to trust, PEM: the active one first, then retired ones whose certificates may still live.
    pub fn trusted_agent_cas(&self) -> &[String] {
        &self.trusted_agent_cas
    }

    /// The same certificates as one PEM text: what agents are given.
    pub fn agent_ca_bundle(&self) -> String {
        self.trusted_agent_cas.concat()
    }
}

fn name_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::AgentCa => "agent_ca",
        Purpose::ServerCa => "server_ca",
    }
}

/// Name under which an authority's key is sealed.
fn seal_name(id: Uuid) -> String {
    format!("certificate_authorities/{id}")
}

/// PEM text that other PEM text may follow.
fn as_block(pem: &str) -> String {
    format!("{}\n", pem.trim_end())
}

async fn authority(
    tx: &mut Tx<'_>,
    install_key: &InstallKey,
    stored: &[store::StoredAuthority],
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Authority, TrustError> {
    if let Some(known) = stored.iter().find(|ca| ca.is_active && ca.purpose == name_of(purpose)) {
        let key = install_key.open(&seal_name(known.id), &known.key_sealed)?;
        return Ok(Authority::from_pem(&known.cert_pem, std::str::from_utf8(&key)?)?);
    }
    let made = Authority::generate(purpose, now)?;
    let id = new_id();
    let new = store::NewAuthority {
        id,
        purpose: name_of(purpose),
        cert_pem: made.cert_pem(),
        key_sealed: &install_key.seal(&seal_name(id), made.key_pem().as_bytes()),
        fingerprint: &made.fingerprint_sha256(),
        not_before: made.not_before(),
        not_after: made.not_after(),
    };
    store::insert_authority(tx, &new, now).await?;
    tracing::info!(
        purpose = name_of(purpose),
        fingerprint = new.fingerprint,
        "certificate authority was made"
    );
    Ok(made)
}

async fn tokens(
    tx: &mut Tx<'_>,
    install_key: &InstallKey,
    now: DateTime<Utc>,
) -> Result<AgentTokens, TrustError> {
    if let Some(sealed) = store::sealed_secret(tx, TOKEN_KEY).await? {
        let pem = install_key.open(TOKEN_KEY, &sealed)?;
        return Ok(AgentTokens::from_pem(std::str::from_utf8(&pem)?)?);
    }
    // An RSA key takes a moment that must not hold up other tasks of this thread.
    let made = tokio::task::spawn_blocking(AgentTokens::generate).await??;
    store::insert_secret(tx, TOKEN_KEY, &install_key.seal(TOKEN_KEY, made.to_pem().as_bytes()), now).await?;
    Ok(made)
}
