//! The composed server in process, on a database of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use ctops_base::id::new_id;
use ctops_base::{Clock, Role};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::{random_token, sha256};
use ctops_egress::{Egress, EgressOptions};
use ctops_fleet::agents::{AgentDeps, AgentTrust, RegisterLimits};
use ctops_fleet::bulk_delete::AdminKey;
use ctops_fleet::releases::ReleaseDeps;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_licensing::{Licensing, VerifierTrust};
use ctops_server::composition::{Composition, Parts, SettingsParts};
use ctops_server::web::{Check, Health, WebParts, router};
use ctops_settings::system::{Facts, ServerFacts};
use ctops_slice::AppState;
use ctops_slice::events::EventHub;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::slice::OperationInfo;
use ctops_slice::state::Installation;
use ctops_testkit::{TestDb, a_user};
use tower::ServiceExt;
use uuid::Uuid;

/// Address that browsers use in these tests.
pub(crate) const ORIGIN: &str = "https://ops.example.com";

/// The key of the bulk deletion.
pub(crate) const BULK_DELETE_KEY: &str = "key of the load test";

/// The server.
pub(crate) struct App {
    pub(crate) db: TestDb,
    pub(crate) router: Router,
    pub(crate) operations: Vec<OperationInfo>,
    pub(crate) document: String,
    pub(crate) permissions: Vec<&'static ctops_slice::Permission>,
}

impl App {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let pool = db.pool().clone();
        let clock = Clock::system();
        let installation = Arc::new(installation());
        let trust = AgentTrust::load_or_create(&pool, &InstallKey::generate(), &clock).await.unwrap();
        let agents = AgentDeps {
            pool: pool.clone(),
            clock: clock.clone(),
            trust: Arc::new(trust),
            limits: RegisterLimits::default(),
            releases: ReleaseDeps::new(Path::new("/nonexistent"), [0; 32], ORIGIN),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
        };
        let seal = Arc::new(InstallKey::generate());
        let licensing =
            Licensing::new(pool.clone(), clock.clone(), Arc::clone(&seal), VerifierTrust::nothing());
        let parts = Parts {
            bulk_delete_key: Some(AdminKey::new(BULK_DELETE_KEY)),
            pool: pool.clone(),
            clock: clock.clone(),
            installation: Arc::clone(&installation),
            agents,
            install_key: Arc::clone(&seal),
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
            egress: Egress::new(pool.clone(), EgressOptions::default()),
            licensing,
            revocation_url: None,
            settings: settings_parts(),
        };
        let composition = Composition::new(parts);
        let document = composition.document_json().unwrap();
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(SessionAuthenticator::new(pool.clone(), clock, &installation)),
            installation,
            seal,
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Enterprise)),
            egress: Egress::new(pool.clone(), EgressOptions::default()),
        };
        let parts = WebParts {
            health: Health::new(vec![Check::Database(pool)]),
            metrics: None,
            jwks_json: "{}".into(),
            document_json: document.clone(),
        };
        let router = router(composition.api, state, parts);
        Self {
            db,
            router,
            operations: composition.operations,
            document,
            permissions: composition.permissions,
        }
    }

    /// A signed-in session of a new member with `role`; its token.
    pub(crate) async fn session(&self, org_id: Uuid, role: Role) -> String {
        let user_id = a_user(self.db.pool(), org_id, &[role]).await;
        let token = random_token("");
        sqlx::query(
            "INSERT INTO sessions
                 (id, token_hash, user_id, org_id, method, ip, user_agent, created_at, last_used_at, confirmed_at,
                  expires_at)
             VALUES ($1, $2, $3, $4, 'password', '127.0.0.1', 'test', now(), now(), now(),
                     now() + interval '1 day')",
        )
        .bind(new_id())
        .bind(sha256(token.as_bytes()).as_slice())
        .bind(user_id)
        .bind(org_id)
        .execute(self.db.pool())
        .await
        .unwrap();
        token
    }

    /// One request, as a browser would send it.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        session: Option<&str>,
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", ORIGIN)
            .header("x-ctops-request", "1")
            .header("content-type", "application/json")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        if let Some(token) = session {
            request = request.header("cookie", format!("__Host-ctops_session={token}"));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, self.router.clone().oneshot(request)).await.expect("an answer").unwrap()
    }

    pub(crate) async fn status(&self, method: &str, path: &str, session: Option<&str>) -> StatusCode {
        self.call(method, path, session, "{}").await.status()
    }
}

fn installation() -> Installation {
    Installation {
        public_url: ORIGIN.into(),
        trusted_origins: vec![],
        trust_proxy_headers: false,
        require_email_verification: true,
        session_lifetime: Duration::from_secs(7 * 86_400),
        session_idle: Duration::from_secs(86_400),
        ingest_address: "ops.example.com:9443".into(),
        server_ca_pem: String::new().into(),
        server_pin: None.into(),
        agent_dist_dir: PathBuf::from("/nonexistent"),
        version: "0.0.0",
    }
}

/// Facts of no process.
struct NoFacts;

#[async_trait::async_trait]
impl ServerFacts for NoFacts {
    async fn facts(&self) -> Facts {
        Facts::default()
    }
}

fn settings_parts() -> SettingsParts {
    SettingsParts { overrides: Arc::default(), relay: None, facts: Arc::new(NoFacts) }
}
