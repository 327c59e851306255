//! The executable: flags, exit codes, signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peer::Peer;
use crate::plan::Registered;

fn program() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO_BIN_EXE_ct-ops-agent").unwrap());
    command.env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Spec: agents-enrolment 23
#[test]
fn version_when_asked_for_then_is_printed() {
    for flag in ["-version", "--version", "-v"] {
        let output = run(&[flag]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), format!("ct-ops-agent {}\n", ctops_agent::VERSION));
    }
}

/// Spec: agents-enrolment 23
#[test]
fn flags_when_wrong_then_exit_code_is_2_and_usage_is_shown() {
    let output = run(&["-no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(
        complaint.starts_with("flag provided but not defined: -no-such-flag\nUsage of ct-ops-agent:"),
        "{complaint}"
    );
    let output = run(&["-help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("-tls-skip-verify"));
}

/// Spec: agents-enrolment 24
#[test]
fn configuration_when_others_can_read_it_then_the_agent_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[agent]\nenrolment_token = \"tok_secret\"\n").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&["-config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stdout);
    assert!(log.contains("level=ERROR msg=\"agent cannot continue\" err=\"configuration file"), "{log}");
    assert!(log.contains("mode 0644") && !log.contains("tok_secret"), "{log}");
}

#[test]
fn token_when_there_is_none_then_the_agent_does_not_start() {
    let output = run(&["-config", "/nonexistent/agent.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no enrolment token"));
}

#[test]
fn installation_when_not_possible_then_exit_code_is_1() {
    // Without root the first check fails, with root the check for systemd does: test machines run neither.
    if std::path::Path::new("/run/systemd/system").exists() {
        return;
    }
    let output = run(&["-install", "-token", "tok_a"]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stdout);
    assert!(log.contains("need root") || log.contains("systemd is not running"), "{log}");
}

/// A started agent whose log is read line by line.
struct Started {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Started {
    fn new(data: &std::path::Path, arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(["-config", "/nonexistent/agent.toml", "-token", "tok_a"]).args(arguments);
        let mut child = command.env("CT_OPS_DATA_DIR", data).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads the log up to the line that contains `part`.
    fn wait_for(&mut self, part: &str) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(part)).expect(part)
    }

    fn terminate(&mut self, signal: Signal) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        (self.child.wait().unwrap().code(), asked.elapsed())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn agent_when_terminated_while_the_server_is_away_then_ends_with_code_0_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let dir = tempfile::tempdir().unwrap();
        let mut agent =
            Started::new(&dir.path().join("data"), &["-address", "127.0.0.1:1", "-tls-skip-verify"]);
        let line = agent.wait_for("registration failed, trying again");
        assert!(line.starts_with("time=20") && line.contains("level=WARN"), "{line}");
        let (code, took) = agent.terminate(signal);
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(dir.path().join("data/agent_key.pem").exists());
    }
}

/// Spec: agents-enrolment 9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agent_when_revoked_or_terminated_then_exit_codes_differ() {
    let mut peer = Peer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, &peer.certificate).unwrap();
    let (address, ca, data) =
        (format!("localhost:{}", peer.port), ca.display().to_string(), dir.path().join("data"));
    let start = || Started::new(&data, &["-address", &address, "-ca-cert", &ca]);

    let mut agent = start();
    peer.next_beat().await;
    let (code, took) = tokio::task::spawn_blocking(move || agent.terminate(Signal::SIGTERM)).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");

    fs::remove_file(data.join("agent_state.json")).unwrap();
    peer.plan().register.push_back(Registered::Status("revoked"));
    let mut agent = start();
    let code = tokio::task::spawn_blocking(move || agent.child.wait().unwrap().code()).await.unwrap();
    assert_eq!(code, Some(3));
}
