//! Leases of agents and nodes, through what ingest and the consumer of `agent.status` call.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_fleet::agents::{
    HostStatusChange, LeaseChange, LeaseEnd, LeaseEvent, NODE_LEASE_TTL, NodeLease, NodeRenewal,
    apply_lease_changes, end_lost_leases, revoke_agent,
};
use ctops_fleet::hosts::{HostStatus, set_status};
use uuid::Uuid;

use crate::support::{App, Key};

fn change(app: &App, agent_id: &str, session_id: Uuid, node_id: Uuid, event: LeaseEvent) -> LeaseChange {
    LeaseChange { agent_id: agent_id.to_owned(), session_id, node_id, event, at: app.clock.now() }
}

const BEGAN: LeaseEvent = LeaseEvent::Began { interval_seconds: 30 };

/// Applies changes and what they mean for hosts, as the consumer does.
async fn apply(app: &App, changes: &[LeaseChange]) -> Vec<HostStatusChange> {
    let mut tx = app.pool().begin().await.unwrap();
    let hosts = apply_lease_changes(&mut tx, changes).await.unwrap();
    for change in &hosts {
        let status = if change.online { HostStatus::Online } else { HostStatus::Offline };
        set_status(&mut tx, &[change.host_id], status, change.at).await.unwrap();
    }
    tx.commit().await.unwrap();
    hosts
}

/// Begins a stream of an agent on a node of its own; returns session and node.
pub(super) async fn connect(app: &App, agent_id: &str) -> (Uuid, NodeLease) {
    let node = NodeLease::begin(app.pool(), "node-1", app.clock.now()).await.unwrap();
    let session = new_id();
    apply(app, &[change(app, agent_id, session, node.id(), BEGAN)]).await;
    (session, node)
}

async fn agent(app: &App, hostname: &str) -> String {
    let secret = app.token(|new| new.auto_approve = true).await;
    app.register(&secret, &Key::new(), hostname).await.unwrap().agent_id
}

async fn status(app: &App, agent_id: &str) -> String {
    app.value("SELECT status FROM agents WHERE id = $1", agent_id).await
}

/// Spec: hosts 3, 4
#[tokio::test]
async fn leases_when_streams_begin_and_end_move_agent_and_host_and_leave_a_history() {
    let app = App::new().await;
    let id = agent(&app, "web-1").await;
    let (first, node) = connect(&app, &id).await;
    assert_eq!(
        (status(&app, &id).await.as_str(), app.host_status("web-1").await.as_deref()),
        ("active", Some("online"))
    );
    let second = new_id();
    let over = [
        change(&app, &id, second, node.id(), BEGAN),
        change(&app, &id, first, node.id(), LeaseEvent::Ended(LeaseEnd::Superseded)),
    ];
    apply(&app, &over).await;
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("online"), "the newer stream holds");
    let ended =
        apply(&app, &[change(&app, &id, second, node.id(), LeaseEvent::Ended(LeaseEnd::Closed))]).await;
    assert_eq!((ended.len(), ended[0].online, ended[0].org_id), (1, false, app.org));
    assert_eq!(
        (status(&app, &id).await.as_str(), app.host_status("web-1").await.as_deref()),
        ("offline", Some("offline"))
    );
    let (_, _) = connect(&app, &id).await;
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("online"));
    let lines: Vec<(String, String)> = app.history(&id).await.split_off(2);
    let expected = [("offline", "closed"), ("active", "connected")];
    assert_eq!(lines, expected.map(|(status, reason)| (status.to_owned(), reason.to_owned())));
}

/// Spec: hosts 6
#[tokio::test]
async fn leases_when_the_agent_is_revoked_never_bring_it_back() {
    let app = App::new().await;
    let id = agent(&app, "web-1").await;
    let (session, node) = connect(&app, &id).await;
    let admin = app.person(Role::OrgAdmin).await;
    revoke_agent(&app.deps, &admin.actor, &id).await.unwrap();
    for late in [
        change(&app, &id, session, node.id(), BEGAN),
        change(&app, &id, new_id(), node.id(), BEGAN),
        change(&app, &id, session, node.id(), LeaseEvent::Ended(LeaseEnd::Revoked)),
    ] {
        assert!(apply(&app, &[late]).await.is_empty());
    }
    assert_eq!(
        (status(&app, &id).await.as_str(), app.host_status("web-1").await.as_deref()),
        ("revoked", Some("offline"))
    );
    let leases: i64 = app.value("SELECT count(*) FROM agent_leases WHERE agent_id = $1", &id).await;
    assert_eq!(leases, 0);
}

const KEPT: NodeRenewal = NodeRenewal::Kept { revoked: Vec::new() };

async fn renew(app: &App, node: &NodeLease) -> NodeRenewal {
    node.renew(app.pool(), app.clock.now(), app.clock.now()).await.unwrap()
}

/// Spec: agents-enrolment 16; security 19
#[tokio::test]
async fn renewal_tells_what_was_revoked_since_with_late_commits_and_without_what_ended() {
    let app = App::new().await;
    let now = app.clock.now();
    let node = NodeLease::begin(app.pool(), "node", now).await.unwrap();
    assert_eq!(renew(&app, &node).await, KEPT);
    for (serial, revoked, ends) in [("aa", -61, Some(60)), ("bb", -59, None), ("cc", -1, Some(0))] {
        sqlx::query("INSERT INTO revoked_certificates (serial, reason, revoked_at, not_after) VALUES ($1, 'test', $2, $3)")
            .bind(serial)
            .bind(now + TimeDelta::seconds(revoked))
            .bind(ends.map(|seconds| now + TimeDelta::seconds(seconds)))
            .execute(app.pool())
            .await
            .unwrap();
    }
    assert_eq!(renew(&app, &node).await, NodeRenewal::Kept { revoked: vec!["bb".into()] });
    app.clock.advance(TimeDelta::seconds(2));
    assert_eq!(renew(&app, &node).await, KEPT, "a minute later it was told often enough");
}

/// Spec: hosts 2
#[tokio::test]
async fn lost_leases_when_a_node_dies_end_once_its_own_lease_ran_out() {
    let app = App::new().await;
    let (one, two) = (agent(&app, "web-1").await, agent(&app, "web-2").await);
    connect(&app, &one).await;
    let (_, living) = connect(&app, &two).await;
    app.clock.advance(NODE_LEASE_TTL);
    assert_eq!(renew(&app, &living).await, KEPT);
    assert_eq!(end_lost_leases(app.pool(), app.clock.now()).await.unwrap(), 0, "at the last moment");
    app.clock.advance(TimeDelta::milliseconds(1));
    let (now, pool) = (app.clock.now(), app.pool());
    let (a, b, c) =
        tokio::join!(end_lost_leases(pool, now), end_lost_leases(pool, now), end_lost_leases(pool, now));
    assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 1, "several processes, one of them does it");
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("offline"));
    assert_eq!(app.host_status("web-2").await.as_deref(), Some("online"));
    assert_eq!(app.history(&one).await.last().unwrap(), &("offline".to_owned(), "node_lost".to_owned()));
}

/// Spec: hosts 2
#[tokio::test]
async fn renewal_when_the_node_was_given_up_says_so_and_its_streams_can_begin_again() {
    let app = App::new().await;
    let id = agent(&app, "web-1").await;
    let (session, node) = connect(&app, &id).await;
    app.clock.advance(NODE_LEASE_TTL + TimeDelta::seconds(1));
    end_lost_leases(app.pool(), app.clock.now()).await.unwrap();
    assert_eq!(renew(&app, &node).await, NodeRenewal::Regained);
    assert_eq!(renew(&app, &node).await, KEPT);
    apply(&app, &[change(&app, &id, session, node.id(), BEGAN)]).await;
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("online"));
    assert_eq!(end_lost_leases(app.pool(), app.clock.now()).await.unwrap(), 0);
}

/// Spec: hosts 2
#[tokio::test]
async fn lost_leases_when_the_news_of_a_dead_node_comes_late_end_too() {
    let app = App::new().await;
    let id = agent(&app, "web-1").await;
    apply(&app, &[change(&app, &id, new_id(), new_id(), BEGAN)]).await;
    assert_eq!(end_lost_leases(app.pool(), app.clock.now()).await.unwrap(), 1);
    assert_eq!(app.host_status("web-1").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn node_when_it_stops_cleanly_is_given_up_after_the_published_ends_had_time() {
    let app = App::new().await;
    let id = agent(&app, "web-1").await;
    let (_, node) = connect(&app, &id).await;
    node.end(app.pool(), app.clock.now()).await.unwrap();
    assert_eq!(end_lost_leases(app.pool(), app.clock.now()).await.unwrap(), 0);
    app.clock.advance(TimeDelta::seconds(6));
    assert_eq!(end_lost_leases(app.pool(), app.clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn leases_of_a_whole_batch_when_applied_touch_each_host_once() {
    let app = App::new().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(
            ctops_testkit::a_host(app.org)
                .named(&format!("h-{n}"))
                .with_status("offline")
                .with_agent("offline")
                .insert(app.pool())
                .await,
        );
    }
    let node = new_id();
    let mut changes = Vec::new();
    for host in &ids {
        let (id, old, new) = (host.agent_id.as_deref().unwrap(), new_id(), new_id());
        changes.push(change(&app, id, old, node, BEGAN));
        changes.push(change(&app, id, old, node, LeaseEvent::Ended(LeaseEnd::Silent)));
        changes.push(change(&app, id, new, node, BEGAN));
    }
    changes.push(change(&app, "zzzzzzzzzzzzzzzzzzzzzzzz", new_id(), node, BEGAN));
    let hosts = apply(&app, &changes).await;
    assert_eq!(hosts.len(), 20);
    assert!(hosts.iter().all(|change| change.online));
    let lines: i64 = app.value("SELECT count(*) FROM agent_status_history WHERE $1 = ''", "").await;
    assert_eq!(lines, 60);
    assert!(apply(&app, &[]).await.is_empty());
}
