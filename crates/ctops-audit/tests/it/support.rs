//! The area's slice behind the real guard, on a database of its own.

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
use ctops_audit::Deps;
use ctops_audit::chain::seal_all;
use ctops_base::{Clock, Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_pg::Pool;
use ctops_slice::actor::Authenticator;
use ctops_slice::audit::{AuditEvent, By, append};
use ctops_slice::events::EventHub;
use ctops_slice::licence::{Entitlement, GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AppState, Credential, Job};
use ctops_testkit::{TestDb, a_clock, a_organisation, a_user};
use serde_json::Value;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

const SITE: &str = "https://ops.example.com";

/// The application of one test: one organisation with every feature, and a clock that stands still.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) org: Uuid,
    pub(crate) deps: Deps,
    tiers: GivenEntitlements,
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
    pub(crate) text: String,
}

impl Answer {
    /// The body, after checking the status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// The problem's code, after checking the status.
    #[track_caller]
    pub(crate) fn code(&self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with_authority(None).await
    }

    /// An application that trusts this certificate authority, PEM, beside those of the system.
    pub(crate) async fn trusting(authority: &str) -> Self {
        Self::with_authority(Some(authority.to_owned())).await
    }

    async fn with_authority(extra_ca_pem: Option<String>) -> Self {
        let db = TestDb::new().await;
        let (pool, clock) = (db.pool().clone(), a_clock());
        let options = EgressOptions { allow_loopback: true, extra_ca_pem, ..EgressOptions::default() };
        let tiers = GivenEntitlements::tier(Tier::Pro);
        let deps = Deps {
            pool: pool.clone(),
            clock: clock.clone(),
            seal: Arc::new(InstallKey::generate()),
            entitlements: Arc::new(tiers.clone()),
            egress: Egress::new(pool.clone(), options),
        };
        let people = Arc::new(People::default());
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: people.clone(),
            installation: Arc::new(installation()),
            seal: deps.seal.clone(),
            entitlements: deps.entitlements.clone(),
            egress: deps.egress.clone(),
        };
        let mut api = OpenApiRouter::new();
        for slice in ctops_audit::slices(&deps) {
            api = api.merge(slice.into_router());
        }
        let guard = axum::middleware::from_fn_with_state(state.clone(), ctops_slice::guard::guard);
        let router = api.split_for_parts().0.layer(guard).with_state(state);
        let org = a_organisation(&pool).await;
        Self { db, clock, org, deps, tiers, people, router }
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.db.pool()
    }

    pub(crate) fn licence(&self, tier: Tier) {
        self.tiers.set(Entitlement::of_tier(tier));
    }

    /// The session of somebody of an organisation with one role, and their user id.
    pub(crate) async fn somebody(&self, org_id: Uuid, role: Role) -> (String, Uuid) {
        let user_id = a_user(self.pool(), org_id, &[role]).await;
        let session_id = Uuid::new_v4();
        let credential = Credential::session(session_id, self.clock.now() + TimeDelta::days(1));
        let ip = IpAddr::from([192, 0, 2, 7]);
        let actor = Actor::with_roles((user_id, org_id), credential, [role], ip);
        let session = format!("session-{}", session_id.simple());
        self.people.0.lock().unwrap().insert(session.clone(), actor);
        (session, user_id)
    }

    pub(crate) async fn person(&self, role: Role) -> String {
        self.somebody(self.org, role).await.0
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, "GET", path, None).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send(who, "POST", path, Some(body)).await
    }

    pub(crate) async fn send(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", format!("__Host-ctops_session={who}"))
            .header("user-agent", "test browser")
            .header("origin", SITE)
            .header("x-ctops-request", "1");
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let peer = SocketAddr::from(([192, 0, 2, 7], 50_000));
        let request = request.extension(ConnectInfo(peer)).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Writes one event now.
    pub(crate) async fn write(&self, event: AuditEvent) {
        let mut tx = self.pool().begin().await.unwrap();
        append(&mut tx, &event, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Writes so many events of the organisation, a second apart, and seals them.
    pub(crate) async fn write_many(&self, count: usize) {
        for n in 0..count {
            self.clock.advance(TimeDelta::seconds(1));
            let event = AuditEvent::by(By::System, Some(self.org), "host.updated", "host")
                .on(n)
                .because("test")
                .summary(format!("event {n}"));
            self.write(event).await;
        }
        self.seal().await;
    }

    pub(crate) async fn seal(&self) -> usize {
        seal_all(self.pool()).await.unwrap()
    }

    /// Runs the job with this name once.
    pub(crate) async fn run(&self, name: &str) {
        let slices = ctops_audit::slices(&self.deps);
        let job = slices.iter().flat_map(|s| s.jobs()).find(|job| job.name() == name).unwrap();
        Job::run(job.as_ref()).await.unwrap();
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(self.pool()).await.unwrap()
    }

    /// Changes rows as somebody could who owns the database and switches the triggers off.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        let mut tx = self.pool().begin().await.unwrap();
        for table in ["audit_events", "audit_chain", "audit_checkpoints"] {
            let off = format!("ALTER TABLE {table} DISABLE TRIGGER USER");
            sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut *tx).await.unwrap();
        }
        sqlx::raw_sql(statement).execute(&mut *tx).await.unwrap();
        for table in ["audit_events", "audit_chain", "audit_checkpoints"] {
            let on = format!("ALTER TABLE {table} ENABLE TRIGGER USER");
            sqlx::raw_sql(sqlx::AssertSqlSafe(on)).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
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
