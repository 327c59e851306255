//! The fleet's slices behind the real guard, on a database of their own.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::TimeDelta;
use ctops_base::{Clock, Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::signing::SigningKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_fleet::agents::{AgentDeps, AgentTrust, RegisterInput, RegisterLimits, RegisterOutcome};
use ctops_fleet::bulk_delete::AdminKey;
use ctops_fleet::enrolment::{NewToken, create_token};
use ctops_fleet::releases::ReleaseDeps;
use ctops_pg::Pool;
use ctops_slice::actor::Authenticator;
use ctops_slice::events::EventHub;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AppState, Credential, HostScope};
use ctops_testkit::{TestDb, a_clock, a_organisation, a_user};
use serde_json::Value;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

#[path = "../../src/agents/testing.rs"]
mod testing;

pub(crate) use testing::Key;

/// Address that people use in these tests.
pub(crate) const SITE: &str = "https://ops.example.com";

/// Key of bulk deletion in these tests.
pub(crate) const BULK_DELETE_KEY: &str = "key of the load test";

/// The application of one test: one organisation, a clock that stands still, and no request limits on `Register`.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) deps: AgentDeps,
    pub(crate) org: Uuid,
    pub(crate) state: AppState,
    people: Arc<People>,
    router: Router,
    /// Where agent programs for download lie.
    _dist_dir: tempfile::TempDir,
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) actor: Actor,
    session: String,
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
    pub(crate) bytes: Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.to_vec()).unwrap()
    }

    /// The body, after checking the status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem's code, after checking the status.
    #[track_caller]
    pub(crate) fn code(&self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Installation)) -> Self {
        let db = TestDb::new().await;
        let pool = db.pool().clone();
        let clock = a_clock();
        let trust = AgentTrust::load_or_create(&pool, &InstallKey::generate(), &clock).await.unwrap();
        let dist_dir = tempfile::tempdir().unwrap();
        let deps = AgentDeps {
            pool: pool.clone(),
            clock: clock.clone(),
            trust: Arc::new(trust),
            limits: RegisterLimits { per_source: 10_000, per_source_and_token: 10_000 },
            releases: ReleaseDeps::new(dist_dir.path(), release_key().public_key(), SITE),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
        };
        let mut installation = installation(&deps);
        installation.agent_dist_dir = dist_dir.path().to_owned();
        adjust(&mut installation);
        let people = Arc::new(People::default());
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: people.clone(),
            installation: Arc::new(installation),
            seal: Arc::new(InstallKey::generate()),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
            egress: Egress::new(pool.clone(), EgressOptions::default()),
        };
        let mut api = OpenApiRouter::new();
        let bulk_delete = ctops_fleet::bulk_delete::slice(&deps, Some(AdminKey::new(BULK_DELETE_KEY)));
        for slice in ctops_fleet::slices(&deps).into_iter().chain([bulk_delete]) {
            api = api.merge(slice.into_router());
        }
        let guard = axum::middleware::from_fn_with_state(state.clone(), ctops_slice::guard::guard);
        let router = api.split_for_parts().0.layer(guard).with_state(state.clone());
        let org = a_organisation(&pool).await;
        Self { db, clock, deps, org, state, people, router, _dist_dir: dist_dir }
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.db.pool()
    }

    /// Somebody of the test's organisation with one role.
    pub(crate) async fn person(&self, role: Role) -> Person {
        self.person_of(self.org, role).await
    }

    pub(crate) async fn person_of(&self, org_id: Uuid, role: Role) -> Person {
        let user_id = a_user(self.pool(), org_id, &[role]).await;
        let session_id = Uuid::new_v4();
        let credential = Credential::session(session_id, self.clock.now() + TimeDelta::days(1));
        let ip = IpAddr::from([127, 0, 0, 1]);
        let actor = Actor::with_roles((user_id, org_id), credential, [role], ip);
        let session = format!("session-{}", session_id.simple());
        self.people.0.lock().unwrap().insert(session.clone(), actor.clone());
        Person { actor, session }
    }

    /// Somebody of the test's organisation who is limited to some sets of hosts.
    pub(crate) async fn person_limited_to(&self, role: Role, scope: HostScope) -> Person {
        let mut person = self.person(role).await;
        person.actor.scope = scope;
        self.people.0.lock().unwrap().insert(person.session.clone(), person.actor.clone());
        person
    }

    /// Limits somebody to other sets of hosts from now on.
    pub(crate) fn change_scope(&self, who: &Person, scope: HostScope) {
        self.people.0.lock().unwrap().get_mut(&who.session).unwrap().scope = scope;
    }

    pub(crate) async fn get(&self, who: &Person, path: &str) -> Answer {
        self.send(Some(who), "GET", path, None, [127, 0, 0, 1]).await
    }

    pub(crate) async fn post(&self, who: &Person, path: &str, body: Option<Value>) -> Answer {
        self.send(Some(who), "POST", path, body, [127, 0, 0, 1]).await
    }

    /// Sends bytes that are no JSON.
    pub(crate) async fn upload(&self, who: &Person, path: &str, content: Vec<u8>) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("cookie", format!("__Host-ctops_session={}", who.session))
            .header("origin", SITE)
            .header("x-ctops-request", "1")
            .header("content-type", "application/octet-stream")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        let response = self.router.clone().oneshot(request.body(Body::from(content)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Any request; writes carry the trusted origin and the anti-forgery header.
    pub(crate) async fn send(
        &self,
        who: Option<&Person>,
        method: &str,
        path: &str,
        body: Option<Value>,
        from: [u8; 4],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(person) = who {
            request = request.header("cookie", format!("__Host-ctops_session={}", person.session));
        }
        if method != "GET" {
            request = request.header("origin", SITE).header("x-ctops-request", "1");
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.call(request.body(body).unwrap(), from).await
    }

    /// A request as it is.
    pub(crate) async fn call(&self, mut request: Request<Body>, from: [u8; 4]) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((from, 50_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// The secret of a new token of the test's organisation.
    pub(crate) async fn token(&self, adjust: impl FnOnce(&mut NewToken)) -> String {
        let admin = self.person(Role::SuperAdmin).await;
        self.token_by(&admin, adjust).await
    }

    pub(crate) async fn token_by(&self, who: &Person, adjust: impl FnOnce(&mut NewToken)) -> String {
        let mut new = NewToken::labelled("test token");
        adjust(&mut new);
        create_token(&self.state, &who.actor, new).await.unwrap().secret
    }

    /// Calls `Register` as the machine `hostname` does, with a certificate request.
    pub(crate) async fn register(
        &self,
        secret: &str,
        key: &Key,
        hostname: &str,
    ) -> Result<RegisterOutcome, Problem> {
        ctops_fleet::agents::register(&self.deps, a_call(secret, key, hostname)).await
    }

    /// One value of one row.
    pub(crate) async fn value<T>(&self, sql: &'static str, id: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).bind(id).fetch_one(self.pool()).await.unwrap()
    }

    /// Lines of an agent's history, oldest first: status and reason.
    pub(crate) async fn history(&self, agent_id: &str) -> Vec<(String, String)> {
        sqlx::query_as("SELECT status, reason FROM agent_status_history WHERE agent_id = $1 ORDER BY id")
            .bind(agent_id)
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// Actions in the audit trail about one thing, oldest first.
    pub(crate) async fn audited(&self, target_id: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT action FROM audit_events WHERE target_id = $1 ORDER BY id")
            .bind(target_id)
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn uses(&self) -> i64 {
        sqlx::query_scalar("SELECT COALESCE(sum(usage_count), 0)::bigint FROM agent_enrolment_tokens")
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn host_status(&self, hostname: &str) -> Option<String> {
        sqlx::query_scalar(
            "SELECT v.status FROM hosts h JOIN host_vitals v ON v.host_id = h.id
             WHERE lower(h.hostname) = lower($1) AND h.deleted_at IS NULL",
        )
        .bind(hostname)
        .fetch_optional(self.pool())
        .await
        .unwrap()
    }
}

/// A call of `Register` with everything an agent sends.
pub(crate) fn a_call(secret: &str, key: &Key, hostname: &str) -> RegisterInput {
    RegisterInput {
        enrolment_token: secret.to_owned(),
        public_key: key.public_pem(),
        hostname: hostname.to_owned(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        os_version: "Debian 12".to_owned(),
        agent_version: "1.0.0".to_owned(),
        csr_der: key.csr(),
        source: Some(IpAddr::from([192, 0, 2, 1])),
        ..RegisterInput::default()
    }
}

/// Signs the releases of these tests.
pub(crate) fn release_key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn installation(deps: &AgentDeps) -> Installation {
    Installation {
        public_url: SITE.to_owned(),
        trusted_origins: Vec::new(),
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(3600),
        session_idle: Duration::from_secs(3600),
        ingest_address: "ops.example.com:9443".to_owned(),
        server_ca_pem: deps.trust.server_authority().cert_pem().to_owned().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::from("/nonexistent"),
        version: "0",
    }
}
