//! Session tokens and API keys to actors, for the guard in front of every request.

use std::net::IpAddr;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use ctops_slice::actor::Authenticator;
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::state::Installation;
use ctops_slice::{Actor, Credential, Standing};
use uuid::Uuid;

use super::model::{LONGEST_IDLE, REFRESH_EVERY, idle_since};
use super::store;
use crate::access::{self, Member};
use crate::{api_keys, second_factor};

/// Asks the database about every token and key, so that what was ended stops working at once on every node.
pub struct SessionAuthenticator {
    pool: Pool,
    clock: Clock,
    installation: Installation,
}

impl SessionAuthenticator {
    /// An authenticator over the sessions in `pool`. Warns when people reach the server without TLS (auth 12).
    pub fn new(pool: Pool, clock: Clock, installation: &Installation) -> Self {
        if !installation.is_https() {
            tracing::warn!(
                "the public address starts with http://, so session cookies are sent without the Secure flag"
            );
        }
        Self { pool, clock, installation: installation.clone() }
    }

    async fn settings(&self, org_id: Uuid) -> Result<AuthenticationSettings, Problem> {
        settings::read::<AuthenticationSettings>(&self.pool, org_id).await
    }

    /// The member as far as access goes, with what the demand for a second factor makes of them (auth 18).
    async fn member(
        &self,
        (user_id, org_id): (Uuid, Uuid),
        second_factor: bool,
        settings: &AuthenticationSettings,
    ) -> Result<Option<Member>, Problem> {
        let Some(mut member) = access::of_member(&self.pool, user_id, org_id).await? else {
            return Ok(None);
        };
        let demanded = settings.require_two_factor && !second_factor && member.standing == Standing::Active;
        if demanded && !second_factor::factors_of(&self.pool, user_id).await?.any() {
            member.standing = Standing::MustEnrol;
        }
        Ok(Some(member))
    }
}

#[async_trait]
impl Authenticator for SessionAuthenticator {
    async fn by_session(&self, token: &str, ip: IpAddr) -> Result<Option<Actor>, Problem> {
        let now = self.clock.now();
        let hash = sha256(token.as_bytes());
        let longest = LONGEST_IDLE.max(self.installation.session_idle);
        let found = store::find_live(&self.pool, &hash, now, idle_since(now, longest)).await;
        let Some(session) = found.map_err(Problem::internal)? else {
            return Ok(None);
        };
        let settings = self.settings(session.org_id).await?;
        if session.last_used_at <= idle_since(now, settings.session_idle(&self.installation)) {
            return Ok(None);
        }
        let refresh_before = now - REFRESH_EVERY;
        if session.last_used_at <= refresh_before {
            let written = store::touch(&self.pool, session.id, &ip.to_string(), now, refresh_before).await;
            written.map_err(Problem::internal)?;
        }
        let person = (session.user_id, session.org_id);
        let Some(member) = self.member(person, session.second_factor, &settings).await? else {
            return Ok(None);
        };
        let credential = Credential::Session {
            id: session.id,
            expires_at: session.expires_at,
            method: session.method,
            second_factor: session.second_factor,
            confirmed_at: session.confirmed_at,
        };
        Ok(Some(actor_of(person, member, credential, ip)))
    }

    async fn by_api_key(&self, secret: &str, ip: IpAddr) -> Result<Option<Actor>, Problem> {
        let now = self.clock.now();
        let Some(key) = api_keys::find(&self.pool, secret, ip, now).await? else {
            return Ok(None);
        };
        let settings = self.settings(key.org_id).await?;
        let person = (key.user_id, key.org_id);
        // Nobody can enrol a second factor for a service.
        let Some(member) = self.member(person, key.is_service, &settings).await? else {
            return Ok(None);
        };
        api_keys::note_use(&self.pool, &key, ip, now).await?;
        let member = key.limit(member);
        Ok(Some(actor_of(person, member, Credential::ApiKey { id: key.id }, ip)))
    }

    async fn is_alive(&self, actor: &Actor) -> Result<bool, Problem> {
        let now = self.clock.now();
        let settings = self.settings(actor.org_id).await?;
        let person = (actor.user_id, actor.org_id);
        let member = match actor.credential {
            Credential::Session { id, second_factor, .. } => {
                let since = idle_since(now, settings.session_idle(&self.installation));
                if !store::is_live(&self.pool, id, now, since).await.map_err(Problem::internal)? {
                    return Ok(false);
                }
                self.member(person, second_factor, &settings).await?
            }
            Credential::ApiKey { id } => {
                let Some(key) = api_keys::find_by_id(&self.pool, id, actor.ip, now).await? else {
                    return Ok(false);
                };
                let member = self.member(person, key.is_service, &settings).await?;
                member.map(|member| key.limit(member))
            }
        };
        Ok(member.is_some_and(|member| {
            (member.standing, &member.rights, &member.scope) == (actor.standing, &actor.rights, &actor.scope)
        }))
    }
}

fn actor_of((user_id, org_id): (Uuid, Uuid), member: Member, credential: Credential, ip: IpAddr) -> Actor {
    Actor {
        user_id,
        org_id,
        name: member.name,
        credential,
        standing: member.standing,
        rights: member.rights,
        scope: member.scope,
        ip,
    }
}
