//! The area's slices behind the real guard, on a database of their own, with an issuer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use ctops_base::{Clock, Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_issuer::keys::SigningKey;
use ctops_licensing::licences::KeySources;
use ctops_licensing::{Deps, Licensing, VerifierTrust};
use ctops_pg::Pool;
use ctops_slice::actor::Authenticator;
use ctops_slice::events::EventHub;
use ctops_slice::state::Installation;
use ctops_slice::{Access, Actor, ApiResult, AppState, Credential, Feature, Job, Permission, Slice};
use ctops_testkit::{TestDb, a_clock, a_organisation, a_user};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

const SITE: &str = "https://ops.example.com";

/// A feature that somebody pays for.
static GATED: Permission = Permission { name: "gated.read", roles: &Role::ALL, about: "For tests." };

#[utoipa::path(get, path = "/gated", responses((status = 200)))]
async fn gated() -> ApiResult<&'static str> {
    Ok("1")
}

/// The application of one test: one organisation and a clock that stands still. Licences are signed with the
/// development key.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) org: Uuid,
    pub(crate) seal: Arc<InstallKey>,
    pub(crate) licensing: Licensing,
    pub(crate) state: AppState,
    pub(crate) admin: String,
    pub(crate) jobs: Vec<Arc<dyn Job>>,
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

/// Trusts the development key.
pub(crate) fn development() -> VerifierTrust {
    VerifierTrust::choose(KeySources::default(), true).unwrap()
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(development(), None).await
    }

    pub(crate) async fn with(trust: VerifierTrust, revocation_url: Option<String>) -> Self {
        let db = TestDb::new().await;
        let (pool, clock) = (db.pool().clone(), a_clock());
        let seal = Arc::new(InstallKey::generate());
        let licensing = Licensing::new(pool.clone(), clock.clone(), Arc::clone(&seal), trust);
        let people = Arc::new(People::default());
        let options = EgressOptions { allow_loopback: true, ..EgressOptions::default() };
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: people.clone(),
            installation: Arc::new(installation()),
            seal: Arc::clone(&seal),
            entitlements: Arc::new(licensing.clone()),
            egress: Egress::new(pool.clone(), options),
        };
        let deps = Deps {
            pool: pool.clone(),
            clock: clock.clone(),
            seal: Arc::clone(&seal),
            egress: state.egress.clone(),
            licensing: licensing.clone(),
            revocation_url,
            public_url: SITE.into(),
        };
        let paid = Slice::new("gated")
            .permissions(&[&GATED])
            .operation(Access::Licensed(&GATED, Feature::AuditLog), routes!(gated));
        let (mut api, mut jobs) = (OpenApiRouter::new(), Vec::new());
        for slice in ctops_licensing::slices(&deps).into_iter().chain([paid]) {
            jobs.extend_from_slice(slice.jobs());
            api = api.merge(slice.into_router());
        }
        let guard = axum::middleware::from_fn_with_state(state.clone(), ctops_slice::guard::guard);
        let router = api.split_for_parts().0.layer(guard).with_state(state.clone());
        let org = a_organisation(&pool).await;
        let mut app =
            Self { db, clock, org, seal, licensing, state, admin: String::new(), jobs, people, router };
        app.admin = app.person(Role::OrgAdmin).await;
        app
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.db.pool()
    }

    /// A session of somebody with one role.
    pub(crate) async fn person(&self, role: Role) -> String {
        self.person_of(self.org, role).await.0
    }

    pub(crate) async fn person_of(&self, org_id: Uuid, role: Role) -> (String, Actor) {
        let user_id = a_user(self.pool(), org_id, &[role]).await;
        let session_id = Uuid::new_v4();
        let credential = Credential::session(session_id, self.clock.now() + TimeDelta::days(1));
        let actor = Actor::with_roles((user_id, org_id), credential, [role], IpAddr::from([127, 0, 0, 1]));
        let session = format!("session-{}", session_id.simple());
        self.people.0.lock().unwrap().insert(session.clone(), actor.clone());
        (session, actor)
    }

    /// A request; the answer's status and body.
    pub(crate) async fn send(
        &self,
        who: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", format!("__Host-ctops_session={who}"))
            .header("origin", SITE)
            .header("x-ctops-request", "1")
            .header("content-type", "application/json")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        let body = body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// What the administrator gets, after checking the status.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, body) = self.send(&self.admin, method, path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {body}");
        body
    }

    pub(crate) async fn activate(&self, key: &str) -> (StatusCode, Value) {
        self.send(&self.admin, "PUT", "/licence", Some(json!({"key": key}))).await
    }

    /// Activates a key with further claims.
    pub(crate) async fn licensed(&self, more: Value) -> Value {
        let (status, body) = self.activate(&self.key(more)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Claims of a key of Pro for the test's organisation that ends in 100 days, with `more` put over them.
    pub(crate) fn claims(&self, more: Value) -> Value {
        let now = self.clock.now().timestamp();
        let mut claims = json!({
            "iss": "licence.carrtech.dev",
            "aud": "install.carrtech.dev",
            "sub": self.org.to_string(),
            "jti": Uuid::new_v4().to_string(),
            "iat": now,
            "exp": now + 100 * 86_400,
            "tier": "pro",
            "customer": {"name": "Dubois", "email": "it@dubois.example"},
        });
        if let Value::Object(more) = more {
            claims.as_object_mut().unwrap().extend(more);
        }
        claims
    }

    pub(crate) fn key(&self, more: Value) -> String {
        SigningKey::development().unwrap().sign(&self.claims(more)).unwrap()
    }

    /// Status and tier of the organisation.
    pub(crate) async fn state(&self) -> (String, String) {
        let body = self.ok("GET", "/licence", None).await;
        (body["status"].as_str().unwrap().to_owned(), body["tier"].as_str().unwrap().to_owned())
    }

    /// Runs the job with this name.
    pub(crate) async fn run(&self, job: &str) {
        let job = self.jobs.iter().find(|known| known.name() == job).expect("a job of that name");
        job.run().await.unwrap();
    }

    /// Actions in the audit trail that begin so, oldest first, with their reason codes.
    pub(crate) async fn audited(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT concat_ws(' ', action, reason_code) FROM audit_events WHERE action LIKE 'licence.%' ORDER BY id",
        )
        .fetch_all(self.pool())
        .await
        .unwrap()
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.pool()).await.unwrap();
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
