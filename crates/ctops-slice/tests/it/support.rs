//! A small API behind the guard, with people and keys that the test names.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use ctops_base::{Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_slice::actor::Authenticator;
use ctops_slice::events::EventHub;
use ctops_slice::guard::guard;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AppState, Credential};
use ctops_testkit::{TestDb, a_clock, a_organisation, start_time};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const ORIGIN: &str = "https://ops.example.com";
pub(crate) const ALIAS: &str = "https://alias.example.com";

pub(crate) fn an_installation() -> Installation {
    Installation {
        public_url: ORIGIN.into(),
        trusted_origins: vec![format!("{ALIAS}/")],
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(3600),
        session_idle: Duration::from_secs(3600),
        ingest_address: String::new(),
        server_ca_pem: String::new().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::new(),
        version: "0",
    }
}

/// Knows the sessions and keys it was given.
#[derive(Default)]
struct Known(BTreeMap<String, Actor>);

#[async_trait]
impl Authenticator for Known {
    async fn by_session(&self, token: &str, ip: IpAddr) -> Result<Option<Actor>, Problem> {
        Ok(self.0.get(token).cloned().map(|actor| Actor { ip, ..actor }))
    }

    async fn by_api_key(&self, secret: &str, ip: IpAddr) -> Result<Option<Actor>, Problem> {
        Ok(self.0.get(secret).cloned().map(|actor| Actor { ip, ..actor }))
    }

    async fn is_alive(&self, _: &Actor) -> Result<bool, Problem> {
        Ok(true)
    }
}

/// Token of an engineer's session.
pub(crate) const SESSION: &str = "session-of-an-engineer";
/// Id of that session.
pub(crate) const SESSION_ID: Uuid = Uuid::from_u128(0x5e55);
/// Key of a reader.
pub(crate) const KEY: &str = "ctops_pat_key-of-a-reader";

pub(crate) struct App {
    pub(crate) db: TestDb,
    router: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl App {
    pub(crate) async fn new(installation: Installation, api: Router<AppState>) -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let ip = IpAddr::from([192, 0, 2, 7]);
        let session = Credential::session(SESSION_ID, start_time());
        let key = Credential::ApiKey { id: Uuid::from_u128(0xcafe) };
        let known = BTreeMap::from([
            (SESSION.to_owned(), Actor::with_roles((Uuid::from_u128(1), org), session, [Role::Engineer], ip)),
            (KEY.to_owned(), Actor::with_roles((Uuid::from_u128(2), org), key, [Role::ReadOnly], ip)),
        ]);
        let clock = a_clock();
        let state = AppState {
            pool: db.pool().clone(),
            clock: clock.clone(),
            events: EventHub::new(clock),
            authenticator: Arc::new(Known(known)),
            installation: Arc::new(installation),
            seal: Arc::new(InstallKey::generate()),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Community)),
            egress: Egress::new(db.pool().clone(), EgressOptions::default()),
        };
        let guarded = axum::middleware::from_fn_with_state(state.clone(), guard);
        Self { db, router: api.layer(guarded).with_state(state) }
    }

    /// One request with exactly these headers.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000))))
            .body(Body::from(body.to_vec()))
            .unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 4 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
