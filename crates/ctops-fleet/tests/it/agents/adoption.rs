//! Machines that come back with a new key (hosts 20 to 24).

use ctops_base::{Problem, ProblemKind, Role};
use ctops_crypto::secret::sha256;
use ctops_fleet::agents::{
    RegisterInput, RegisterOutcome, RegisterStatus, approve_agent, key_fingerprint, register,
    registration_answer, reject_agent, revoke_agent,
};
use serde_json::json;

use crate::support::{App, Key, a_call};

/// An approved agent on host `web-1` with an address and a machine id, whose host has the given status.
async fn known(app: &App, secret: &str, host_status: &'static str) -> (Key, RegisterOutcome) {
    let key = Key::new();
    let outcome = register(&app.deps, machine(secret, &key, "web-1")).await.unwrap();
    sqlx::query("UPDATE host_vitals SET status = $1").bind(host_status).execute(app.pool()).await.unwrap();
    if host_status == "offline" {
        sqlx::query("UPDATE agents SET status = 'offline'").execute(app.pool()).await.unwrap();
    }
    (key, outcome)
}

fn machine(secret: &str, key: &Key, hostname: &str) -> RegisterInput {
    RegisterInput {
        machine_id: "machine-1".into(),
        ip_addresses: vec!["10.0.0.7".into(), "192.168.0.1".into()],
        ..a_call(secret, key, hostname)
    }
}

async fn set_policy(app: &App, policy: &str) {
    let admin = app.person(Role::OrgAdmin).await;
    let body = Some(json!({"reenrolment_policy": policy}));
    app.send(Some(&admin), "PATCH", "/settings/enrolment", body, [127, 0, 0, 1]).await.expect(200);
}

fn exists(outcome: Result<RegisterOutcome, Problem>) -> String {
    let problem = outcome.unwrap_err();
    assert_eq!((problem.kind(), problem.code()), (ProblemKind::Conflict, "already_exists"));
    problem.detail().to_owned()
}

async fn reusable(app: &App) -> String {
    app.token(|new| (new.auto_approve, new.max_uses) = (true, None)).await
}

/// Spec: hosts 22
#[tokio::test]
async fn register_when_the_match_is_online_or_revoked_is_refused_and_costs_no_use() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (_, first) = known(&app, &secret, "online").await;
    let uses = app.uses().await;
    for (hostname, machine_id, address, matched) in [
        ("WEB-1", "", "", "hostname"),
        ("other", "machine-1", "", "machine id"),
        ("other", "", "10.0.0.7", "address"),
    ] {
        let call = || RegisterInput {
            machine_id: machine_id.into(),
            ip_addresses: vec![address.into()],
            ..a_call(&secret, &Key::new(), hostname)
        };
        let detail = exists(register(&app.deps, call()).await);
        assert!(
            detail.contains("web-1") && detail.contains(matched) && detail.contains("online"),
            "{detail}"
        );
    }
    let admin = app.person(Role::OrgAdmin).await;
    revoke_agent(&app.deps, &admin.actor, &first.agent_id).await.unwrap();
    let detail = exists(app.register(&secret, &Key::new(), "web-1").await);
    assert!(detail.contains("revoked"), "{detail}");
    assert_eq!(app.uses().await, uses);
    assert_eq!(app.history(&first.agent_id).await.last().unwrap().0, "revoked", "nothing was taken over");
}

/// Spec: hosts 21, 22
#[tokio::test]
async fn register_when_only_a_shared_gateway_address_matches_is_a_new_host() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (_, first) = known(&app, &secret, "online").await;
    let mut call = a_call(&secret, &Key::new(), "web-2");
    call.ip_addresses = vec!["192.168.0.1".into(), "127.0.0.1".into(), "fe80::1".into()];
    assert_ne!(register(&app.deps, call).await.unwrap().agent_id, first.agent_id);
}

/// Spec: hosts 23, agents-enrolment 12
#[tokio::test]
async fn register_when_the_match_is_away_takes_its_record_over() {
    for host_status in ["offline", "unknown"] {
        for (hostname, machine_id, address, matched) in [
            ("Web-1", "", "", "hostname"),
            ("renamed", "machine-1", "", "machine id"),
            ("renamed", "", "10.0.0.7", "address"),
        ] {
            let app = App::new().await;
            let secret = reusable(&app).await;
            let (old_key, first) = known(&app, &secret, host_status).await;
            let host: uuid::Uuid =
                app.value("SELECT host_id FROM agents WHERE id = $1", &first.agent_id).await;
            let approved: Option<chrono::DateTime<chrono::Utc>> =
                app.value("SELECT approved_at FROM agents WHERE id = $1", &first.agent_id).await;
            let new_key = Key::new();
            let call = RegisterInput {
                machine_id: machine_id.into(),
                ip_addresses: vec![address.into()],
                ..a_call(&secret, &new_key, hostname)
            };
            let second = register(&app.deps, call).await.unwrap();
            assert_eq!((&second.agent_id, second.status), (&first.agent_id, RegisterStatus::Active));
            assert_eq!(
                host,
                app.value::<uuid::Uuid>("SELECT host_id FROM agents WHERE id = $1", &first.agent_id).await
            );
            assert_eq!(
                approved,
                app.value("SELECT approved_at FROM agents WHERE id = $1", &first.agent_id).await,
                "the approval is kept"
            );
            let revoked: bool = app
                .value(
                    "SELECT EXISTS (SELECT 1 FROM revoked_certificates WHERE serial = $1)",
                    &first.certificate.as_ref().unwrap().serial,
                )
                .await;
            assert!(revoked, "the old certificate");
            assert_ne!(second.certificate, first.certificate);
            let (status, reason) = app.history(&first.agent_id).await.pop().unwrap();
            assert_eq!(status, "adopted");
            for part in [matched, &fingerprint(&old_key), &fingerprint(&new_key)] {
                assert!(reason.contains(part), "{reason}");
            }
            assert!(app.audited(&first.agent_id).await.contains(&"agent.adopted".to_owned()));
            let old: i64 =
                app.value("SELECT count(*) FROM agents WHERE public_key = $1", &old_key.public_pem()).await;
            assert_eq!(old, 0, "the old key is nobody's");
            let hosts: i64 = app.value("SELECT count(*) FROM hosts WHERE $1 = ''", "").await;
            assert_eq!(hosts, 1);
        }
    }
}

fn fingerprint(key: &Key) -> String {
    key_fingerprint(&sha256(key.public_pem().as_bytes()))
}

/// Spec: hosts 23
#[tokio::test]
async fn register_when_it_takes_a_record_over_revokes_every_certificate_it_ever_got() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (key, first) = known(&app, &secret, "offline").await;
    let old = first.certificate.unwrap().serial;
    app.clock.advance(chrono::TimeDelta::days(61));
    let newer = app.register(&secret, &key, "web-1").await;
    // The token has expired meanwhile, which does not concern a known key.
    let newer = newer.unwrap().certificate.unwrap().serial;
    assert_ne!(old, newer, "in its last third a certificate is replaced");
    let secret = reusable(&app).await;
    app.register(&secret, &Key::new(), "web-1").await.unwrap();
    let revoked = ctops_fleet::agents::revoked_serials(app.pool(), None, app.clock.now()).await.unwrap();
    let mut serials: Vec<String> = revoked.into_iter().map(|row| row.serial).collect();
    serials.sort();
    let mut expected = vec![old, newer];
    expected.sort();
    assert_eq!(serials, expected);
}

/// Spec: hosts 24
#[tokio::test]
async fn register_when_the_policy_refuses_is_refused() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    known(&app, &secret, "offline").await;
    set_policy(&app, "refuse").await;
    let uses = app.uses().await;
    assert!(exists(app.register(&secret, &Key::new(), "web-1").await).contains("web-1"));
    assert_eq!(app.uses().await, uses);
    app.register(&secret, &Key::new(), "web-2").await.unwrap();
}

/// Spec: hosts 19, 24
#[tokio::test]
async fn claim_when_the_policy_wants_approval_waits_beside_the_host_and_then_takes_it_over() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (old_key, first) = known(&app, &secret, "offline").await;
    set_policy(&app, "adopt_after_approval").await;
    let key = Key::new();
    let claim = register(&app.deps, machine(&secret, &key, "web-1")).await.unwrap();
    assert_eq!(claim.status, RegisterStatus::Pending, "although the token approves by itself");
    assert_ne!(claim.agent_id, first.agent_id);
    let admin = app.person(Role::OrgAdmin).await;
    let seen = app.get(&admin, "/agents?status=pending").await.expect(200);
    assert_eq!(seen["total"], 1);
    let item = &seen["items"][0];
    assert_eq!((&item["host_id"], &item["hostname"]), (&json!(null), &json!("web-1")));
    assert_eq!(item["key_fingerprint"], fingerprint(&key));
    assert_eq!(item["ip_addresses"], json!(["10.0.0.7", "192.168.0.1"]));
    assert_eq!(
        (&item["collision"]["hostname"], &item["collision"]["status"]),
        (&json!("web-1"), &json!("offline"))
    );
    assert_eq!(item["collision"]["matched_on"], "machine_id");
    assert!(item["pending_reason"].as_str().unwrap().contains("web-1"));

    let same = app.register(&secret, &old_key, "web-1").await.unwrap();
    assert_eq!(same.agent_id, first.agent_id, "until then the old key is good");
    let answer = app.post(&admin, &format!("/agents/{}/approve", claim.agent_id), None).await.expect(200);
    assert_eq!(
        (answer["id"].as_str(), answer["key_fingerprint"].as_str()),
        (Some(first.agent_id.as_str()), Some(fingerprint(&key).as_str()))
    );
    let held = registration_answer(&app.deps, &claim.agent_id).await.unwrap();
    assert_eq!((&held.agent_id, held.status), (&first.agent_id, RegisterStatus::Active));
    assert!(held.jwt.is_some() && held.certificate.is_some());
    let polled = app.register(&secret, &key, "web-1").await.unwrap();
    assert_eq!((polled.agent_id, polled.certificate), (first.agent_id.clone(), held.certificate));
    assert_eq!(app.history(&first.agent_id).await.last().unwrap().0, "adopted");
    assert_eq!(app.get(&admin, "/agents").await.expect(200)["total"], 1, "the claim is gone");
}

/// Spec: hosts 25
#[tokio::test]
async fn claim_when_the_host_came_back_meanwhile_cannot_be_approved_but_rejected() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (_, first) = known(&app, &secret, "offline").await;
    set_policy(&app, "adopt_after_approval").await;
    let claim = app.register(&secret, &Key::new(), "web-1").await.unwrap();
    sqlx::query("UPDATE host_vitals SET status = 'online'").execute(app.pool()).await.unwrap();
    let admin = app.person(Role::OrgAdmin).await;
    let problem = approve_agent(&app.deps, &admin.actor, &claim.agent_id).await.unwrap_err();
    assert_eq!(problem.code(), "conflict");
    assert!(problem.detail().contains("web-1"), "{}", problem.detail());
    reject_agent(&app.deps, &admin.actor, &claim.agent_id).await.unwrap();
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("online"), "the host is untouched");
    assert_eq!(app.history(&first.agent_id).await.last().unwrap().0, "active");
}

/// Spec: hosts 23
#[tokio::test]
async fn claim_when_the_host_is_gone_by_then_becomes_a_host_of_its_own() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let (_, first) = known(&app, &secret, "offline").await;
    set_policy(&app, "adopt_after_approval").await;
    let claim = app.register(&secret, &Key::new(), "web-1").await.unwrap();
    let host: uuid::Uuid = app.value("SELECT host_id FROM agents WHERE id = $1", &first.agent_id).await;
    let mut tx = app.pool().begin().await.unwrap();
    ctops_fleet::hosts::soft_delete(&mut tx, host, None, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let admin = app.person(Role::OrgAdmin).await;
    let active = approve_agent(&app.deps, &admin.actor, &claim.agent_id).await.unwrap();
    assert_eq!(active, claim.agent_id);
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("unknown"));
}

/// Spec: hosts 19, 23
#[tokio::test]
async fn register_when_the_match_waits_for_approval_never_swaps_its_key_silently() {
    let app = App::new().await;
    let ordinary = app.token(|new| new.max_uses = None).await;
    let key = Key::new();
    let first = app.register(&ordinary, &key, "web-1").await.unwrap();
    let second_key = Key::new();
    let second = app.register(&ordinary, &second_key, "web-1").await.unwrap();
    assert_eq!(second.status, RegisterStatus::Pending);
    assert_ne!(second.agent_id, first.agent_id);
    let shown: Vec<u8> =
        app.value("SELECT public_key_sha256 FROM agents WHERE id = $1", &first.agent_id).await;
    assert_eq!(shown, sha256(key.public_pem().as_bytes()), "what the administrator compares stays");
    let admin = app.person(Role::OrgAdmin).await;
    let active = approve_agent(&app.deps, &admin.actor, &second.agent_id).await.unwrap();
    assert_eq!(active, first.agent_id);
    let polled = app.register(&ordinary, &second_key, "web-1").await.unwrap();
    assert_eq!((polled.agent_id, polled.status), (first.agent_id, RegisterStatus::Active));

    let secret = reusable(&app).await;
    let waiting = app.register(&ordinary, &Key::new(), "web-2").await.unwrap();
    let taken = app.register(&secret, &Key::new(), "web-2").await.unwrap();
    assert_eq!((&taken.agent_id, taken.status), (&waiting.agent_id, RegisterStatus::Active));
    let steps: Vec<String> =
        app.history(&taken.agent_id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, ["pending", "adopted", "active"]);
}

/// Spec: hosts 20
#[tokio::test]
async fn register_when_a_nameless_machine_meets_another_is_refused() {
    let app = App::new().await;
    let secret = reusable(&app).await;
    let first = app.register(&secret, &Key::new(), "\u{1b}").await.unwrap();
    sqlx::query("UPDATE host_vitals SET status = 'offline'").execute(app.pool()).await.unwrap();
    exists(app.register(&secret, &Key::new(), "").await);
    assert_eq!(app.history(&first.agent_id).await.last().unwrap().0, "active");
}
