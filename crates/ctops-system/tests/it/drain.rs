//! Clean stops under load: what was read is acknowledged, nothing is lost and nothing doubled.

use std::time::Duration;

use ctops_testkit::wait_until;

use crate::crash::{all_back, check};
use crate::support::{Fleet, LoadTest, Plan, Server};

/// 200 agents twice a second.
const PLAN: Plan = Plan { agents: 200, interval: Duration::from_millis(500) };
/// Restarts under load.
const RESTARTS: u64 = 2;
const ENROLMENT_LIMIT: Duration = Duration::from_secs(60);
/// For all agents to be online again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// A clean stop of a server whose agents do as they are told.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Spec: hosts 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_when_the_server_is_stopped_under_load_then_all_that_were_stored_were_acknowledged() {
    let mut server = Server::new()
        .with("CT_OPS_REGISTER_PER_SOURCE", "100000")
        .with("CT_OPS_REGISTER_PER_TOKEN", "100000");
    server.start().await;
    let api = server.set_up().await;
    let load = LoadTest::start(&server, &api.token_for_many().await, &PLAN);
    let fleet = Fleet::of(&server).await;
    let online = || all_back(&fleet, PLAN.agents);
    wait_until(ENROLMENT_LIMIT, online).await;
    for restart in 1..=RESTARTS {
        let before = load.acknowledged();
        wait_until(RECOVERY_LIMIT, || async { load.acknowledged() > before + PLAN.agents }).await;
        let took = server.stop().await;
        eprintln!("stop {restart} took {took:?}");
        assert!(took < STOP_LIMIT, "took {took:?}");
        let shutdown = server.log().matches("were cut").count();
        assert_eq!(shutdown, 0, "every stream ended by itself");
        server.start().await;
        wait_until(RECOVERY_LIMIT, online).await;
    }
    server.stop().await;
    // Nothing is under way any more, so both sides must agree to the last report.
    let (ledger, summary) = load.stop().await;
    server.start().await;
    check(&fleet, &ledger).await;
    let stored = fleet.count("SELECT count(*) FROM metric_samples").await;
    eprintln!("{} acknowledged, {stored} stored, fleet: {summary}", ledger.len());
    assert_eq!(stored, ledger.len() as i64, "everything that was stored was acknowledged");
    // Each stop ended every lease once. The last ends wait in the queue until the server runs again; when that takes longer
    // than the node's own lease, whoever looks for lost nodes may come first.
    wait_until(RECOVERY_LIMIT, || async {
        let ended = "SELECT count(*) FROM agent_status_history WHERE reason IN ('shutdown', 'node_lost')";
        fleet.count(ended).await == (PLAN.agents as u64 * (RESTARTS + 1)) as i64
    })
    .await;
}
