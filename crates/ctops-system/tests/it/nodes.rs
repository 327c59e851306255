//! Several processes of every role on one database and one queue: nodes come and go, reports and hosts stay.

use std::time::Duration;

use ctops_testkit::{wait_for, wait_until};
use tonic::Code;
use uuid::Uuid;

use crate::crash::check;
use crate::support::{Balancer, Brokers, Caller, Fleet, Installation, LoadTest, Node, Plan, SOON, beat};

/// 100 agents twice a second.
const PLAN: Plan = Plan { agents: 100, interval: Duration::from_millis(500) };
const ENROLMENT_LIMIT: Duration = Duration::from_secs(90);
/// A drain (deployment 4, security 17).
const STOP_LIMIT: Duration = Duration::from_secs(30);

async fn installation(brokers: &Brokers) -> Installation {
    Installation::new()
        .await
        .with("CT_OPS_QUEUE_BROKERS", &brokers.addresses)
        .with("CT_OPS_DRAIN_NOTICE", "2s")
        .with("CT_OPS_REGISTER_PER_SOURCE", "100000")
        .with("CT_OPS_REGISTER_PER_TOKEN", "100000")
}

fn fleet(installation: &Installation) -> Fleet {
    Fleet { pool: installation.db.pool().clone() }
}

/// How many agents each ingest node holds, fewest first.
async fn held(fleet: &Fleet) -> Vec<i64> {
    let counts = "SELECT count(*) FROM agent_leases GROUP BY node_id ORDER BY 1";
    sqlx::query_scalar(counts).fetch_all(&fleet.pool).await.unwrap()
}

/// Spec: deployment 4, hosts 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_when_an_ingest_node_drains_and_a_consumer_dies_then_moves_without_a_loss() {
    let brokers = Brokers::start();
    let installation = installation(&brokers).await;
    let one = installation.start("ingest", "ingest-1").await;
    let other = installation.start("ingest", "ingest-2").await;
    let _events = (
        installation.start("consume events", "events-1").await,
        installation.start("consume events", "events-2").await,
    );
    let mut metrics_one = installation.start("consume metrics", "metrics-1").await;
    let _metrics_other = installation.start("consume metrics", "metrics-2").await;
    check_internal_listener(&one).await;

    let balancer = Balancer::start(vec![one.ingest_port, other.ingest_port]).await;
    let entrance = installation.entrance(balancer.port, "ingest-1");
    let load = LoadTest::start(entrance, &installation.token_for_many(), &PLAN);
    let fleet = fleet(&installation);
    let agents = PLAN.agents as i64;
    wait_until(ENROLMENT_LIMIT, || async {
        let held = held(&fleet).await;
        held.len() == 2 && held.iter().sum::<i64>() == agents
    })
    .await;
    let before = load.acknowledged();
    wait_until(SOON, || async { load.acknowledged() > before + 2 * PLAN.agents }).await;

    metrics_one.process.kill();
    let drained = one.drain().await;
    eprintln!("the node drained in {drained:?}");
    assert!(drained < STOP_LIMIT, "took {drained:?}");
    wait_until(SOON, || async { held(&fleet).await == [agents] }).await;
    let before = load.acknowledged();
    wait_until(SOON, || async { load.acknowledged() > before + 2 * PLAN.agents }).await;
    let online = "SELECT count(*) FROM host_vitals WHERE status = 'online'";
    assert_eq!(fleet.count(online).await, agents, "all are online on the other node");
    let offline = fleet.history("offline").await;
    eprintln!("{offline} agents were offline in between");
    assert!(offline <= agents / 10, "{offline} of {agents} agents were offline in between");

    let (ledger, summary) = load.stop().await;
    eprintln!("{} acknowledged, fleet: {summary}", ledger.len());
    check(&fleet, &ledger).await;
    drop(other);
}

/// Wire contract 12.1.
async fn check_internal_listener(node: &Node) {
    assert_eq!(node.get("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(node.get("/readyz").await.0, 200);
    let (status, keys) = node.get("/.well-known/jwks.json").await;
    assert!(status == 200 && keys.contains("\"RS256\""), "{keys}");
    assert_eq!(node.get("/api/v1/auth/methods").await.0, 404);
    assert!(node.get("/metrics/internal").await.1.contains("ctops_server_leader"));
}

/// Spec: hosts 4
#[tokio::test]
async fn stream_when_its_agent_opens_a_newer_one_on_another_node_then_ends_there() {
    let brokers = Brokers::start();
    let installation = installation(&brokers).await;
    let one = installation.start("ingest", "ingest-1").await;
    let other = installation.start("ingest", "ingest-2").await;
    let _events = installation.start("consume events", "events").await;
    let fleet = fleet(&installation);

    let entrance = installation.entrance(one.ingest_port, "ingest-1");
    let token = installation.token_for_many();
    let mut caller = Caller::registered(entrance, &token, "moving.example.com").await;
    let (first, mut older) = caller.heartbeat(vec![beat(&caller.jwt)]).await.unwrap();
    assert!(first.ok);
    let node = || async {
        let node = "SELECT node_id FROM agent_leases";
        sqlx::query_scalar::<_, Uuid>(node).fetch_optional(&fleet.pool).await.unwrap()
    };
    let before = wait_for(SOON, node).await;

    caller.move_to(other.ingest_port);
    let (first, mut newer) = caller.heartbeat(vec![beat(&caller.jwt)]).await.unwrap();
    assert!(first.ok);
    let end = tokio::time::timeout(SOON, older.message()).await.expect("the older stream ends").unwrap_err();
    assert_eq!(end.code(), Code::Aborted, "{end}");
    assert_ne!(node().await, Some(before));
    let open = tokio::time::timeout(Duration::from_secs(2), newer.message()).await;
    assert!(open.is_err(), "the newer one stays: {open:?}");
    assert_eq!(fleet.history("offline").await, 0, "the host was never offline");
}
