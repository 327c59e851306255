//! `Register`: tokens, idempotence, proof of possession.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use ctops_base::{Problem, ProblemKind, Role};
use ctops_crypto::authority::CLIENT_DAYS;
use ctops_crypto::peer::PeerCertificate;
use ctops_fleet::agents::{RegisterLimits, RegisterOutcome, RegisterStatus, Tag, register};
use ctops_fleet::enrolment::revoke_token;

use crate::support::{App, Key, a_call};

/// The certificate inside PEM text.
fn der_of(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap()
}

fn refused(outcome: Result<RegisterOutcome, Problem>) -> (ProblemKind, String) {
    let problem = outcome.unwrap_err();
    (problem.kind(), problem.detail().to_owned())
}

/// Trap 3 of the wire contract, appendix B.1.
///
/// Spec: agents-enrolment 9, 14
#[tokio::test]
async fn register_with_an_auto_approve_token_answers_token_and_certificate_at_once() {
    let app = App::new().await;
    let secret = app.token(|new| new.auto_approve = true).await;
    let key = Key::new();
    let outcome = app.register(&secret, &key, "web-1").await.unwrap();
    assert_eq!(outcome.status, RegisterStatus::Active);
    let claims = app.deps.trust.tokens().verify(outcome.jwt.as_deref().unwrap(), app.clock.now()).unwrap();
    assert_eq!((claims.agent_id, claims.expired), (outcome.agent_id.clone(), false));
    let leaf = outcome.certificate.unwrap();
    let peer = PeerCertificate::parse(&der_of(&leaf.pem)).unwrap();
    assert_eq!((&peer.agent_id, &peer.serial_hex), (&outcome.agent_id, &leaf.serial));
    assert_eq!(leaf.not_after, app.clock.now() + TimeDelta::days(CLIENT_DAYS));
    assert_eq!(outcome.agent_ca_pem.trim_end(), app.deps.trust.agent_authority().cert_pem().trim_end());
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("unknown"), "approved, never heard from");
    let history = app.history(&outcome.agent_id).await;
    let steps: Vec<&str> = history.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(steps, ["pending", "active"]);
    assert!(history[1].1.contains("test token"), "{history:?}");
    assert_eq!(app.audited(&outcome.agent_id).await, ["agent.registered", "agent.approved"]);
    assert_eq!(app.uses().await, 1);
}

/// Spec: agents-enrolment 9
#[tokio::test]
async fn register_with_an_ordinary_token_waits_and_hands_out_nothing() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let outcome = app.register(&secret, &Key::new(), "web-1").await.unwrap();
    assert_eq!(outcome.status, RegisterStatus::Pending);
    assert!(outcome.jwt.is_none() && outcome.certificate.is_none() && outcome.agent_ca_pem.is_empty());
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("pending"));
}

/// Trap 6 of the wire contract, appendix B.1.
///
/// Spec: agents-enrolment 5, 10
#[tokio::test]
async fn register_again_with_the_same_key_changes_nothing_and_costs_no_use() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, Some(2))).await;
    let key = Key::new();
    let first = app.register(&secret, &key, "web-1").await.unwrap();
    let again = app.register(&secret, &key, "renamed").await.unwrap();
    assert_eq!(again.agent_id, first.agent_id);
    assert_eq!(again.certificate, first.certificate, "no needless new certificate");
    assert_ne!(again.jwt, None);
    assert_eq!(app.uses().await, 1);
    let hosts: i64 = app.value("SELECT count(*) FROM hosts WHERE $1 = ''", "").await;
    assert_eq!(hosts, 1);
}

/// Trap 4 of the wire contract, appendix B.1.
///
/// Spec: agents-enrolment 5, 6, 11, 12
#[tokio::test]
async fn register_of_a_known_key_passes_whatever_ended_the_token() {
    for ended_by in ["uses", "time", "revocation"] {
        let app = App::new().await;
        let admin = app.person(Role::SuperAdmin).await;
        let secret = app
            .token_by(&admin, |new| {
                new.auto_approve = true;
                new.max_uses = (ended_by == "uses").then_some(1);
            })
            .await;
        let key = Key::new();
        let first = app.register(&secret, &key, "web-1").await.unwrap();
        match ended_by {
            "time" => app.clock.advance(TimeDelta::days(8)),
            "revocation" => {
                let id = sqlx::query_scalar("SELECT id FROM agent_enrolment_tokens")
                    .fetch_one(app.pool())
                    .await
                    .unwrap();
                revoke_token(&app.state, &admin.actor, id).await.unwrap();
            }
            _ => {}
        }
        let again = app.register(&secret, &key, "web-1").await.unwrap();
        assert_eq!((again.agent_id, again.status), (first.agent_id, RegisterStatus::Active), "{ended_by}");
        assert!(again.jwt.is_some() && again.certificate.is_some());
        let newcomer = refused(app.register(&secret, &Key::new(), "web-2").await);
        assert_eq!(newcomer.0, ProblemKind::Unauthenticated, "{ended_by}");
    }
}

/// Spec: agents-enrolment 5
#[tokio::test]
async fn register_when_the_organisation_is_deleted_is_refused_even_with_a_known_key() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, None)).await;
    let key = Key::new();
    app.register(&secret, &key, "web-1").await.unwrap();
    let deleted = async |at: &'static str| sqlx::query(at).execute(app.pool()).await.unwrap();
    deleted("UPDATE organisations SET deleted_at = created_at").await;
    for key in [&Key::new(), &key] {
        let (kind, detail) = refused(app.register(&secret, key, "web-2").await);
        assert_eq!((kind, detail.as_str()), (ProblemKind::Unauthenticated, "enrolment token is not valid"));
    }
    assert_eq!((app.uses().await, app.host_status("web-2").await), (1, None));
    deleted("UPDATE organisations SET deleted_at = NULL").await;
    app.register(&secret, &Key::new(), "web-2").await.unwrap();
}

/// Spec: agents-enrolment 1
#[tokio::test]
async fn register_with_any_token_that_does_not_admit_is_answered_alike() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let expired = app.token_by(&admin, |new| new.expires_in_days = Some(1)).await;
    app.clock.advance(TimeDelta::days(1));
    let exhausted = app.token_by(&admin, |_| ()).await;
    app.register(&exhausted, &Key::new(), "first").await.unwrap();
    let revoked = app.token_by(&admin, |new| new.label = "revoked".into()).await;
    let id = sqlx::query_scalar("SELECT id FROM agent_enrolment_tokens WHERE label = 'revoked'")
        .fetch_one(app.pool())
        .await
        .unwrap();
    revoke_token(&app.state, &admin.actor, id).await.unwrap();
    let foreign_org = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(foreign_org, Role::SuperAdmin).await;
    let foreign = app.token_by(&stranger, |_| ()).await;
    let known = Key::new();
    let mine = app.token_by(&admin, |_| ()).await;
    app.register(&mine, &known, "known").await.unwrap();

    let unknown = refused(app.register("tok_unknown", &Key::new(), "web-9").await);
    assert_eq!(unknown.0, ProblemKind::Unauthenticated);
    for secret in [&expired, &exhausted, &revoked] {
        assert_eq!(refused(app.register(secret, &Key::new(), "web-9").await), unknown);
    }
    assert_eq!(
        refused(app.register(&foreign, &known, "known").await),
        unknown,
        "known key of another organisation"
    );
    assert_eq!(
        refused(app.register("tok_unknown", &known, "known").await),
        unknown,
        "a token is needed at all"
    );
}

/// Spec: agents-enrolment 5
#[tokio::test]
async fn register_when_two_agents_race_for_the_last_use_admits_exactly_one() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, Some(3))).await;
    let keys: Vec<Key> = (0..12).map(|_| Key::new()).collect();
    let calls = keys.iter().enumerate().map(|(n, key)| {
        let (app, secret) = (&app, &secret);
        async move { app.register(secret, key, &format!("web-{n}")).await }
    });
    let outcomes = futures_util::future::join_all(calls).await;
    let admitted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(admitted, 3);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(refused(outcome).0, ProblemKind::Unauthenticated);
    }
    assert_eq!(app.uses().await, 3);
    let agents: i64 = app.value("SELECT count(*) FROM agents WHERE $1 = ''", "").await;
    let hosts: i64 = app.value("SELECT count(*) FROM hosts WHERE $1 = ''", "").await;
    assert_eq!((agents, hosts), (3, 3), "refused ones leave nothing behind");
}

/// Spec: agents-enrolment 10, hosts 20
#[tokio::test]
async fn register_when_the_same_machine_calls_many_times_at_once_makes_one_record() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, None)).await;
    let key = Key::new();
    let same_key = (0..8).map(|_| app.register(&secret, &key, "web-1"));
    let outcomes = futures_util::future::join_all(same_key).await;
    let ids: std::collections::BTreeSet<String> = outcomes.into_iter().map(|o| o.unwrap().agent_id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(app.uses().await, 1);

    let others: Vec<Key> = (0..6).map(|_| Key::new()).collect();
    let same_address = others.iter().enumerate().map(|(n, key)| {
        let mut call = a_call(&secret, key, &format!("db-{n}"));
        call.ip_addresses = vec!["10.0.0.7".into()];
        register(&app.deps, call)
    });
    let outcomes = futures_util::future::join_all(same_address).await;
    let mut ids: Vec<String> = outcomes.into_iter().map(|o| o.unwrap().agent_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "the first is new, the others take its record over");
    let hosts: i64 =
        app.value("SELECT count(*) FROM hosts WHERE identity_ips && ARRAY[$1]", "10.0.0.7").await;
    assert_eq!(hosts, 1);
}

/// Spec: security 19
#[tokio::test]
async fn register_with_the_public_key_of_another_agent_and_an_own_request_is_refused() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, None)).await;
    let (victim, thief) = (Key::new(), Key::new());
    app.register(&secret, &victim, "web-1").await.unwrap();
    let mut call = a_call(&secret, &victim, "web-1");
    call.csr_der = thief.csr();
    let problem = register(&app.deps, call).await.unwrap_err();
    assert_eq!((problem.kind(), problem.fields()[0].path.as_str()), (ProblemKind::Invalid, "csr_der"));

    let mut call = a_call(&secret, &victim, "web-1");
    call.csr_der.clear();
    let outcome = register(&app.deps, call).await.unwrap();
    assert_eq!(outcome.status, RegisterStatus::Active);
    assert!(outcome.jwt.is_none() && outcome.certificate.is_none(), "nothing without proof");
    assert!(outcome.message.contains("certificate request is missing"), "{}", outcome.message);
}

/// Trap 2 of the wire contract, appendix B.1.
#[tokio::test]
async fn register_when_the_agent_is_offline_is_answered_active() {
    let app = App::new().await;
    let secret = app.token(|new| new.auto_approve = true).await;
    let key = Key::new();
    let first = app.register(&secret, &key, "web-1").await.unwrap();
    sqlx::query("UPDATE agents SET status = 'offline'").execute(app.pool()).await.unwrap();
    let again = app.register(&secret, &key, "web-1").await.unwrap();
    assert_eq!((again.status, again.certificate), (RegisterStatus::Active, first.certificate));
}

#[tokio::test]
async fn register_when_the_pending_agent_sends_its_request_later_keeps_it() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let key = Key::new();
    let mut call = a_call(&secret, &key, "web-1");
    call.csr_der.clear();
    let id = register(&app.deps, call).await.unwrap().agent_id;
    app.register(&secret, &key, "web-1").await.unwrap();
    let kept: Option<Vec<u8>> = app.value("SELECT pending_csr FROM agents WHERE id = $1", &id).await;
    assert!(kept.is_some());
}

#[tokio::test]
async fn register_too_often_from_one_source_is_limited() {
    let mut app = App::new().await;
    app.deps.limits = RegisterLimits::default();
    assert_eq!((app.deps.limits.per_source, app.deps.limits.per_source_and_token), (120, 30));
    let key = Key::new();
    for _ in 0..30 {
        assert_eq!(refused(app.register("tok_a", &key, "x").await).0, ProblemKind::Unauthenticated);
    }
    let problem = app.register("tok_a", &key, "x").await.unwrap_err();
    assert_eq!((problem.kind(), problem.retry_after_s()), (ProblemKind::Limited, Some(60)));
    for n in 0..89 {
        let token = format!("tok_{}", n / 29);
        assert_eq!(refused(app.register(&token, &key, "x").await).0, ProblemKind::Unauthenticated, "{n}");
    }
    assert_eq!(
        refused(app.register("tok_b", &key, "x").await).0,
        ProblemKind::Limited,
        "121st of the source"
    );
    app.clock.advance(TimeDelta::seconds(60));
    assert_eq!(refused(app.register("tok_a", &key, "x").await).0, ProblemKind::Unauthenticated);
}

/// Spec: agents-enrolment 14
#[tokio::test]
async fn register_merges_the_tags_of_token_and_agent() {
    let app = App::new().await;
    let secret = app.token(|new| new.tags = vec![tag("Env", "test"), tag("team", "web")]).await;
    let mut call = a_call(&secret, &Key::new(), "web-1");
    call.tags = vec![("ENV".into(), "$(id)".into()), (String::new(), "dropped".into())];
    let id = register(&app.deps, call).await.unwrap().agent_id;
    let stored: sqlx::types::Json<Vec<Tag>> = app.value("SELECT tags FROM agents WHERE id = $1", &id).await;
    assert_eq!(stored.0, [tag("ENV", "$(id)"), tag("team", "web")]);
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}
