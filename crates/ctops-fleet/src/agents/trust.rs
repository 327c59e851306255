//! Certificate authorities and the token key of this installation, made once and kept sealed in the database.

use ctops_base::Clock;
use ctops_crypto::authority::{Authority, AuthorityError, Purpose};
use ctops_crypto::jwt::{AgentTokens, JwtError};
use ctops_crypto::seal::{InstallKey, SealError};
use ctops_pg::Pool;

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
    NotText,
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
        unimplemented!()
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
