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
use ctops_pg::Pool;
use ctops_settings::Deps;
use ctops_settings::mail::{DeliverMail, EnvironmentRelay};
use ctops_settings::system::{CertificateFact, Facts, QueueFact, ServerFacts, VolumeFact};
use ctops_slice::actor::Authenticator;
use ctops_slice::events::EventHub;
use ctops_slice::licence::{GivenEntitlements, Tier};
use ctops_slice::mail::Mail;
use ctops_slice::settings::Overrides;
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AppState, Credential, Job};
use ctops_testkit::{TestDb, a_clock, a_organisation, a_user};
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
    pub(crate) deps: Deps,
    people: Arc<People>,
    router: Router,
}

/// What a test wants different.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) overrides: Overrides,
    pub(crate) relay: Option<EnvironmentRelay>,
    /// Loopback counts as a public address, because relays of tests listen there.
    pub(crate) loopback: bool,
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
        Ok(self.0.lock().unwrap().values().any(|known| known.session_id() == actor.session_id()))
    }
}

/// Facts of a process that is well.
struct TestFacts;

#[async_trait]
impl ServerFacts for TestFacts {
    async fn facts(&self) -> Facts {
        Facts {
            version: "9.9.9",
            node: "ops-1".into(),
            queue: "embedded",
            waiting: vec![QueueFact { group: "metrics".into(), topic: "metrics.raw".into(), waiting: 3 }],
            certificates: vec![CertificateFact {
                name: "web",
                not_after: a_clock().now() + TimeDelta::days(5),
            }],
            volumes: vec![VolumeFact { name: "state", total_bytes: 100, free_bytes: 5 }],
            remarks: vec!["CT_OPS_PROFILE is set but has no effect in this release".into()],
            configuration: vec![
                "BETTER_AUTH_URL=https://ops.example.com (from BETTER_AUTH_URL)".into(),
                "DATABASE_URL=******** (from DATABASE_URL)".into(),
            ],
        }
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

    /// The code of a refusal.
    #[track_caller]
    pub(crate) fn code(self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn tag(&self) -> String {
        self.headers["etag"].to_str().unwrap().to_owned()
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(crate) async fn with(wishes: Wishes) -> Self {
        let db = TestDb::new().await;
        let (pool, clock) = (db.pool().clone(), a_clock());
        let seal = Arc::new(InstallKey::generate());
        let options = EgressOptions { allow_loopback: wishes.loopback, ..EgressOptions::default() };
        let egress = Egress::new(pool.clone(), options);
        let deps = Deps {
            pool: pool.clone(),
            clock: clock.clone(),
            seal: Arc::clone(&seal),
            egress: egress.clone(),
            overrides: Arc::new(wishes.overrides),
            relay: wishes.relay,
            server_name: "ops.example.com".into(),
            facts: Arc::new(TestFacts),
        };
        let people = Arc::new(People::default());
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: people.clone(),
            installation: Arc::new(installation()),
            seal,
            entitlements: Arc::new(GivenEntitlements::tier(Tier::Community)),
            egress,
        };
        let mut api = OpenApiRouter::new();
        for slice in ctops_settings::slices(&deps, []) {
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
        let actor = Actor::with_roles((user_id, org_id), credential, [role], IpAddr::from([127, 0, 0, 1]));
        let session = format!("session-{}", session_id.simple());
        self.people.0.lock().unwrap().insert(session.clone(), actor);
        session
    }

    pub(crate) async fn person(&self, role: Role) -> String {
        self.person_of(self.org, role).await
    }

    /// Address of whoever has a session.
    pub(crate) async fn email_of(&self, who: &str) -> String {
        let user_id = self.people.0.lock().unwrap()[who].user_id;
        sqlx::query_scalar("SELECT email FROM users WHERE id = $1")
            .bind(user_id)
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, "GET", path, None, None).await
    }

    pub(crate) async fn put(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send(who, "PUT", path, Some(body), None).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send(who, "POST", path, Some(body), None).await
    }

    pub(crate) async fn patch(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send(who, "PATCH", path, Some(body), None).await
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
        let request = request.extension(ConnectInfo(peer)).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Puts a mail into the outbox.
    pub(crate) async fn mail(&self, org_id: Option<Uuid>, to: &str, link: Option<&str>) {
        let mail = Mail {
            org_id,
            to: to.to_owned(),
            kind: "password_reset",
            subject: "Choose a new password".into(),
            text: "Somebody asked for a new password.".into(),
            link: link.map(str::to_owned),
        };
        let mut tx = self.pool().begin().await.unwrap();
        ctops_slice::mail::send(&mut tx, &self.deps.seal, &mail, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs the job that delivers mail.
    pub(crate) async fn deliver(&self) {
        DeliverMail::new(self.deps.clone()).run().await.unwrap();
    }

    /// State, attempts and last error of every mail.
    pub(crate) async fn outbox(&self) -> Vec<(String, i32, Option<String>)> {
        sqlx::query_as("SELECT state, attempts, last_error FROM mail_outbox ORDER BY created_at, id")
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// Actions in the audit trail about one thing, oldest first, with what was before and after.
    pub(crate) async fn audited(&self, target_id: &str) -> Vec<(String, Option<Value>, Option<Value>)> {
        sqlx::query_as("SELECT action, before, after FROM audit_events WHERE target_id = $1 ORDER BY id")
            .bind(target_id)
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// Writes a document past all checks, as an older release or a hand would.
    pub(crate) async fn store(&self, page: &str, document: Value) {
        sqlx::query(
            "INSERT INTO settings (org_id, page, version, document, updated_at)
             VALUES ($1, $2, 1, $3, now())
             ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
        )
        .bind(self.org)
        .bind(page)
        .bind(document)
        .execute(self.pool())
        .await
        .unwrap();
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
