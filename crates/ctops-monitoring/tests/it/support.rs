//! The area's slices behind the real guard, on a database of their own.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::TimeDelta;
use ctops_base::{Clock, Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_monitoring::Deps;
use ctops_monitoring::checks::{CheckEvents, CheckRuns, CheckWork, PruneResults};
use ctops_pg::Pool;
use ctops_proto::agent::HeartbeatResponse;
use ctops_proto::queue::{AgentEvent, CheckResult};
use ctops_slice::actor::Authenticator;
use ctops_slice::events::EventHub;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AgentEvents, AgentWork, AppState, Capabilities, ConnectedAgent, Credential, Job};
use ctops_testkit::{TestDb, TestHost, a_clock, a_organisation, a_user};
use serde_json::Value;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

const SITE: &str = "https://ops.example.com";

/// The application of one test: one organisation and a clock that stands still.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) org: Uuid,
    deps: Deps,
    people: Arc<People>,
    router: Router,
}

/// Sessions of these tests, by their token.
#[derive(Default)]
struct People(Mutex<HashMap<String, Actor>>);

#[async_trait]
impl Authenticator for People {
    async fn by_session(&self, token: &str, _: IpAddr) -> Result<Option<Actor>, Problem> {
        Ok(self.0.lock().unwrap().get(token).cloned())
    }

    async fn by_api_key(&self, _: &str, _: IpAddr) -> Result<Option<Actor>, Problem> {
        Ok(None)
    }

    async fn is_alive(&self, actor: &Actor) -> Result<bool, Problem> {
        Ok(self.0.lock().unwrap().values().any(|known| known == actor))
    }
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, after checking the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let (pool, clock) = (db.pool().clone(), a_clock());
        let install_key = Arc::new(InstallKey::generate());
        let deps = Deps { pool: pool.clone(), clock: clock.clone(), install_key };
        let people = Arc::new(People::default());
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: people.clone(),
            installation: Arc::new(installation()),
            seal: deps.install_key.clone(),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
            egress: Egress::new(pool.clone(), EgressOptions::default()),
        };
        let mut api = OpenApiRouter::new();
        for slice in ctops_monitoring::slices(&deps) {
            api = api.merge(slice.into_router());
        }
        let guard = axum::middleware::from_fn_with_state(state.clone(), ctops_slice::guard::guard);
        let router = api.split_for_parts().0.layer(guard).with_state(state);
        let org = a_organisation(&pool).await;
        Self { db, clock, org, deps, people, router }
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.db.pool()
    }

    /// The session of somebody of an organisation with one role.
    pub(crate) async fn person_of(&self, org_id: Uuid, role: Role) -> String {
        let user_id = a_user(self.pool(), org_id, &[role]).await;
        let session_id = Uuid::new_v4();
        let credential = Credential::session(session_id, self.clock.now() + TimeDelta::days(1));
        let ip = IpAddr::from([127, 0, 0, 1]);
        let actor = Actor::with_roles((user_id, org_id), credential, [role], ip);
        let session = format!("session-{}", session_id.simple());
        self.people.0.lock().unwrap().insert(session.clone(), actor);
        session
    }

    pub(crate) async fn person(&self, role: Role) -> String {
        self.person_of(self.org, role).await
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, "GET", path, None, None).await
    }

    pub(crate) async fn send(
        &self,
        who: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        if_match: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", format!("__Host-ctops_session={who}"))
            .header("origin", SITE)
            .header("x-ctops-request", "1");
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let response = self
            .router
            .clone()
            .oneshot(request.extension(ConnectInfo(peer)).body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// What the host's agent is sent: definitions and runs.
    pub(crate) async fn sent(&self, host: &TestHost, capabilities: Capabilities) -> Vec<HeartbeatResponse> {
        let agent = ConnectedAgent {
            host_id: host.id,
            org_id: self.org,
            agent_id: host.agent_id.clone().unwrap(),
            version: String::new(),
            os: String::new(),
            arch: String::new(),
            capabilities,
            config_revision: 0,
            pinned_certificate: String::new(),
        };
        let definitions =
            CheckWork::new(self.deps.clone()).pending(std::slice::from_ref(&agent)).await.unwrap();
        let runs = CheckRuns::new(self.deps.pool.clone()).pending(&[agent]).await.unwrap();
        let all = definitions.into_iter().chain(runs);
        all.inspect(|(host_id, _)| assert_eq!(*host_id, host.id)).map(|(_, response)| response).collect()
    }

    /// The host's agent delivers results: check, seconds before now, status.
    pub(crate) async fn reports(&self, host: &TestHost, results: &[(&str, i64, &str)]) {
        let now_ms = self.clock.now_ms();
        let result = |(check_id, seconds_ago, status): &(&str, i64, &str)| CheckResult {
            check_id: (*check_id).to_owned(),
            status: (*status).to_owned(),
            output: format!("{status} {seconds_ago}"),
            duration_ms: 5,
            ran_at_ms: now_ms - seconds_ago * 1000,
        };
        let event = AgentEvent {
            host_id: host.id.to_string(),
            org_id: self.org.to_string(),
            agent_id: host.agent_id.clone().unwrap(),
            received_at_ms: now_ms,
            check_results: results.iter().map(result).collect(),
            ..AgentEvent::default()
        };
        let mut tx = self.pool().begin().await.unwrap();
        CheckEvents.apply(&mut tx, &[event]).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn prune(&self) {
        PruneResults::new(self.deps.pool.clone(), self.clock.clone()).run().await.unwrap();
    }

    /// Actions in the audit trail about one thing, oldest first.
    pub(crate) async fn audited(&self, target_id: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT action FROM audit_events WHERE target_id = $1 ORDER BY id")
            .bind(target_id)
            .fetch_all(self.pool())
            .await
            .unwrap()
    }
}

fn installation() -> Installation {
    Installation {
        public_url: SITE.to_owned(),
        trusted_origins: Vec::new(),
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(3600),
        session_idle: Duration::from_secs(3600),
        ingest_address: "ops.example.com:9443".to_owned(),
        server_ca_pem: String::new().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::from("/nonexistent"),
        version: "0",
    }
}
