//! What does not start, and what ends, says why in a sentence and leaves what is there alone.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Api, Fleet, Process, SOON, Server, installation_with_agent};

/// Exit code for settings that are wrong.
const EXIT_SETTINGS: Option<i32> = Some(78);
/// Exit code for everything else that keeps the server from running.
const EXIT_FAILURE: Option<i32> = Some(1);

/// Without its database the server must not hang on: its agents wait for the next start.
const END_LIMIT: Duration = Duration::from_secs(8);

/// Spec: auth 6, 26, deployment 7
#[test]
fn server_when_settings_are_wrong_then_ends_with_code_78_and_one_line_for_each() {
    let wrong = [
        ("BETTER_AUTH_SECRET", "marker-too-short"),
        ("BETTER_AUTH_URL", "ops.example.com"),
        ("CT_OPS_INGEST_ADRESS", "marker-misspelt"),
        ("INGEST_GRPC_PORT", "70000"),
        ("REQUIRE_EMAIL_VERIFICATION", "maybe"),
    ];
    let server = wrong.iter().fold(Server::new(), |server, (name, value)| server.with(name, value));
    let output = server.command(&["serve"]).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), EXIT_SETTINGS, "{complaint}");
    let lines: Vec<&str> = complaint.lines().collect();
    assert_eq!(lines.len(), wrong.len(), "{complaint}");
    for (name, _) in wrong {
        let of_it = lines.iter().filter(|line| line.starts_with("ct-ops: ") && line.contains(name)).count();
        assert_eq!(of_it, 1, "{name}: {complaint}");
    }
    assert!(!complaint.contains("marker-"), "values may be secrets: {complaint}");
    assert!(!server.state_dir().exists(), "nothing was touched");
}

#[tokio::test]
async fn server_when_its_state_is_in_use_or_newer_than_the_program_then_refuses_to_start() {
    let mut server = Server::new();
    server.start().await;
    let mut rival = Process::spawn(server.rival(), &server.path("rival.log"));
    assert_eq!(rival.ended(SOON).await, EXIT_FAILURE);
    let complaint = last_line(&rival.log());
    assert!(complaint.starts_with("ct-ops: ") && complaint.contains("in use by another"), "{complaint}");
    assert!(Api::new(&server).is_ready().await, "the first server is untouched");

    sqlx::query(
        "INSERT INTO schema_migrations (version, name, sha256, applied_at)
         VALUES (99991231235959, 'future_change', repeat('0', 64), now())",
    )
    .execute(&server.database().await)
    .await
    .unwrap();
    server.stop().await;
    server.spawn();
    assert_eq!(server.ended().await, EXIT_FAILURE);
    let complaint = last_line(&server.log());
    assert!(
        complaint.starts_with("ct-ops: ") && complaint.contains("newer than this program"),
        "{complaint}"
    );
    assert!(complaint.contains("future_change"), "{complaint}");
}

/// The private database is a part of the server: without it there is nothing to serve, and the service manager starts
/// both again.
#[tokio::test]
async fn server_when_its_database_is_killed_then_ends_and_the_next_start_has_everything() {
    let (mut server, _api, agent, fleet) = installation_with_agent().await;
    let (before, session) = (fleet.until_heard().await, fleet.lease().await);
    let samples = fleet.count("SELECT count(*) FROM metric_samples").await;
    kill(Pid::from_raw(server.database_pid().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    assert_eq!(server.ended().await, EXIT_FAILURE);
    let took = killed.elapsed();
    eprintln!("the server ended {took:?} after its database");
    assert!(took <= END_LIMIT, "took {took:?}");
    assert!(last_line(&server.log()).contains("embedded database ended"), "{}", last_line(&server.log()));

    server.start().await;
    let fleet = Fleet::of(&server).await;
    fleet.until_lease_other_than(session).await;
    assert_eq!(fleet.until_status("online").await.host_id, before.host_id);
    assert!(fleet.count("SELECT count(*) FROM metric_samples").await >= samples);
    assert!(agent.process().is_running());
}

/// A damaged install key is never replaced by a new one: the database could not be read with it.
#[tokio::test]
async fn server_when_its_install_key_is_damaged_then_refuses_to_start_and_keeps_the_file() {
    let mut server = Server::new();
    fs::create_dir(server.state_dir()).unwrap();
    fs::write(server.state_dir().join("install.key"), "half a key").unwrap();
    server.spawn();
    assert_eq!(server.ended().await, EXIT_FAILURE);
    let complaint = last_line(&server.log());
    assert!(complaint.contains("install.key") && complaint.contains("damaged"), "{complaint}");
    assert_eq!(fs::read_to_string(server.state_dir().join("install.key")).unwrap(), "half a key");
}

fn last_line(log: &str) -> String {
    log.lines().last().unwrap_or_default().to_owned()
}
