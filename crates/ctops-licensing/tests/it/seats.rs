//! The cap on hosts at approval.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ctops_base::Role;
use ctops_fleet::agents::{
    AgentDeps, AgentTrust, RegisterInput, RegisterLimits, RegisterStatus, approve_agent, register,
    revoke_agent,
};
use ctops_fleet::enrolment::{NewToken, create_token};
use ctops_fleet::releases::ReleaseDeps;
use ctops_licensing::licences::KeySources;
use ctops_licensing::{Licensing, VerifierTrust};
use ctops_slice::Actor;
use serde_json::json;

use crate::support::App;

#[path = "../../../ctops-fleet/src/agents/testing.rs"]
mod testing;

use testing::Key;

struct Fleet {
    app: App,
    deps: AgentDeps,
    admin: Actor,
}

impl Fleet {
    async fn with_cap(cap: u64) -> Self {
        let app = App::new().await;
        app.licensed(json!({"maxHosts": cap})).await;
        let trust = AgentTrust::load_or_create(app.pool(), &app.seal, &app.clock).await.unwrap();
        let deps = AgentDeps {
            pool: app.pool().clone(),
            clock: app.clock.clone(),
            trust: Arc::new(trust),
            limits: RegisterLimits { per_source: 10_000, per_source_and_token: 10_000 },
            releases: ReleaseDeps::new(Path::new("/nonexistent"), [0; 32], "https://ops.example.com"),
            entitlements: Arc::new(app.licensing.clone()),
        };
        let (_, admin) = app.person_of(app.org, Role::SuperAdmin).await;
        Self { app, deps, admin }
    }

    async fn token(&self, auto_approve: bool) -> String {
        let mut new = NewToken::labelled("test token");
        (new.auto_approve, new.max_uses) = (auto_approve, None);
        create_token(&self.app.state, &self.admin, new).await.unwrap().secret
    }

    async fn register(&self, secret: &str, key: &Key, hostname: &str) -> (String, RegisterStatus) {
        let input = RegisterInput {
            enrolment_token: secret.to_owned(),
            public_key: key.public_pem(),
            hostname: hostname.to_owned(),
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            csr_der: key.csr(),
            source: Some(IpAddr::from([192, 0, 2, 1])),
            ..RegisterInput::default()
        };
        let outcome = register(&self.deps, input).await.unwrap();
        (outcome.agent_id, outcome.status)
    }

    async fn approve(&self, agent_id: &str) -> Result<String, &'static str> {
        approve_agent(&self.deps, &self.admin, agent_id).await.map_err(|problem| problem.code())
    }

    async fn used(&self) -> u64 {
        self.app.ok("GET", "/licence", None).await["used_seats"].as_u64().unwrap()
    }
}

/// Spec: licensing 13, agents-enrolment 15
#[tokio::test]
async fn approval_is_refused_when_all_seats_are_taken() {
    let fleet = Fleet::with_cap(1).await;
    let secret = fleet.token(false).await;
    let (first, _) = fleet.register(&secret, &Key::new(), "web-1").await;
    let (second, _) = fleet.register(&secret, &Key::new(), "web-2").await;
    assert_eq!(fleet.used().await, 0, "who waits takes no seat");
    assert_eq!(fleet.approve(&first).await, Ok(first.clone()));
    assert_eq!((fleet.used().await, fleet.approve(&second).await), (1, Err("host_limit_reached")));
    let status: String = sqlx::query_scalar("SELECT status FROM agents WHERE id = $1")
        .bind(&second)
        .fetch_one(fleet.app.pool())
        .await
        .unwrap();
    assert_eq!(status, "pending");
    assert!(fleet.app.audited().await.contains(&"licence.cap_blocked host_limit_reached".to_owned()));
    revoke_agent(&fleet.deps, &fleet.admin, &first).await.unwrap();
    assert_eq!(fleet.used().await, 0);
    assert_eq!(fleet.approve(&second).await, Ok(second));
}

/// With a second connection inside the transaction, a server whose pool is taken up by approvals would stand still.
///
/// Spec: licensing 13
#[tokio::test]
async fn approvals_and_refusals_need_no_second_connection() {
    let mut fleet = Fleet::with_cap(1).await;
    let secret = fleet.token(true).await;
    let waiting = fleet.token(false).await;
    let (first, _) = fleet.register(&waiting, &Key::new(), "web-1").await;
    let (second, _) = fleet.register(&waiting, &Key::new(), "web-2").await;
    let pool = ctops_pg::connect(&fleet.app.db.url(), 1).await.unwrap();
    // Nothing is known of the licence yet, so it is read inside the transaction.
    let trust = VerifierTrust::choose(KeySources::default(), true).unwrap();
    let licensing = Licensing::new(pool.clone(), fleet.app.clock.clone(), fleet.app.seal.clone(), trust);
    (fleet.deps.pool, fleet.deps.entitlements) = (pool, Arc::new(licensing));
    let soon = std::time::Duration::from_secs(5);
    let approved = tokio::time::timeout(soon, fleet.approve(&first)).await;
    assert_eq!(approved.expect("no second connection"), Ok(first));
    let refused = tokio::time::timeout(soon, fleet.approve(&second)).await;
    assert_eq!(refused.expect("no second connection"), Err("host_limit_reached"));
    let registered = tokio::time::timeout(soon, fleet.register(&secret, &Key::new(), "web-3")).await;
    assert_eq!(registered.expect("no second connection").1, RegisterStatus::Pending);
    let blocked = fleet.app.audited().await;
    let blocked = blocked.iter().filter(|action| *action == "licence.cap_blocked host_limit_reached");
    assert_eq!(blocked.count(), 2, "both refusals are in the trail");
}

/// Spec: licensing 13, agents-enrolment 15
#[tokio::test]
async fn a_token_that_approves_leaves_the_agent_pending_with_the_reason() {
    let fleet = Fleet::with_cap(1).await;
    let secret = fleet.token(true).await;
    assert_eq!(fleet.register(&secret, &Key::new(), "web-1").await.1, RegisterStatus::Active);
    let (second, status) = fleet.register(&secret, &Key::new(), "web-2").await;
    assert_eq!(status, RegisterStatus::Pending);
    let reason: Option<String> = sqlx::query_scalar("SELECT pending_reason FROM agents WHERE id = $1")
        .bind(&second)
        .fetch_one(fleet.app.pool())
        .await
        .unwrap();
    assert!(reason.unwrap().contains("the licence covers 1 hosts"));
    fleet.app.licensed(json!({"maxHosts": 2})).await;
    assert_eq!(fleet.approve(&second).await, Ok(second));
}

/// Spec: licensing 13
#[tokio::test]
async fn two_approvals_at_once_for_the_last_seat_give_one() {
    let fleet = Fleet::with_cap(3).await;
    let secret = fleet.token(false).await;
    let mut waiting = Vec::new();
    for number in 0..8 {
        waiting.push(fleet.register(&secret, &Key::new(), &format!("web-{number}")).await.0);
    }
    let outcomes = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| {
        let (deps, admin, id) = (fleet.deps.clone(), fleet.admin.clone(), waiting[at].clone());
        tokio::spawn(async move { approve_agent(&deps, &admin, &id).await.map_err(|problem| problem.code()) })
    });
    let mut approved = 0;
    for outcome in outcomes {
        match outcome.await.unwrap() {
            Ok(_) => approved += 1,
            Err(code) => assert_eq!(code, "host_limit_reached"),
        }
    }
    assert_eq!((approved, fleet.used().await), (3, 3));
}

/// Spec: licensing 14
#[tokio::test]
async fn adoption_takes_no_seat_deletion_frees_one_and_a_smaller_cap_ends_nothing() {
    let fleet = Fleet::with_cap(2).await;
    let secret = fleet.token(true).await;
    for name in ["web-1", "web-2"] {
        assert_eq!(fleet.register(&secret, &Key::new(), name).await.1, RegisterStatus::Active);
    }
    fleet.app.execute("UPDATE host_vitals SET status = 'offline'").await;
    assert_eq!(fleet.register(&secret, &Key::new(), "web-1").await.1, RegisterStatus::Active, "adopted");
    assert_eq!(fleet.used().await, 2);

    fleet.app.licensed(json!({"maxHosts": 1})).await;
    assert_eq!(fleet.used().await, 2, "nobody is shut out");
    assert_eq!(fleet.register(&secret, &Key::new(), "web-3").await.1, RegisterStatus::Pending);
    fleet.app.execute("UPDATE hosts SET deleted_at = now() WHERE hostname <> 'web-3'").await;
    let (_, status) = fleet.register(&secret, &Key::new(), "web-4").await;
    assert_eq!((status, fleet.used().await), (RegisterStatus::Active, 1));

    fleet.app.ok("DELETE", "/licence", None).await;
    for name in ["web-5", "web-6"] {
        assert_eq!(
            fleet.register(&secret, &Key::new(), name).await.1,
            RegisterStatus::Active,
            "Community has no cap"
        );
    }
}
