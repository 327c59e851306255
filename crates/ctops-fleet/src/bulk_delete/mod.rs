//! Bulk deletion of simulated hosts, so that a load test leaves nothing behind (deployment 20).
//!
//! Owns no table: the agents, hosts and metrics slices delete what is theirs. Hosts go in batches, each in one
//! transaction with its audit event; certificates are revoked and streams end. Nobody signs in here: the caller shows the
//! key of the installation, and only hosts whose names begin with `loadtest-` can be meant.

use std::sync::Arc;

use axum::Extension;
use ctops_crypto::secret::{constant_time_eq, sha256};
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

use crate::agents::AgentDeps;

mod http;
mod service;

pub use service::{Deleted, delete_hosts};

/// The key of the endpoint. Only its digest is kept.
#[derive(Clone, Copy)]
pub struct AdminKey([u8; 32]);

impl AdminKey {
    /// Keeps the digest of `key`.
    pub fn new(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// Whether `given` is the key; takes the same time for any other.
    fn is(&self, given: &str) -> bool {
        constant_time_eq(&self.0, &sha256(given.as_bytes()))
    }
}

/// What the handler needs.
#[derive(Clone)]
struct Deps {
    agents: AgentDeps,
    key: Option<AdminKey>,
}

/// The slice; without a key its endpoint refuses everybody.
pub fn slice(agents: &AgentDeps, key: Option<AdminKey>) -> Slice {
    let deps = Arc::new(Deps { agents: agents.clone(), key });
    let (schemas, paths, methods) = routes!(http::bulk_delete_hosts);
    Slice::new("bulk_delete").operation(Access::Public, (schemas, paths, methods.layer(Extension(deps))))
}
