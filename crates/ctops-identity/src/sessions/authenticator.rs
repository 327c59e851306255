//! Session tokens to actors, for the guard in front of every request.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use ctops_slice::actor::Authenticator;
use ctops_slice::state::Installation;
use ctops_slice::{Actor, Credential};

use super::model::{REFRESH_EVERY, idle_since};
use super::store;
use crate::access;

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
        let Some(member) = access::of_member(&self.pool, session.user_id, session.org_id).await? else {
            return Ok(None);
        };
        let credential = Credential::Session {
            id: session.id,
            expires_at: session.expires_at,
            method: session.method,
            second_factor: false,
            confirmed_at: session.created_at,
        };
        Ok(Some(Actor {
            user_id: session.user_id,
            org_id: session.org_id,
            name: member.name,
            credential,
            standing: member.standing,
            rights: member.rights,
            scope: member.scope,
            ip,
        }))
    }

    async fn by_api_key(&self, _secret: &str, _ip: IpAddr) -> Result<Option<Actor>, Problem> {
        // No key has been issued yet, so every key is unknown.
        Ok(None)
    }

    async fn is_alive(&self, actor: &Actor) -> Result<bool, Problem> {
        let Some(session_id) = actor.session_id() else {
            return Ok(false);
        };
        let now = self.clock.now();
        let alive = store::is_live(&self.pool, session_id, now, idle_since(now, self.idle)).await;
        if !alive.map_err(Problem::internal)? {
            return Ok(false);
        }
        let member = access::of_member(&self.pool, actor.user_id, actor.org_id).await?;
        Ok(member.is_some_and(|member| {
            (member.standing, &member.rights, &member.scope) == (actor.standing, &actor.rights, &actor.scope)
        }))
    }
}
