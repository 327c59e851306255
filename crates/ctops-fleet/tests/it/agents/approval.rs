//! Approval, rejection, revocation.

use ctops_base::Role;
use ctops_fleet::agents::{
    AgentSignal, RegisterInput, RegisterStatus, approve_agent, register, registration_answer, reject_agent,
    renew_certificate, revoke_agent, stream_identity,
};
use ctops_pg::notify::{AGENTS, CHANGES, Notice, Notifications};
use tokio::sync::broadcast::Receiver;

use crate::support::{App, Key, a_call};

/// Payloads that arrive on `channel` until `count` of them are there.
async fn payloads(receiver: &mut Receiver<Notice>, wanted: &str, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let limit = std::time::Duration::from_secs(10);
    while seen.len() < count {
        let notice = tokio::time::timeout(limit, receiver.recv()).await.expect("a notice in time").unwrap();
        if let Notice::Message { channel, payload } = notice
            && &*channel == wanted
        {
            seen.push(payload.to_string());
        }
    }
    seen
}

/// Spec: agents-enrolment 14
#[tokio::test]
async fn approve_when_pending_signs_at_once_and_tells_the_agent() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let key = Key::new();
    let id = app.register(&secret, &key, "web-1").await.unwrap().agent_id;
    let listening = Notifications::start(app.pool(), &[AGENTS, CHANGES]).await.unwrap();
    let mut notices = listening.subscribe();
    let admin = app.person(Role::OrgAdmin).await;
    assert_eq!(approve_agent(&app.deps, &admin.actor, &id).await.unwrap(), id);
    assert_eq!(payloads(&mut notices, AGENTS, 1).await, [AgentSignal::Approved(id.clone()).to_string()]);
    listening.shutdown().await;

    let held = registration_answer(&app.deps, &id).await.unwrap();
    assert_eq!(held.status, RegisterStatus::Active);
    assert!(held.jwt.is_some() && held.certificate.is_some());
    let polled = app.register(&secret, &key, "web-1").await.unwrap();
    assert_eq!(polled.certificate, held.certificate, "with a used-up token, and no second certificate");
    let stream = stream_identity(app.pool(), &id).await.unwrap().unwrap();
    assert!(stream.status.is_approved() && stream.host_id.is_some());
    assert_eq!((stream.org_id, stream.certificate), (app.org, held.certificate));
    let (approver, at): (Option<uuid::Uuid>, Option<chrono::DateTime<chrono::Utc>>) =
        sqlx::query_as("SELECT approved_by, approved_at FROM agents").fetch_one(app.pool()).await.unwrap();
    assert_eq!((approver, at), (Some(admin.actor.user_id), Some(app.clock.now())));
    assert_eq!(app.history(&id).await.last().unwrap(), &("active".to_owned(), "approved".to_owned()));
    assert_eq!(app.audited(&id).await, ["agent.registered", "agent.approved"]);
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("unknown"));
    let again = approve_agent(&app.deps, &admin.actor, &id).await.unwrap_err();
    assert_eq!(again.code(), "wrong_state");
}

/// Spec: hosts 20, 25
#[tokio::test]
async fn approve_when_an_online_host_has_the_same_identity_names_it() {
    let app = App::new().await;
    let secret = app.token(|new| new.max_uses = None).await;
    let pending = app.register(&secret, &Key::new(), "web-1").await.unwrap().agent_id;
    sqlx::query("UPDATE hosts SET machine_id = 'm-1'").execute(app.pool()).await.unwrap();
    sqlx::query("UPDATE agents SET machine_id = 'm-1'").execute(app.pool()).await.unwrap();
    let twin = ctops_testkit::a_host(app.org).named("web-2").insert(app.pool()).await;
    sqlx::query("UPDATE hosts SET machine_id = 'm-1' WHERE id = $1")
        .bind(twin.id)
        .execute(app.pool())
        .await
        .unwrap();
    let admin = app.person(Role::OrgAdmin).await;
    let shown = app.get(&admin, &format!("/agents/{pending}")).await.expect(200);
    assert_eq!(shown["collision"]["host_id"], twin.id.to_string());
    assert_eq!(
        (shown["collision"]["status"].as_str(), shown["collision"]["matched_on"].as_str()),
        (Some("online"), Some("machine_id"))
    );
    let refused = app.post(&admin, &format!("/agents/{pending}/approve"), None).await;
    assert_eq!(refused.code(409), "conflict");
    assert!(refused.json()["detail"].as_str().unwrap().contains("web-2"));
    sqlx::query("UPDATE host_vitals SET status = 'offline' WHERE host_id = $1")
        .bind(twin.id)
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(
        app.post(&admin, &format!("/agents/{pending}/approve"), None).await.expect(200)["status"],
        "active"
    );
}

/// Spec: agents-enrolment 16
#[tokio::test]
async fn reject_when_pending_is_final_and_removes_the_host_nobody_approved() {
    let app = App::new().await;
    let secret = app.token(|new| new.max_uses = None).await;
    let key = Key::new();
    let id = app.register(&secret, &key, "web-1").await.unwrap().agent_id;
    let listening = Notifications::start(app.pool(), &[AGENTS]).await.unwrap();
    let mut notices = listening.subscribe();
    let admin = app.person(Role::OrgAdmin).await;
    reject_agent(&app.deps, &admin.actor, &id).await.unwrap();
    assert_eq!(payloads(&mut notices, AGENTS, 1).await, [format!("revoked:{id}")]);
    listening.shutdown().await;
    let told = app.register(&secret, &key, "web-1").await.unwrap();
    assert_eq!((told.status, told.jwt, told.certificate), (RegisterStatus::Revoked, None, None));
    assert_eq!(registration_answer(&app.deps, &id).await.unwrap().status, RegisterStatus::Revoked);
    assert_eq!(app.host_status("web-1").await, None);
    assert_eq!(app.audited(&id).await, ["agent.registered", "agent.rejected"]);
    for attempt in [
        reject_agent(&app.deps, &admin.actor, &id).await,
        revoke_agent(&app.deps, &admin.actor, &id).await,
        approve_agent(&app.deps, &admin.actor, &id).await.map(drop),
    ] {
        assert_eq!(attempt.unwrap_err().code(), "wrong_state");
    }
    let fresh = app.register(&secret, &Key::new(), "web-1").await.unwrap();
    assert_eq!(fresh.status, RegisterStatus::Pending, "the machine may try again with another key");
}

/// Spec: agents-enrolment 16, hosts 6
#[tokio::test]
async fn revoke_when_connected_ends_lease_certificates_and_status_at_once() {
    let app = App::new().await;
    let secret = app.token(|new| new.auto_approve = true).await;
    let key = Key::new();
    let first = app.register(&secret, &key, "web-1").await.unwrap();
    let id = first.agent_id;
    super::leases::connect(&app, &id).await;
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("online"));
    let admin = app.person(Role::OrgAdmin).await;
    assert_eq!(reject_agent(&app.deps, &admin.actor, &id).await.unwrap_err().code(), "wrong_state");
    revoke_agent(&app.deps, &admin.actor, &id).await.unwrap();
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("offline"));
    let leases: i64 = app.value("SELECT count(*) FROM agent_leases WHERE agent_id = $1", &id).await;
    assert_eq!(leases, 0);
    let serial = first.certificate.unwrap().serial;
    let revoked = ctops_fleet::agents::revoked_serials(app.pool(), Some(app.clock.now()), app.clock.now())
        .await
        .unwrap();
    assert_eq!(revoked.iter().map(|row| row.serial.as_str()).collect::<Vec<_>>(), [serial.as_str()]);
    assert!(!stream_identity(app.pool(), &id).await.unwrap().unwrap().status.is_approved());
    let renewed = renew_certificate(&app.deps, &id, &serial, &key.csr()).await.unwrap_err();
    assert_eq!(renewed.kind(), ctops_base::ProblemKind::Forbidden);
    assert_eq!(app.register(&secret, &key, "web-1").await.unwrap().status, RegisterStatus::Revoked);
    assert_eq!(app.history(&id).await.last().unwrap(), &("revoked".to_owned(), "revoked".to_owned()));
    assert!(app.audited(&id).await.contains(&"agent.revoked".to_owned()));
}

#[tokio::test]
async fn decisions_when_two_administrators_race_are_made_once() {
    let app = App::new().await;
    let secret = app.token(|_| ()).await;
    let id = app.register(&secret, &Key::new(), "web-1").await.unwrap().agent_id;
    let (one, two) = (app.person(Role::OrgAdmin).await, app.person(Role::SuperAdmin).await);
    let (approved, rejected) =
        tokio::join!(approve_agent(&app.deps, &one.actor, &id), reject_agent(&app.deps, &two.actor, &id));
    assert_ne!(approved.is_ok(), rejected.is_ok());
    let failure = approved.err().or(rejected.err()).unwrap();
    assert_eq!(failure.code(), "wrong_state");
}

/// Spec: agents-enrolment 5
#[tokio::test]
async fn register_and_approve_when_they_race_over_one_host_never_stop_each_other() {
    let app = App::new().await;
    let secret = app.token(|new| (new.auto_approve, new.max_uses) = (true, None)).await;
    let admin = app.person(Role::OrgAdmin).await;
    let ordinary = app.token(|new| new.max_uses = None).await;
    for round in 0..6 {
        let host = format!("web-{round}");
        let id = app.register(&ordinary, &Key::new(), &host).await.unwrap().agent_id;
        let keys = [Key::new(), Key::new()];
        let call = |key: &Key| RegisterInput { machine_id: "m".into(), ..a_call(&secret, key, &host) };
        let (approval, a, b) = tokio::join!(
            approve_agent(&app.deps, &admin.actor, &id),
            register(&app.deps, call(&keys[0])),
            register(&app.deps, call(&keys[1])),
        );
        let answers = [approval.map(drop), a.map(drop), b.map(drop)];
        for answer in answers {
            if let Err(problem) = answer {
                assert_eq!(problem.code(), "wrong_state", "no dead lock: {problem:?}");
            }
        }
        sqlx::query("UPDATE hosts SET machine_id = NULL").execute(app.pool()).await.unwrap();
    }
}
