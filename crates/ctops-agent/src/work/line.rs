//! The connection that the heartbeat stream lives on, for work that makes calls of its own.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ctops_base::Clock;
use serde::Deserialize;
use tokio::sync::{Notify, watch};

use crate::data_dir::State;
use crate::dial::Client;

/// A token that ends within this time is replaced before it is used.
const TOKEN_RESERVE_SECS: i64 = 15 * 60;
/// For a connection or another token to appear.
const PATIENCE: Duration = Duration::from_secs(90);

/// A way to make calls.
#[derive(Clone)]
pub(crate) struct Link {
    /// Makes calls; dies with its connection.
    pub(super) client: Client,
    /// Id of this agent.
    pub(super) agent_id: String,
    /// Token for calls that take one.
    pub(super) token: String,
    /// Tells connections apart.
    serial: u64,
}

impl Link {
    /// A way to make calls as the agent that `state` describes.
    pub(crate) fn new(client: Client, state: &State) -> Self {
        Self { client, agent_id: state.agent_id.clone(), token: state.jwt_token.clone(), serial: 0 }
    }
}

/// The present link, if there is one, and the wish for another token.
#[derive(Debug, Default)]
pub(super) struct Line {
    link: watch::Sender<Option<Link>>,
    token_wanted: Notify,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("agent_id", &self.agent_id).finish_non_exhaustive()
    }
}

impl Line {
    /// Calls go over `link` from now on.
    pub(super) fn connected(&self, mut link: Link) {
        self.link.send_modify(|present| {
            link.serial = present.as_ref().map_or(1, |present| present.serial + 1);
            *present = Some(link);
        });
    }

    /// Calls carry another token from now on.
    pub(super) fn token_replaced(&self, state: &State) {
        self.link.send_if_modified(|present| match present {
            Some(link) => {
                link.token.clone_from(&state.jwt_token);
                true
            }
            None => false,
        });
    }

    /// Returns when somebody needs another token. May be dropped and called again.
    pub(super) async fn token_wanted(&self) {
        self.token_wanted.notified().await;
    }

    /// The present link with a token that is not about to end. A server that gives no other token (its enrolment token
    /// was for one use) leaves the old one.
    pub(super) async fn fresh(&self, clock: &Clock) -> Option<Link> {
        let mut receiver = self.link.subscribe();
        let present = receiver.wait_for(Option::is_some);
        let link = tokio::time::timeout(PATIENCE, present).await.ok()?.ok()?.clone()?;
        if expires(&link.token).is_none_or(|expires| expires - clock.now().timestamp() > TOKEN_RESERVE_SECS) {
            return Some(link);
        }
        Some(self.with_other_token(&link).await.unwrap_or(link))
    }

    /// A link with another token than that of `last`, if one can be had in time.
    pub(super) async fn with_other_token(&self, last: &Link) -> Option<Link> {
        self.token_wanted.notify_one();
        self.changed(|link| link.token != last.token).await
    }

    /// A link over another connection than that of `last`, if there is one in time.
    pub(super) async fn with_other_connection(&self, last: &Link) -> Option<Link> {
        self.changed(|link| link.serial != last.serial).await
    }

    async fn changed(&self, differs: impl Fn(&Link) -> bool) -> Option<Link> {
        let mut receiver = self.link.subscribe();
        let other = receiver.wait_for(|link| link.as_ref().is_some_and(&differs));
        tokio::time::timeout(PATIENCE, other).await.ok()?.ok()?.clone()
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

/// When a token ends, Unix seconds, if it says so (RFC 7519 section 4.1.4). The agent cannot check its signature and
/// need not: it is the agent's own.
fn expires(token: &str) -> Option<i64> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_token_when_it_has_one_then_is_read() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"a","exp":1780272000}"#);
        assert_eq!(expires(&format!("h.{payload}.s")), Some(1_780_272_000));
        for other in ["", "jwt-1", "a.b.c", "a..c"] {
            assert_eq!(expires(other), None, "{other}");
        }
    }
}
