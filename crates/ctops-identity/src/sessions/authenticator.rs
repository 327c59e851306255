//! Session tokens to actors, for the guard in front of every request.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use ctops_slice::Actor;
use ctops_slice::actor::Authenticator;
use ctops_slice::state::Installation;
use uuid::Uuid;

use super::model::{REFRESH_EVERY, idle_since};
use super::store;

/// Asks the database about every token, so that an ended session stops working at once on every node.
pub struct SessionAuthenticator {
    pool: Pool,
    clock: Clock,
    idle: Duration,
}

impl SessionAuthenticator {
    /// An authenticator over the sessions in `pool`. Warns when people reach the server without TLS (auth 12).
    pub fn new(pool: Pool, clock: Clock, installation: &Installation) -> Self {
        if !installation.is_https() {
            tracing::warn!(
                "the public address starts with http://, so session cookies are sent without the Secure flag"
            );
        }
        Self { pool, clock, idle: installation.session_idle }
    }
}

#[async_trait]
impl Authenticator for SessionAuthenticator {
    async fn by_session(&self, token: &str, ip: IpAddr) -> Result<Option<Actor>, Problem> {
        let now = self.clock.now();
        let hash = sha256(token.as_bytes());
        let found = store::find_live(&self.pool, &hash, now, idle_since(now, self.idle)).await;
        let Some(session) = found.map_err(Problem::internal)? else {
            return Ok(None);
        };
        let refresh_before = now - REFRESH_EVERY;
        if session.last_used_at <= refresh_before {
            let written = store::touch(&self.pool, session.id, &ip.to_string(), now, refresh_before).await;
            written.map_err(Problem::internal)?;
        }
        Ok(Some(Actor {
            user_id: session.user_id,
            org_id: session.org_id,
            session_id: session.id,
            session_expires_at: session.expires_at,
            roles: session.roles,
            ip,
        }))
    }

    async fn is_alive(&self, session_id: Uuid) -> Result<bool, Problem> {
        let now = self.clock.now();
        let alive = store::is_live(&self.pool, session_id, now, idle_since(now, self.idle)).await;
        alive.map_err(Problem::internal)
    }
}
