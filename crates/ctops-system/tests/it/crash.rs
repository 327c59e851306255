//! `kill -9` of the server at random moments under load: what was acknowledged is in the database exactly once, and every
//! agent comes back by itself.
//!
//! `CT_OPS_CRASH_KILLS` sets the number of kills, `CT_OPS_CRASH_SEED` replays the moments of an earlier run. The long run:
//!
//! ```sh
//! CT_OPS_CRASH_KILLS=50 cargo test -p ctops-system crash -- --nocapture
//! ```

use std::time::{Duration, Instant};

use ctops_testkit::{wait_for, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Fleet, LoadTest, Plan, Server};

/// 250 agents twice a second: 500 heartbeats/s.
const PLAN: Plan = Plan { agents: 250, interval: Duration::from_millis(500) };
/// Kills in the daily run; the long run has 50.
const KILLS: u64 = 5;
/// For all agents to be online again after a restart.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// For the whole fleet to enrol.
const ENROLMENT_LIMIT: Duration = Duration::from_secs(60);
/// For the consumers to write what is left after the load has ended.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// One in this many kills hits a server that is starting.
const EARLY_KILLS: u64 = 4;

/// Spec: hosts 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_reports_when_the_server_is_killed_under_load_are_kept_exactly_once() {
    let seed = number("CT_OPS_CRASH_SEED").unwrap_or_else(rand::random);
    let kills = number("CT_OPS_CRASH_KILLS").unwrap_or(KILLS);
    println!("crash run: CT_OPS_CRASH_SEED={seed} CT_OPS_CRASH_KILLS={kills}");
    let mut moments = StdRng::seed_from_u64(seed);

    let mut server = Server::new()
        .with("CT_OPS_REGISTER_PER_SOURCE", "100000")
        .with("CT_OPS_REGISTER_PER_TOKEN", "100000");
    server.start().await;
    let api = server.set_up().await;
    let load = LoadTest::start(&server, &api.token_for_many().await, &PLAN);
    let fleet = Fleet::of(&server).await;
    wait_until(ENROLMENT_LIMIT, || async { online(&fleet).await == Some(PLAN.agents as i64) }).await;

    let mut slowest = Duration::ZERO;
    for kill in 1..=kills {
        let running = Duration::from_millis(moments.random_range(0..4_000));
        let early = kill % EARLY_KILLS == 0;
        // Not a wait for something: the moment itself is what the seed decides.
        tokio::time::sleep(running).await;
        server.kill();
        if early {
            let starting = Duration::from_millis(moments.random_range(0..2_000));
            server.spawn();
            tokio::time::sleep(starting).await;
            server.kill();
        }
        let restarted = Instant::now();
        let start = server.start().await;
        wait_for(RECOVERY_LIMIT, || async { all_back(&fleet, PLAN.agents).await.then_some(()) }).await;
        slowest = slowest.max(restarted.elapsed());
        println!(
            "kill {kill} after {running:?}{}: ready in {start:?}, all online in {:?}, {} acknowledged",
            if early { " and once more while starting" } else { "" },
            restarted.elapsed(),
            load.acknowledged()
        );
    }
    assert!(load.process().is_running(), "the fleet needed no restart");
    let (ledger, summary) = load.stop().await;
    println!("{} acknowledged, slowest recovery {slowest:?}, fleet: {summary}", ledger.len());
    assert!(ledger.len() > PLAN.agents * 10, "there was load");
    check(&fleet, &ledger).await;
}

/// Every line of the ledger is one row, no row is there twice, nothing was put aside.
pub(crate) async fn check(fleet: &Fleet, ledger: &[(String, i64)]) {
    let names: Vec<&str> = ledger.iter().map(|(name, _)| name.as_str()).collect();
    let numbers: Vec<i64> = ledger.iter().map(|(_, number)| *number).collect();
    sqlx::raw_sql(
        "CREATE TABLE ledger (hostname text NOT NULL, seq bigint NOT NULL, PRIMARY KEY (hostname, seq))",
    )
    .execute(&fleet.pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO ledger SELECT * FROM UNNEST($1::text[], $2::bigint[])")
        .bind(names)
        .bind(numbers)
        .execute(&fleet.pool)
        .await
        .expect("nothing is acknowledged twice");
    let drained = wait_for(DRAIN_LIMIT, || async { (missing(fleet).await.is_empty()).then_some(()) });
    if tokio::time::timeout(DRAIN_LIMIT - Duration::from_secs(1), drained).await.is_err() {
        let lost = missing(fleet).await;
        panic!("{} acknowledged reports are not in the database, for example {:?}", lost.len(), lost.first());
    }
    let doubled = fleet
        .count(
            "SELECT count(*) FROM (SELECT 1 FROM metric_samples GROUP BY host_id, uptime_seconds HAVING count(*) > 1) d",
        )
        .await;
    assert_eq!(doubled, 0, "reports are in the database twice");
    assert_eq!(fleet.count("SELECT count(*) FROM dead_letters").await, 0);
    assert_eq!(
        fleet
            .count("SELECT count(*) FROM (SELECT 1 FROM hosts GROUP BY hostname HAVING count(*) > 1) d")
            .await,
        0
    );
}

async fn missing(fleet: &Fleet) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT l.hostname, l.seq
         FROM ledger AS l
         LEFT JOIN hosts AS h USING (hostname)
         LEFT JOIN metric_samples AS m ON m.host_id = h.id AND m.uptime_seconds = l.seq
         WHERE m.host_id IS NULL",
    )
    .fetch_all(&fleet.pool)
    .await
    .unwrap()
}

/// Hosts that are online; `None` while the database is away.
async fn online(fleet: &Fleet) -> Option<i64> {
    sqlx::query_scalar("SELECT count(*) FROM host_vitals WHERE status = 'online'")
        .fetch_one(&fleet.pool)
        .await
        .ok()
}

/// Whether every agent is online through the newest node: what the killed one left behind does not count.
pub(crate) async fn all_back(fleet: &Fleet, agents: usize) -> bool {
    let leases: Result<i64, sqlx::Error> = sqlx::query_scalar(
        "SELECT count(*)
         FROM agent_leases
         WHERE node_id = (SELECT id FROM ingest_nodes ORDER BY started_at DESC LIMIT 1)",
    )
    .fetch_one(&fleet.pool)
    .await;
    leases.is_ok_and(|leases| leases == agents as i64) && online(fleet).await == Some(agents as i64)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
