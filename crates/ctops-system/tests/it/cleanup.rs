//! `ct-ops-loadtest cleanup`: what a load test left behind goes, and nothing else.

use std::process::Command;
use std::time::Duration;

use ctops_testkit::wait_until;
use serde_json::Value;

use crate::support::{Caller, Fleet, LoadTest, Plan, Process, SOON, Server, program};

/// The key of the installation.
const KEY: &str = "key of the load test";
/// Where both programs read it, so that it is in no list of processes.
const KEY_VARIABLE: &str = "CT_OPS_LOADTEST_ADMIN_KEY";

/// Runs `cleanup` to its end; the exit code and what it printed.
async fn clean_up(server: &Server, run_id: &str, key: &str) -> (Option<i32>, String) {
    let mut command = Command::new(program("ct-ops-loadtest"));
    command
        .env_clear()
        .env(KEY_VARIABLE, key)
        .arg("cleanup")
        .args(["-web-url", &server.url(), "-run-id", run_id])
        .args(["-ca-cert".as_ref(), server.ca_file().as_os_str()]);
    let log = tempfile::NamedTempFile::new_in(server.path("")).unwrap();
    let mut process = Process::spawn(command, log.path());
    let code = process.ended(SOON).await;
    (code, process.log())
}

async fn hostnames(fleet: &Fleet) -> Vec<String> {
    sqlx::query_scalar("SELECT hostname FROM hosts ORDER BY hostname").fetch_all(&fleet.pool).await.unwrap()
}

/// Spec: deployment 20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleanup_deletes_the_hosts_of_its_run_with_their_agents_and_spares_all_others() {
    let mut server = Server::new().with(KEY_VARIABLE, KEY);
    server.start().await;
    let api = server.set_up().await;
    let token = api.token_for_many().await;
    let others = ["loadtest-another-run-0001", "web-1"];
    for hostname in others {
        Caller::registered(&server, &token, hostname).await;
    }
    let fleet = Fleet::of(&server).await;
    let load = LoadTest::start(&server, &token, &Plan { agents: 3, interval: Duration::from_millis(500) });
    wait_until(SOON, || async { fleet.count("SELECT count(*) FROM agent_leases").await == 3 }).await;
    let (_, summary) = load.stop().await;
    let run_id = summary["run_id"].as_str().unwrap();
    let of_the_run = hostnames(&fleet).await.len() - others.len();
    assert!(of_the_run >= 3, "three agents, and the one that tries the way before them");

    let (code, said) = clean_up(&server, run_id, "another key").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("401") && !said.contains("another key"), "{said}");
    assert_eq!(hostnames(&fleet).await.len(), of_the_run + others.len());

    let (code, said) = clean_up(&server, run_id, KEY).await;
    assert_eq!(code, Some(0), "{said}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer, serde_json::json!({ "deleted": of_the_run, "failed": [] }));
    assert_eq!(hostnames(&fleet).await, others);
    assert_eq!(fleet.count("SELECT count(*) FROM agents").await, others.len() as i64);

    let (code, said) = clean_up(&server, run_id, KEY).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["deleted"], 0, "nothing was left");
}
