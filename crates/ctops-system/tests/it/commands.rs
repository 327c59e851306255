//! Commands of people on their way to agents, and what comes back.

use std::time::{Duration, Instant};

use ctops_testkit::wait_for;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CommandSite, SOON, installation_with_agent};

/// In which a check is pushed, run and its result shown; results wait for the next heartbeat at most.
const RESULT_LIMIT: Duration = Duration::from_secs(30);

/// Spec: hosts 27
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_when_asked_over_http_reaches_its_agent_within_two_seconds() {
    let mut site = CommandSite::with_fleet(50, Duration::from_secs(5)).await;
    for _ in 0..10 {
        let took = site.ask().await;
        assert!(took < Duration::from_secs(2), "took {took:?}");
    }
}

/// Spec: monitoring 17, 18, 23, hosts 27
#[tokio::test]
async fn check_and_query_when_made_over_http_are_carried_out_by_a_real_agent() {
    let (server, api, _agent, fleet) = installation_with_agent().await;
    let host = fleet.host().await.unwrap().host_id;
    let port = server.web_port();
    let body = json!({"name": "web", "type": "port", "config": {"host": "127.0.0.1", "port": port}, "interval_seconds": 3600});
    let check = api.post(&format!("/hosts/{host}/checks"), body).await;
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let results = async || api.get(&format!("{path}/results")).await["items"].as_array().unwrap().clone();
    let first = wait_for(RESULT_LIMIT, || async { results().await.first().cloned() }).await;
    assert_eq!(
        (&first["status"], first["output"].as_str()),
        (&json!("pass"), Some(&*format!("port {port} reachable")))
    );

    api.act(&format!("{path}/run")).await;
    wait_for(RESULT_LIMIT, || async { (results().await.len() >= 2).then_some(()) }).await;
    assert_eq!(api.ask(Method::DELETE, &path, None).await.status, 204);

    let began = Instant::now();
    let asked = api.post(&format!("/hosts/{host}/queries"), json!({"kind": "list_ports"})).await;
    let query = format!("/hosts/{host}/queries/{}", asked["id"].as_str().unwrap());
    let done = async || Some(api.get(&query).await).filter(|query| query["status"] != "pending");
    let answer = wait_for(SOON, done).await;
    eprintln!("the answer to a query took {:?}", began.elapsed());
    // A machine without `ss` and `netstat` answers with an error, which is an answer as well.
    if answer["status"] == "complete" {
        let ports: Vec<&Value> = answer["result"]["ports"].as_array().unwrap().iter().collect();
        assert!(ports.iter().any(|listed| listed["port"] == port), "{answer}");
    } else {
        assert!(answer["error"].as_str().unwrap().contains("available"), "{answer}");
    }
}
