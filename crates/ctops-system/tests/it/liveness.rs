//! Whether a host is online is never wrong for long: clean stops, silence, crashes, doubled agents.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use nix::sys::signal::Signal;

use crate::support::{Agent, INTERVAL_SECONDS, installation_with_agent};

/// After a clean stop of the agent.
const CLEAN_STOP_LIMIT: Duration = Duration::from_secs(2);
/// Two intervals.
const SILENCE_SECONDS: i64 = 2 * INTERVAL_SECONDS as i64;
/// What the specification adds to two intervals: 65 s with an interval of 30 s.
const SILENCE_SLACK_SECONDS: i64 = 5;
/// After the death of the server that held the stream, with the default interval.
const NODE_LOST_LIMIT: TimeDelta = TimeDelta::seconds(65);
/// For an agent to find the server again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// Spec: hosts 3
#[tokio::test]
async fn host_when_its_agent_stops_cleanly_then_is_offline_within_two_seconds() {
    let (server, _api, agent, fleet) = installation_with_agent().await;
    let asked = Instant::now();
    agent.stop().await;
    fleet.until_status("offline").await;
    let took = asked.elapsed();
    eprintln!("offline {took:?} after the signal");
    assert!(took <= CLEAN_STOP_LIMIT, "took {took:?}");

    let _agent = Agent::start(&server, "agent", "tok_a_registered_agent_needs_none");
    fleet.until_status("online").await;
}

/// Spec: hosts 1, 2
#[tokio::test]
async fn host_when_its_agent_falls_silent_then_is_offline_after_two_intervals_until_it_speaks_again() {
    let (_server, _api, agent, fleet) = installation_with_agent().await;
    agent.process().signal(Signal::SIGSTOP);
    let host = fleet.until_status("offline").await;
    let silence = (host.status_changed_at - host.last_seen_at.unwrap()).num_milliseconds();
    eprintln!("offline after {silence} ms of silence");
    assert!(silence >= SILENCE_SECONDS * 1000, "not before two intervals are over: {silence} ms");
    assert!(silence <= (SILENCE_SECONDS + SILENCE_SLACK_SECONDS) * 1000, "{silence} ms");

    agent.process().signal(Signal::SIGCONT);
    fleet.until_status("online").await;
}

/// Spec: hosts 2, agents-enrolment 26
#[tokio::test]
async fn host_when_the_server_is_killed_then_recovers_with_its_agent_and_goes_offline_without() {
    let (mut server, _api, agent, fleet) = installation_with_agent().await;
    let session = fleet.lease().await;
    server.kill();
    let killed = Instant::now();
    server.start().await;
    fleet.until_lease_other_than(session).await;
    fleet.until_status("online").await;
    let took = killed.elapsed();
    eprintln!("online again {took:?} after the server was killed");
    assert!(took <= RECOVERY_LIMIT, "took {took:?}");
    assert!(agent.process().is_running(), "the agent needed no restart");

    server.kill();
    agent.kill();
    server.start().await;
    let host = fleet.until_status_within(NODE_LOST_LIMIT.to_std().unwrap(), "offline").await;
    let silence = host.status_changed_at - host.last_seen_at.unwrap();
    eprintln!("offline {silence} after the last heartbeat to the server that died");
    assert!(silence <= NODE_LOST_LIMIT, "{silence}");
}

/// Spec: hosts 4
#[tokio::test]
async fn host_when_a_newer_stream_took_over_then_the_end_of_the_older_one_changes_nothing() {
    let (server, _api, older, fleet) = installation_with_agent().await;
    // A restored snapshot: two processes with one identity. The older one is stopped, so that it cannot win back.
    older.process().signal(Signal::SIGSTOP);
    let session = fleet.lease().await;
    copy_dir(older.data_dir(), &server.path("newer"));
    let newer = Agent::start(&server, "newer", "tok_a_registered_agent_needs_none");
    let session = fleet.until_lease_other_than(session).await;
    older.kill();

    let heard = fleet.until_heard().await;
    assert_eq!(heard.status, "online");
    fleet.until_heard().await;
    assert_eq!(fleet.lease().await, Some(session));
    assert_eq!(fleet.history("offline").await, 0, "it was never offline in between");
    assert!(newer.process().is_running());
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
