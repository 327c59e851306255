//! The app in process, and requests to it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use ctops_base::Clock;
use ctops_egress::{Egress, EgressOptions};
use ctops_identity::passwords::Passwords;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_identity::setup::{SetupCode, prepare};
use ctops_identity::{Deps, slices};
use ctops_slice::events::EventHub;
use ctops_slice::guard::guard;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{AppState, Job};
use ctops_testkit::{TestDb, a_clock};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub(crate) const ORIGIN: &str = "https://ops.example.com";
pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "difference engine no 2";

pub(crate) fn an_installation() -> Installation {
    Installation {
        public_url: ORIGIN.into(),
        trusted_origins: vec!["https://alias.example.com".into()],
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(7 * 24 * 3600),
        session_idle: Duration::from_secs(24 * 3600),
        ingest_address: "ops.example.com:9443".into(),
        server_ca_pem: String::new().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::new(),
        version: "0.0.0",
    }
}

/// The area behind the guard. The clock stands still unless a test moves it.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) passwords: Passwords,
    pub(crate) state: AppState,
    pub(crate) jobs: Vec<Arc<dyn Job>>,
    /// What the organisation may use: everything, unless a test takes it away.
    pub(crate) licence: GivenEntitlements,
    router: Router,
}

impl App {
    /// An installation nobody set up, which was not prepared for set-up either.
    pub(crate) async fn unprepared(installation: Installation) -> Self {
        let db = TestDb::new().await;
        let clock = a_clock();
        let installation = Arc::new(installation);
        let authenticator = SessionAuthenticator::new(db.pool().clone(), clock.clone(), &installation);
        let licence = GivenEntitlements::tier(Tier::Enterprise);
        let state = AppState {
            pool: db.pool().clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(authenticator),
            installation: installation.clone(),
            seal: Arc::new(ctops_crypto::seal::InstallKey::generate()),
            entitlements: Arc::new(licence.clone()),
            egress: Egress::new(
                db.pool().clone(),
                EgressOptions { allow_loopback: true, ..EgressOptions::default() },
            ),
        };
        let passwords = Passwords::new();
        let deps = Deps {
            pool: db.pool().clone(),
            clock: clock.clone(),
            installation,
            passwords: passwords.clone(),
            other_permissions: vec![&THINGS_READ, &THINGS_BREAK],
            reauthenticate: Vec::new(),
        };
        let mut api: OpenApiRouter<AppState> = OpenApiRouter::new();
        let mut jobs = Vec::new();
        for slice in slices(deps) {
            jobs.extend_from_slice(slice.jobs());
            api = api.merge(slice.into_router());
        }
        let guarded = axum::middleware::from_fn_with_state(state.clone(), guard);
        let router = Router::from(api).layer(guarded).with_state(state.clone());
        Self { db, clock, passwords, state, jobs, licence, router }
    }

    /// An installation that waits for set-up without a code.
    pub(crate) async fn prepared_with(installation: Installation) -> Self {
        let app = Self::unprepared(installation).await;
        prepare(app.db.pool(), &app.clock, SetupCode::Off).await.unwrap();
        app
    }

    /// An installation set up by [`EMAIL`], and that person's browser.
    pub(crate) async fn set_up() -> (Self, Browser) {
        Self::set_up_with(an_installation()).await
    }

    pub(crate) async fn set_up_with(installation: Installation) -> (Self, Browser) {
        let app = Self::prepared_with(installation).await;
        let answer = app.send(post("/setup", set_up_body()).from("192.0.2.250")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let browser = answer.browser();
        (app, browser)
    }

    /// Another member with the same password as the first one.
    pub(crate) async fn add_member(&self, email: &str, roles: &[&str]) -> Uuid {
        sqlx::query_scalar(
            "WITH person AS (
                 INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
                 SELECT $1, $2, 'Another', password_hash, email_verified_at, created_at FROM users LIMIT 1
                 RETURNING id
             ), membership AS (
                 INSERT INTO memberships (org_id, user_id, roles, created_at)
                 SELECT o.id, p.id, $3, o.created_at FROM organisations o, person p
             )
             SELECT id FROM person",
        )
        .bind(ctops_base::id::new_id())
        .bind(email)
        .bind(roles)
        .fetch_one(self.db.pool())
        .await
        .unwrap()
    }

    /// Changes keys of the settings page `authentication`.
    pub(crate) async fn set_authentication(&self, document: Value) {
        sqlx::query(
            "INSERT INTO settings (org_id, page, version, document, updated_at)
             SELECT id, 'authentication', 1, $1, created_at FROM organisations
             ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
        )
        .bind(document)
        .execute(self.db.pool())
        .await
        .unwrap();
    }

    /// Makes a second factor a duty.
    pub(crate) async fn demand_second_factor(&self) {
        self.set_authentication(json!({ "require_two_factor": true })).await;
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.db.pool()).await.unwrap();
    }

    /// The actions in the audit trail, oldest first.
    pub(crate) async fn audit(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT action FROM audit_events ORDER BY id")
            .fetch_all(self.db.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.db.pool()).await.unwrap()
    }

    pub(crate) async fn send(&self, call: Call) -> Answer {
        let response = self.router.clone().oneshot(call.into_request()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Signs in from `ip`.
    pub(crate) async fn login(&self, email: &str, password: &str, ip: &str) -> Answer {
        self.send(post("/auth/login", json!({ "email": email, "password": password })).from(ip)).await
    }
}

static THINGS_READ: ctops_slice::Permission =
    ctops_slice::Permission { name: "things.read", roles: &ctops_base::Role::ALL, about: "" };
static THINGS_BREAK: ctops_slice::Permission =
    ctops_slice::Permission { name: "things.break", roles: &[ctops_base::Role::SuperAdmin], about: "" };

pub(crate) fn set_up_body() -> Value {
    json!({
        "organisation_name": "Analytical Engines",
        "name": "Ada Lovelace",
        "email": EMAIL,
        "password": PASSWORD,
        "password_confirmation": PASSWORD,
    })
}

/// A browser that holds a session.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) session_id: Uuid,
}

impl Browser {
    /// The secret part of the cookie.
    pub(crate) fn token(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }
}

/// A request in the making: from a page of ours, unless said otherwise.
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<String>,
    ip: IpAddr,
    headers: HeaderMap,
}

pub(crate) fn call(method: Method, path: &str) -> Call {
    let call = Call {
        method,
        path: path.to_owned(),
        body: None,
        ip: [192, 0, 2, 1].into(),
        headers: HeaderMap::new(),
    };
    call.header("origin", ORIGIN).header("x-ctops-request", "1")
}

pub(crate) fn get(path: &str) -> Call {
    call(Method::GET, path)
}

pub(crate) fn delete(path: &str) -> Call {
    call(Method::DELETE, path)
}

#[expect(clippy::needless_pass_by_value, reason = "so that calls can build the body in place")]
pub(crate) fn post(path: &str, body: Value) -> Call {
    post_raw(path, body.to_string())
}

pub(crate) fn post_raw(path: &str, body: String) -> Call {
    let mut call = call(Method::POST, path).header("content-type", "application/json");
    call.body = Some(body);
    call
}

#[expect(clippy::needless_pass_by_value, reason = "so that calls can build the body in place")]
pub(crate) fn json_call(method: Method, path: &str, body: Value) -> Call {
    let mut call = call(method, path).header("content-type", "application/json");
    call.body = Some(body.to_string());
    call
}

impl Call {
    pub(crate) fn from(mut self, ip: &str) -> Self {
        self.ip = ip.parse().unwrap();
        self
    }

    pub(crate) fn with(self, browser: &Browser) -> Self {
        let cookie = browser.cookie.clone();
        self.header("cookie", &cookie)
    }

    pub(crate) fn body(mut self, body: String) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    fn into_request(self) -> Request<Body> {
        let body = self.body.map_or_else(Body::empty, Body::from);
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.ip, 40_000)));
        request
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// All cookies it sets.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    /// Path and code of each field that was refused.
    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        let fields = self.body["fields"].as_array().unwrap();
        fields.iter().map(|f| (f["path"].as_str().unwrap(), f["code"].as_str().unwrap())).collect()
    }

    pub(crate) fn set_cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().unwrap()
    }

    pub(crate) fn retry_after(&self) -> u64 {
        self.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap()
    }

    /// The browser that got this answer to a sign-in.
    #[track_caller]
    pub(crate) fn browser(&self) -> Browser {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        let cookie = self.set_cookie().split(';').next().unwrap().to_owned();
        // Set-up answers with who is signed in, sign-ins wrap that.
        let me = if self.body["me"].is_object() { &self.body["me"] } else { &self.body };
        Browser { cookie, session_id: me["session"]["id"].as_str().unwrap().parse().unwrap() }
    }
}
