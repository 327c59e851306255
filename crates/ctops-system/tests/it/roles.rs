//! Roles as processes of their own, several at once.

use std::time::{Duration, Instant};

use ctops_testkit::wait_for;

use crate::support::{Installation, Node, SOON, Server};

/// For another process to take over after the leader was killed: the lease and a look (deployment 4).
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(20);
/// After a clean stop: one look.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(6);

async fn until_it_leads(node: &Node, limit: Duration) -> Duration {
    let began = Instant::now();
    wait_for(limit, || async { node.leads().await.then_some(()) }).await;
    began.elapsed()
}

/// Spec: deployment 4
#[tokio::test]
async fn jobs_when_their_leader_is_killed_or_stopped_then_another_process_runs_them() {
    let installation = Installation::new().await;
    let mut first = installation.start("web", "first").await;
    until_it_leads(&first, SOON).await;
    let second = installation.start("web", "second").await;
    let third = installation.start("web", "third").await;
    assert!(!second.leads().await && !third.leads().await, "one leads");
    let (_, page) = first.get("/metrics/internal").await;
    assert!(page.contains("ctops_server_job_runs_total{job=\"end_lost_leases\",outcome=\"done\"}"), "{page}");
    let (_, page) = second.get("/metrics/internal").await;
    assert!(!page.contains("ctops_server_job_runs_total"), "{page}");

    first.process.kill();
    let killed = Instant::now();
    let second_leads = wait_for(TAKE_OVER_LIMIT, || async {
        match (second.leads().await, third.leads().await) {
            (true, true) => panic!("two lead at once"),
            (false, false) => None,
            (second_leads, _) => Some(second_leads),
        }
    })
    .await;
    let took = killed.elapsed();
    eprintln!("another process leads {took:?} after the leader was killed");
    assert!(took < TAKE_OVER_LIMIT, "took {took:?}");

    let (leader, other) = if second_leads { (second, third) } else { (third, second) };
    leader.stop().await;
    let took = until_it_leads(&other, SOON).await;
    eprintln!("another process leads {took:?} after the leader was stopped");
    assert!(took < HAND_OVER_LIMIT, "took {took:?}");
}

/// Spec: deployment 7
#[test]
fn role_when_the_embedded_parts_would_be_shared_then_refuses_and_says_what_to_set() {
    let server = Server::new();
    for arguments in [&["ingest"][..], &["consume", "metrics"], &["consume", "events"]] {
        let output = server.command(arguments).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{complaint}");
        for name in ["DATABASE_URL", "CT_OPS_QUEUE_BROKERS", "BETTER_AUTH_SECRET"] {
            let lines = complaint.lines().filter(|line| line.starts_with(&format!("ct-ops: {name}: ")));
            assert_eq!(lines.count(), 1, "{name}: {complaint}");
        }
    }
    assert!(!server.state_dir().exists(), "nothing was touched");
}

/// Whoever comes first makes the schema, the authorities and the keys; the others wait and use them.
#[tokio::test]
async fn processes_when_they_all_start_on_an_empty_database_then_serve_one_installation() {
    let installation = Installation::empty().await;
    let nodes: Vec<Node> =
        ["one", "two", "three"].into_iter().map(|name| installation.spawn("web", name)).collect();
    for node in &nodes {
        node.ready().await;
        assert_eq!(node.get("/healthz").await, (200, "ok".to_owned()));
        assert_eq!(node.get("/api/v1/auth/methods").await.0, 200);
    }
    let keys = nodes[0].get("/.well-known/jwks.json").await;
    assert_eq!(keys.0, 200);
    for node in &nodes {
        assert_eq!(keys, node.get("/.well-known/jwks.json").await, "tokens of one are good for the others");
    }
    for node in nodes {
        assert!(node.log().contains("ct-ops is ready"), "{}", node.log());
        node.stop().await;
    }
}
