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

/// The health of a role tells balancers the truth while it ends.
#[tokio::test]
async fn web_when_it_runs_beside_another_then_both_serve_one_installation() {
    let installation = Installation::new().await;
    let (one, other) = (installation.start("web", "one").await, installation.start("web", "other").await);
    for node in [&one, &other] {
        assert_eq!(node.get("/healthz").await, (200, "ok".to_owned()));
        assert_eq!(node.get("/api/v1/auth/methods").await.0, 200);
    }
    let keys = one.get("/.well-known/jwks.json").await;
    assert_eq!(keys.0, 200);
    assert_eq!(keys, other.get("/.well-known/jwks.json").await, "tokens of one are good for the other");
    one.stop().await;
    assert_eq!(other.get("/readyz").await.0, 200);
    assert!(other.log().contains("ct-ops is ready"), "{}", other.log());
}
