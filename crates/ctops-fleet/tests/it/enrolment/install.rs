//! Install material: script, programs, certificate. All of it without signing in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::TimeDelta;
use ctops_crypto::secret::sha256_hex;

use crate::support::{Answer, App};

async fn get(app: &App, path: &str) -> Answer {
    app.send(None, "GET", path, None, [198, 51, 100, 7]).await
}

/// A program of the path that the script finds instead of the real one.
fn stub(directory: &Path, name: &str, script: &str) {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the script with stand-ins for everything that would change the machine. `agent` is what the stand-in for the
/// server sends as the program, `digest` what it says about it.
fn run(script: &str, agent: &str, digest: &str, user: &str, more: impl FnOnce(&Path)) -> (Output, String) {
    let work = tempfile::tempdir().unwrap();
    let here = work.path();
    fs::write(here.join("agent"), agent).unwrap();
    fs::write(here.join("headers"), format!("HTTP/2 200\r\nX-Sha256: {digest}\r\n\r\n")).unwrap();
    stub(here, "uname", "case $1 in -s) echo Linux ;; *) echo x86_64 ;; esac");
    stub(here, "id", &format!("echo {user}"));
    stub(
        here,
        "curl",
        "echo \"curl $*\" >>\"$RECORD\"
         while [ $# -gt 0 ]; do
             case $1 in -D) cp \"$STUBS/headers\" \"$2\" ;; -o) cp \"$STUBS/agent\" \"$2\" ;; esac
             shift
         done",
    );
    more(here);
    let record = here.join("record");
    let mut child = Command::new("/bin/sh")
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", here.display()))
        .env("STUBS", here)
        .env("RECORD", &record)
        .env("TMPDIR", here)
        .env("CT_OPS_ENROLMENT_TOKEN", "tok_secret")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let left: Vec<_> = fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().starts_with("tmp.")),
        "the script cleans up: {left:?}"
    );
    (output, fs::read_to_string(record).unwrap_or_default())
}

/// Stands for the agent: notes how it was called and which certificates it was given.
const AGENT: &str =
    "#!/bin/sh\necho \"agent $* token=$CT_OPS_ENROLMENT_TOKEN\" >>\"$RECORD\"\ncat \"$5\" >>\"$RECORD\"\n";

/// Spec: agents-enrolment 17
#[tokio::test]
async fn script_when_run_fetches_verifies_and_installs_with_the_token_in_the_environment() {
    let app = App::with(|site| site.server_pin.set(Some("sha256//pin=".into()))).await;
    let answer = get(&app, "/agent/install.sh?ingest=[2001:db8::1]:9443&skip_verify=true").await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/x-shellscript"));
    let (output, record) = run(&answer.text(), AGENT, &sha256_hex(AGENT.as_bytes()), "0", |_| ());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = record.lines().collect();
    assert!(lines[0].contains("-k --pinnedpubkey sha256//pin= "), "{record}");
    assert!(
        lines[0].ends_with("https://ops.example.com/api/v1/agent/binary?os=linux&arch=amd64"),
        "{record}"
    );
    assert!(!lines[0].contains("tok_secret"), "never in an address");
    assert!(lines[1].starts_with("agent -install -address [2001:db8::1]:9443 -ca-cert "), "{record}");
    assert!(lines[1].ends_with("/server-ca.pem -tls-skip-verify token=tok_secret"), "{record}");
    assert_eq!(lines[2..].join("\n").trim_end(), app.deps.trust.server_authority().cert_pem().trim_end());
}

/// Spec: agents-enrolment 17
#[tokio::test]
async fn script_when_the_checksum_differs_or_root_is_out_of_reach_runs_no_agent() {
    let app = App::new().await;
    let script = get(&app, "/agent/install.sh").await.text();
    for digest in [&sha256_hex(b"something else"), "", "junk"] {
        let (output, record) = run(&script, AGENT, digest, "0", |_| ());
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("checksum"), "{digest}");
        assert!(!record.contains("agent -install"), "{record}");
    }
    let good = sha256_hex(AGENT.as_bytes());
    let (output, record) = run(&script, AGENT, &good, "1000", |here| {
        stub(here, "sudo", "shift; exec \"$@\"");
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        record.contains("agent -install -address ops.example.com:9443") && !record.contains("skip"),
        "{record}"
    );
    let (output, record) = run(&script, AGENT, &good, "0", |here| stub(here, "uname", "echo Plan9"));
    assert!(!output.status.success() && record.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Plan9"));
}

/// Spec: agents-enrolment 18, 22
#[tokio::test]
async fn script_when_a_parameter_is_hostile_or_unknown_is_refused() {
    let app = App::new().await;
    for (query, code) in [
        ("ingest=$(id):9443", "validation_failed"),
        ("ingest=%27;id;%27:9443", "validation_failed"),
        ("ingest=host%0aid:9443", "validation_failed"),
        ("ingest=host%0d%0aid:9443", "validation_failed"),
        ("ingest=host", "validation_failed"),
        ("ingest=", "validation_failed"),
        ("skip_verify=yes", "validation_failed"),
        ("skip_verify=true;id", "validation_failed"),
        ("token=tok_x", "unknown_field"),
        ("tag=a=$(id)", "unknown_field"),
    ] {
        assert_eq!(get(&app, &format!("/agent/install.sh?{query}")).await.code(422), code, "{query}");
    }
}

#[tokio::test]
async fn script_when_fetched_too_often_is_limited_per_address() {
    let app = App::new().await;
    for _ in 0..30 {
        assert_eq!(get(&app, "/agent/install.sh").await.status, 200);
    }
    assert_eq!(get(&app, "/agent/install.sh").await.code(429), "rate_limited");
    let other = app.send(None, "GET", "/agent/install.sh", None, [198, 51, 100, 8]).await;
    assert_eq!(other.status, 200);
    app.clock.advance(TimeDelta::seconds(60));
    assert_eq!(get(&app, "/agent/install.sh").await.status, 200);
}

#[tokio::test]
async fn binary_when_there_is_one_carries_its_digest_also_after_an_update() {
    let dist = tempfile::tempdir().unwrap();
    let path = dist.path().to_owned();
    let app = App::with(|site| site.agent_dist_dir.clone_from(&path)).await;
    let fetch = "/agent/binary?os=linux&arch=arm64";
    let missing = get(&app, fetch).await;
    assert_eq!(missing.code(503), "unavailable");
    assert!(missing.json()["detail"].as_str().unwrap().contains("linux-arm64"));
    for content in [vec![7_u8; 200_000], vec![8; 3]] {
        fs::write(path.join("ct-ops-agent-linux-arm64"), &content).unwrap();
        for _ in 0..2 {
            let answer = get(&app, fetch).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.bytes, content);
            assert_eq!(answer.headers["x-sha256"], sha256_hex(&content).as_str());
            assert_eq!(answer.headers["content-length"], content.len().to_string().as_str());
        }
    }
    fs::create_dir(path.join("ct-ops-agent-linux-amd64")).unwrap();
    assert_eq!(get(&app, "/agent/binary?os=linux&arch=amd64").await.code(503), "unavailable");
}

#[tokio::test]
async fn binary_when_the_platform_is_unknown_lists_the_known_ones() {
    let app = App::new().await;
    for query in
        ["", "?os=plan9&arch=amd64", "?os=linux&arch=..%2f..%2fetc%2fpasswd", "?os=../linux&arch=amd64"]
    {
        let problem = get(&app, &format!("/agent/binary{query}")).await.expect(422);
        let text = problem.to_string();
        assert!(text.contains("linux, darwin, windows") || text.contains("amd64, arm64"), "{query}: {text}");
    }
}

#[tokio::test]
async fn binary_when_fetched_too_often_is_limited_per_address() {
    let app = App::new().await;
    for _ in 0..20 {
        get(&app, "/agent/binary?os=linux&arch=amd64").await.code(503);
    }
    assert_eq!(get(&app, "/agent/binary?os=linux&arch=amd64").await.code(429), "rate_limited");
}

#[tokio::test]
async fn ca_when_fetched_is_the_one_that_signs_for_the_server() {
    let app = App::new().await;
    let answer = get(&app, "/agent/ca.pem").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), app.deps.trust.server_authority().cert_pem());
}
