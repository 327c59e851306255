//! What every handler may reach.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::FromRef;
use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_pg::Pool;

use crate::actor::Authenticator;
use crate::events::EventHub;
use crate::licence::Entitlements;

/// Shared by all handlers; cloning is cheap.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Live views.
    pub events: EventHub,
    /// Sessions to actors.
    pub authenticator: Arc<dyn Authenticator>,
    /// The facts of this installation.
    pub installation: Arc<Installation>,
    /// Seals secrets in the database.
    pub seal: Arc<InstallKey>,
    /// What organisations may use.
    pub entitlements: Arc<dyn Entitlements>,
    /// The way out of this network.
    pub egress: Egress,
}

/// A fact that may change while the program runs. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Live<T>(Arc<RwLock<T>>);

impl<T: Clone> Live<T> {
    /// The present value.
    pub fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another value in its place.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }
}

/// The facts of this installation that the API needs.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Address people use, without a slash at the end, for example `https://ct-ops.example.com`.
    pub public_url: String,
    /// Further origins that browsers may send requests from (`BETTER_AUTH_TRUSTED_ORIGINS`).
    pub trusted_origins: Vec<String>,
    /// Take the client address from `X-Forwarded-For` and `X-Real-IP`.
    pub trust_proxy_headers: bool,
    /// Local accounts must verify their e-mail address before they can sign in.
    pub require_email_verification: bool,
    /// A session ends this long after sign-in (1 h to 30 days).
    pub session_lifetime: Duration,
    /// A session ends when it was not used for this long.
    pub session_idle: Duration,
    /// `host:port` at which agents reach ingest.
    pub ingest_address: String,
    /// Certificates that agents trust the server by, PEM.
    pub server_ca_pem: Live<String>,
    /// `sha256//<base64>` of the web certificate's public key, for `curl --pinnedpubkey` (RFC 7469 form).
    pub server_pin: Live<Option<String>>,
    /// Where agent binaries for download lie.
    pub agent_dist_dir: PathBuf,
    /// Version of this program.
    pub version: &'static str,
}

impl Installation {
    /// Whether people reach the server over TLS; decides over the `Secure` flag and the cookie's name (auth 12).
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Whether a browser page at `origin` may call the API with a cookie (auth 25).
    pub fn trusts_origin(&self, origin: &str) -> bool {
        let same =
            |known: &str| known.trim_end_matches('/').eq_ignore_ascii_case(origin.trim_end_matches('/'));
        same(&self.public_url) || self.trusted_origins.iter().any(|known| same(known))
    }
}

impl FromRef<AppState> for Pool {
    fn from_ref(state: &AppState) -> Self {
        state.pool.clone()
    }
}
