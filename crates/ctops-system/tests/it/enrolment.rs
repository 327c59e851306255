//! Identity over restarts, losses and revocation, with the real agent.

use std::fs;
use std::time::Duration;

use ctops_testkit::wait_until;

use crate::support::{Agent, SOON, installation_with_agent};

/// How soon a revoked agent is cut off.
const REVOCATION_LIMIT: Duration = Duration::from_secs(5);
/// Exit code of an agent that was revoked.
const EXIT_REVOKED: Option<i32> = Some(3);

/// Spec: agents-enrolment 10, 12
#[tokio::test]
async fn agent_when_restarted_or_without_its_state_file_then_stays_the_same_agent_of_the_same_host() {
    let (server, api, agent, fleet) = installation_with_agent().await;
    let (agent_id, _) = agent.state();
    let host_id = fleet.until_status("online").await.host_id;
    agent.stop().await;
    fleet.until_status("offline").await;

    let agent = Agent::start(&server, "agent", "tok_a_registered_agent_needs_none");
    assert_eq!(fleet.until_status("online").await.host_id, host_id);
    let state_file = agent.data_dir().join("agent_state.json");
    agent.stop().await;
    fleet.until_status("offline").await;

    fs::remove_file(&state_file).unwrap();
    let agent = Agent::start(&server, "agent", &api.token_for_many().await);
    assert_eq!(fleet.until_status("online").await.host_id, host_id);
    assert_eq!(agent.state().0, agent_id);
    assert_eq!(api.only_agent().await["id"], agent_id.as_str());
    assert_eq!(fleet.history("adopted").await, 0, "it is the same key, nothing was adopted");
}

/// Spec: hosts 23, agents-enrolment 12
#[tokio::test]
async fn agent_when_its_data_is_lost_then_takes_its_host_over_and_the_old_key_is_worth_nothing() {
    let (server, api, agent, fleet) = installation_with_agent().await;
    let token = api.token_for_many().await;
    let (agent_id, _) = agent.state();
    let (old_key, data_dir) = (agent.file("agent_key.pub"), agent.data_dir().to_owned());
    let host_id = fleet.until_status("online").await.host_id;
    agent.stop().await;
    fleet.until_status("offline").await;

    fs::rename(&data_dir, server.path("lost")).unwrap();
    let agent = Agent::start(&server, "agent", &token);
    assert_eq!(fleet.until_status("online").await.host_id, host_id);
    let new_key = agent.file("agent_key.pub");
    assert_ne!(new_key, old_key);
    assert_eq!(agent.state().0, agent_id, "the record was adopted");
    assert_eq!(fleet.history("adopted").await, 1);
    assert!(fleet.count("SELECT count(*) FROM revoked_certificates").await >= 1);

    // Whoever finds the old disk cannot take the host back while its agent is online.
    let thief = Agent::start(&server, "lost", &token);
    wait_until(SOON, || async { thief.process().log().contains("registration failed") }).await;
    fleet.until_heard().await;
    let keys: Vec<String> =
        sqlx::query_scalar("SELECT public_key FROM agents").fetch_all(&fleet.pool).await.unwrap();
    assert_eq!(keys, [new_key]);
    assert!(agent.process().is_running());
}

/// Spec: hosts 6, agents-enrolment 9, 16
#[tokio::test]
async fn agent_when_revoked_then_is_cut_off_within_five_seconds_and_ends_with_a_code_of_its_own() {
    let (server, api, mut agent, fleet) = installation_with_agent().await;
    api.act(&format!("/agents/{}/revoke", agent.state().0)).await;
    let (code, took) = agent.ended().await;
    eprintln!("revoked agent ended after {took:?}");
    assert_eq!(code, EXIT_REVOKED);
    assert!(took <= REVOCATION_LIMIT, "took {took:?}");
    fleet.until_status("offline").await;
    assert_eq!(api.only_agent().await["status"], "revoked");

    let samples = fleet.count("SELECT count(*) FROM metric_samples").await;
    let mut agent = Agent::start(&server, "agent", &api.token_for_many().await);
    assert_eq!(agent.ended().await.0, EXIT_REVOKED, "for good, whatever token it has");
    assert_eq!(fleet.host().await.unwrap().status, "offline");
    assert_eq!(fleet.count("SELECT count(*) FROM metric_samples").await, samples);
}
