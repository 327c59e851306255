//! The main job: from an empty directory to a host whose vitals move, and over a restart.

use std::time::Duration;

use ctops_testkit::{wait_for, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Agent, Api, Fleet, PASSWORD, SETUP_CODE, SOON, Server};

/// From the click on "Approve" to the first heartbeat in the database.
const ONLINE_LIMIT: Duration = Duration::from_secs(10);
/// A second start has no database and no keys to make. The budget of 2 s is for release programs; this is for any build
/// on a busy machine.
const SECOND_START_LIMIT: Duration = Duration::from_secs(15);

/// Spec: auth 1, hosts 3, 19, agents-enrolment 8, 9, 14
#[tokio::test]
async fn host_from_an_empty_directory_when_its_agent_is_approved_then_its_vitals_move() {
    let mut server = Server::new();
    let first_start = server.start().await;
    let stranger = Api::new(&server);
    assert_eq!(stranger.get("/auth/methods").await["setup_required"], true);
    let api = server.set_up().await;
    assert_eq!(set_up_again(&stranger).await, 409, "set-up works once");

    let agent = Agent::start(&server, "agent", &api.token().await);
    let pending = wait_for(SOON, || async {
        api.get("/agents?status=pending").await["items"].as_array()?.first().cloned()
    })
    .await;
    assert!(pending["key_fingerprint"].as_str().unwrap().starts_with("SHA256:"), "{pending}");
    assert_eq!(api.get("/hosts/summary").await["pending_approval"], 1);
    assert_eq!(api.only_host().await["status"], "pending");
    api.act(&format!("/agents/{}/approve", pending["id"].as_str().unwrap())).await;

    let fleet = Fleet::of(&server).await;
    let host = fleet.until_status_within(ONLINE_LIMIT, "online").await;
    wait_until(SOON, || async { fleet.count("SELECT count(*) FROM metric_samples").await >= 2 }).await;
    let page = api.get(&format!("/hosts/{}", host.host_id)).await;
    check_vitals(&page);
    let samples = api.get(&format!("/hosts/{}/samples?minutes=60", host.host_id)).await;
    assert!(samples["items"].as_array().unwrap().len() >= 2, "{samples}");

    let stop = server.stop().await;
    let second_start = server.start().await;
    eprintln!("first start {first_start:?}, clean stop {stop:?}, second start {second_start:?}");
    assert!(second_start < SECOND_START_LIMIT, "second start took {second_start:?}");
    assert_eq!(api.get("/me").await["user"]["email"], "first@example.com", "still signed in");
    fleet.until_lease_other_than(None).await;
    assert_eq!(fleet.until_status("online").await.host_id, host.host_id);
    assert!(agent.process().is_running(), "the agent needed no restart");
    check_admin_status(&server);
}

async fn set_up_again(stranger: &Api) -> u16 {
    let body = json!({
        "organisation_name": "Other", "name": "Second Person", "email": "second@example.com",
        "password": PASSWORD, "password_confirmation": PASSWORD, "setup_code": SETUP_CODE,
    });
    stranger.ask(Method::POST, "/setup", Some(body)).await.status
}

/// The figures are those of this machine.
#[track_caller]
fn check_vitals(host: &Value) {
    for name in ["memory_percent", "disk_percent"] {
        let percent = host[name].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&percent), "{name} is {percent}");
    }
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let reported = host["uptime_seconds"].as_f64().unwrap();
    assert!((uptime - 60.0..=uptime + 1.0).contains(&reported), "{reported} of {uptime}");
    let hostname = nix::unistd::gethostname().unwrap();
    assert!(hostname.to_string_lossy().eq_ignore_ascii_case(host["hostname"].as_str().unwrap()), "{host}");
    assert!(!host["disks"].as_array().unwrap().is_empty(), "{host}");
}

/// What `make run` relies on.
#[track_caller]
fn check_admin_status(server: &Server) {
    let output = server.command(&["admin", "status"]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = json!({
        "ready": true, "setup_required": false, "hosts": 1, "hosts_online": 1, "hosts_pending": 0,
    });
    assert_eq!(status, wanted);
}
