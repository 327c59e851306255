//! The area in process, behind the guard, with accounts and requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressOptions};
use ctops_identity::passwords::Passwords;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_identity::setup::{SetupCode, prepare};
use ctops_slice::AppState;
use ctops_slice::events::EventHub;
use ctops_slice::guard::guard;
use ctops_slice::licence::GivenEntitlements;
use ctops_slice::state::Installation;
use ctops_testkit::{TestDb, a_clock};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::slapd::{BASE, PEOPLE, SERVICE, SERVICE_PASSWORD, Slapd};

const ORIGIN: &str = "https://ops.example.com";
/// Password of the local accounts.
pub(crate) const LOCAL_PASSWORD: &str = "difference engine no 2";
/// Address of the local super_admin.
pub(crate) const LOCAL_EMAIL: &str = "root@example.com";

/// The area; the clock stands still.
pub(crate) struct App {
    pub(crate) db: TestDb,
    router: Router,
    /// Cookie of the super_admin who set the installation up.
    pub(crate) admin: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    cookies: Vec<String>,
}

impl Answer {
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// The session cookie.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        let found = self.cookies.iter().find(|cookie| cookie.contains("ctops_session="));
        found.unwrap_or_else(|| panic!("no session: {} {}", self.status, self.body)).clone()
    }
}

fn installation() -> Installation {
    Installation {
        public_url: ORIGIN.into(),
        trusted_origins: Vec::new(),
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

impl App {
    /// An installation with a super_admin.
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let (clock, installation) = (a_clock(), Arc::new(installation()));
        let options = EgressOptions { allow_loopback: true, ..EgressOptions::default() };
        let authenticator = SessionAuthenticator::new(db.pool().clone(), clock.clone(), &installation);
        let state = AppState {
            pool: db.pool().clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(authenticator),
            installation: Arc::clone(&installation),
            seal: Arc::new(InstallKey::generate()),
            entitlements: Arc::new(GivenEntitlements::default()),
            egress: Egress::new(db.pool().clone(), options),
        };
        let area = ctops_directory::area();
        let mut slices = area.slices;
        let deps = ctops_identity::Deps {
            pool: db.pool().clone(),
            clock: clock.clone(),
            installation,
            passwords: Passwords::new(),
            other_permissions: slices
                .iter()
                .flat_map(|slice| slice.declared_permissions().to_vec())
                .collect(),
            reauthenticate: vec![area.reauthenticate],
        };
        slices.extend(ctops_identity::slices(deps));
        let mut api: OpenApiRouter<AppState> = OpenApiRouter::new();
        for slice in slices {
            api = api.merge(slice.into_router());
        }
        let guarded = axum::middleware::from_fn_with_state(state.clone(), guard);
        let router = Router::from(api).layer(guarded).with_state(state);
        prepare(db.pool(), &clock, SetupCode::Off).await.unwrap();
        let mut app = Self { db, router, admin: String::new() };
        let set_up = json!({
            "organisation_name": "Analytical Engines",
            "name": "Root Admin",
            "email": LOCAL_EMAIL,
            "password": LOCAL_PASSWORD,
            "password_confirmation": LOCAL_PASSWORD,
        });
        app.admin = app.send(Method::POST, "/setup", Some(set_up), "", "192.0.2.250").await.cookie();
        app
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        cookie: &str,
        ip: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", ORIGIN)
            .header("x-ctops-request", "1")
            .header("content-type", "application/json");
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 40_000)));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 << 20).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        let set = parts.headers.get_all(header::SET_COOKIE).iter();
        let cookies =
            set.map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
        Answer { status: parts.status, body, cookies }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Method::GET, path, None, cookie, "192.0.2.1").await
    }

    /// As the super_admin.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &self.admin, "192.0.2.1").await
    }

    /// As the super_admin.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), &self.admin, "192.0.2.1").await
    }

    /// Adds a directory; its id.
    pub(crate) async fn add(&self, input: Value) -> String {
        let made = self.post("/ldap-configurations", input).await.ok();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Signs in with a directory from an address of its own.
    pub(crate) async fn ldap_login(
        &self,
        directory: &str,
        username: &str,
        password: &str,
        ip: &str,
    ) -> Answer {
        let body = json!({ "directory_id": directory, "username": username, "password": password });
        self.send(Method::POST, "/auth/ldap/login", Some(body), "", ip).await
    }

    /// Cookie of a new member with these roles.
    pub(crate) async fn member(&self, email: &str, role: &str) -> String {
        sqlx::query(
            "WITH person AS (
                 INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
                 SELECT $1, $2, 'Another', password_hash, email_verified_at, created_at FROM users LIMIT 1
                 RETURNING id
             )
             INSERT INTO memberships (org_id, user_id, roles, created_at)
             SELECT o.id, p.id, ARRAY[$3], o.created_at FROM organisations o, person p",
        )
        .bind(Uuid::now_v7())
        .bind(email)
        .bind(role)
        .execute(self.db.pool())
        .await
        .unwrap();
        let body = json!({ "email": email, "password": LOCAL_PASSWORD });
        self.send(Method::POST, "/auth/login", Some(body), "", "192.0.2.200").await.cookie()
    }

    /// Everything in the audit trail as text: action, reason, summary, difference.
    pub(crate) async fn audit(&self) -> String {
        let lines: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', action, outcome, reason_code, summary, before::text, after::text)
             FROM audit_events ORDER BY id",
        )
        .fetch_all(self.db.pool())
        .await
        .unwrap();
        lines.join("\n")
    }
}

/// A directory like OpenLDAP on a server, reached with LDAPS and the pinned authority.
pub(crate) fn openldap(slapd: &Slapd) -> Value {
    json!({
        "name": "Corp",
        "enabled": true,
        "login_allowed": true,
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "ca_pem": slapd.ca_pem,
        "settings": {
            "preset": "openldap",
            "transport": "ldaps",
            "servers": [{ "host": "127.0.0.1", "port": slapd.tls_port }],
            "base_dn": BASE,
            "user_base": PEOPLE,
            "user_filter": "(uid={{username}})",
            "username_attribute": "uid",
            "display_attribute": "cn",
            "group_filter": "",
            "connect_timeout_s": 5,
            "operation_timeout_s": 10,
        },
    })
}

/// The same server, asked like Active Directory.
pub(crate) fn active_directory(slapd: &Slapd) -> Value {
    let mut input = openldap(slapd);
    input["name"] = json!("AD");
    let settings = &mut input["settings"];
    settings["preset"] = json!("active_directory");
    settings["user_filter"] = json!("(sAMAccountName={{username}})");
    settings["username_attribute"] = json!("sAMAccountName");
    settings["display_attribute"] = json!("displayName");
    input
}

/// Text in a query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
