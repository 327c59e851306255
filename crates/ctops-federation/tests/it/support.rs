//! The area's slices with those of identity behind the real guard, on a database of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use ctops_base::id::new_id;
use ctops_base::{Clock, Role};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::{random_token, sha256};
use ctops_egress::{Egress, EgressOptions};
use ctops_identity::passwords::Passwords;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_slice::events::EventHub;
use ctops_slice::guard::guard;
use ctops_slice::licence::{Entitlement, GivenEntitlements, Tier};
use ctops_slice::state::Installation;
use ctops_slice::{AppState, Job};
use ctops_testkit::{TestDb, a_organisation, a_user};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub(crate) const SITE: &str = "https://ops.example.com";

/// The application of one test with one organisation.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) clock: Clock,
    pub(crate) org: Uuid,
    pub(crate) jobs: Vec<Arc<dyn Job>>,
    licence: GivenEntitlements,
    router: Router,
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.body()["code"].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// Name and value of the cookies it sets that are not empty.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let pairs = self.headers.get_all(header::SET_COOKIE).iter();
        let pairs = pairs.map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned());
        pairs.filter(|pair| !pair.ends_with('=')).collect()
    }

    /// The cookie with this name.
    #[track_caller]
    pub(crate) fn cookie(&self, name: &str) -> String {
        let found = self.cookies().into_iter().find(|pair| pair.starts_with(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no cookie {name} in {:?}", self.headers))
    }
}

impl App {
    /// Keeps the time of the machine, because real providers do.
    pub(crate) async fn new() -> Self {
        Self::with_clock(Clock::system()).await
    }

    pub(crate) async fn with_clock(clock: Clock) -> Self {
        let db = TestDb::new().await;
        let pool = db.pool().clone();
        let installation = Arc::new(installation());
        let licence = GivenEntitlements::tier(Tier::Enterprise);
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(SessionAuthenticator::new(pool.clone(), clock.clone(), &installation)),
            installation: Arc::clone(&installation),
            seal: Arc::new(InstallKey::generate()),
            entitlements: Arc::new(licence.clone()),
            egress: Egress::new(
                pool.clone(),
                EgressOptions { allow_loopback: true, ..EgressOptions::default() },
            ),
        };
        let deps = ctops_federation::Deps { pool: pool.clone(), clock: clock.clone() };
        let mut slices = ctops_federation::slices(&deps);
        slices.extend(ctops_identity::slices(ctops_identity::Deps {
            pool: pool.clone(),
            clock: clock.clone(),
            installation,
            passwords: Passwords::new(),
            other_permissions: Vec::new(),
            reauthenticate: ctops_federation::reauthentication(),
        }));
        let mut api: OpenApiRouter<AppState> = OpenApiRouter::new();
        let mut jobs = Vec::new();
        for slice in slices {
            jobs.extend_from_slice(slice.jobs());
            api = api.merge(slice.into_router());
        }
        let guarded = axum::middleware::from_fn_with_state(state.clone(), guard);
        let router = Router::from(api).layer(guarded).with_state(state);
        let org = a_organisation(&pool).await;
        Self { db, clock, org, jobs, licence, router }
    }

    /// From now on this tier is what everybody has.
    pub(crate) fn licensed(&self, tier: Tier) {
        self.licence.set(Entitlement::of_tier(tier));
    }

    /// A session of a new member with one role, as a cookie.
    pub(crate) async fn person(&self, role: Role) -> String {
        let user_id = a_user(self.db.pool(), self.org, &[role]).await;
        self.session_of(user_id).await
    }

    pub(crate) async fn session_of(&self, user_id: Uuid) -> String {
        let token = random_token("");
        let now = self.clock.now();
        sqlx::query(
            "INSERT INTO sessions
                 (id, token_hash, user_id, org_id, method, ip, user_agent, created_at, last_used_at, expires_at, confirmed_at)
             VALUES ($1, $2, $3, $4, 'password', '127.0.0.1', 'test', $5, $5, $6, $5)",
        )
        .bind(new_id())
        .bind(sha256(token.as_bytes()).as_slice())
        .bind(user_id)
        .bind(self.org)
        .bind(now)
        .bind(now + chrono::TimeDelta::hours(1))
        .execute(self.db.pool())
        .await
        .unwrap();
        format!("__Host-ctops_session={token}")
    }

    /// A request of a page of ours.
    pub(crate) async fn send(&self, cookie: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", cookie)
            .header("origin", SITE)
            .header("x-ctops-request", "1");
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.answer(request.body(body).unwrap()).await
    }

    /// A browser that follows a link or redirect from another site.
    pub(crate) async fn visit(&self, cookie: &str, path: &str) -> Answer {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        self.answer(Request::builder().uri(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
    }

    /// A browser that posts a form from another site: without cookies of ours.
    pub(crate) async fn post_form(&self, path: &str, form: String) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("origin", "https://idp.example.com")
            .header("content-type", "application/x-www-form-urlencoded");
        self.answer(request.body(Body::from(form)).unwrap()).await
    }

    pub(crate) async fn answer(&self, mut request: Request<Body>) -> Answer {
        // Each call from an address of its own, so that throttles do not meet in tests that are not about them.
        let last = uuid::Uuid::new_v4().as_bytes()[0] % 250 + 1;
        let third = uuid::Uuid::new_v4().as_bytes()[0];
        let peer = SocketAddr::from(([10, 9, third, last], 50_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        self.answer_from(request).await
    }

    /// The answer to a request that names its own address.
    pub(crate) async fn answer_from(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Who is signed in with a session.
    pub(crate) async fn me(&self, cookie: &str) -> Value {
        self.send(cookie, "GET", "/me", None).await.expect(200)
    }

    /// Changes keys of the settings page `authentication`.
    pub(crate) async fn set_authentication(&self, document: Value) {
        sqlx::query(
            "INSERT INTO settings (org_id, page, version, document, updated_at) VALUES ($1, 'authentication', 1, $2, $3)
             ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
        )
        .bind(self.org)
        .bind(document)
        .bind(self.clock.now())
        .execute(self.db.pool())
        .await
        .unwrap();
    }

    /// Codes of refused sign-ins, oldest first.
    pub(crate) async fn refusals(&self) -> Vec<(String, String)> {
        sqlx::query_as(
            "SELECT reason_code, summary FROM audit_events WHERE action = 'auth.login.failed' ORDER BY id",
        )
        .fetch_all(self.db.pool())
        .await
        .unwrap()
    }
}

/// Settings of an OpenID provider that nobody needs to reach.
pub(crate) fn oidc_settings() -> Value {
    json!({
        "preset": "custom", "issuer": "https://idp.example.com", "client_id": "ct-ops", "scopes": ["profile", "email"],
    })
}

fn installation() -> Installation {
    Installation {
        public_url: SITE.to_owned(),
        trusted_origins: Vec::new(),
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(7 * 86_400),
        session_idle: Duration::from_secs(86_400),
        ingest_address: "ops.example.com:9443".to_owned(),
        server_ca_pem: String::new().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::from("/nonexistent"),
        version: "0",
    }
}
