//! Checks of this host.

use std::path::Path;

use super::*;

/// Spec: monitoring 17
#[tokio::test]
async fn process_when_counted_then_has_to_be_in_the_range() {
    let dir = tempfile::tempdir().unwrap();
    for (pid, comm, cmdline) in
        [(7, "nginx\n", "nginx: worker\0"), (5, "x\n", "/usr/sbin/nginx\0-g\0"), (9, "sh\n", "")]
    {
        let process = dir.path().join("proc").join(pid.to_string());
        fs::create_dir_all(&process).unwrap();
        fs::write(process.join("comm"), comm).unwrap();
        fs::write(process.join("cmdline"), cmdline).unwrap();
    }
    let mut tools = tools();
    tools.sources =
        Sources { proc: dir.path().join("proc"), etc: dir.path().join("etc"), run: dir.path().join("run") };
    let run = async |config: Value| run_with(&tools, "process", &config, Dialect::Own).await;
    let found = run(json!({"process_name": "nginx"})).await;
    assert_eq!(found, Outcome::pass("process 'nginx' found (pid 5)"));
    assert_eq!(run(json!({"process_name": "nope"})).await, Outcome::fail("process 'nope' not found"));
    let many = run(json!({"process_name": "nginx", "min_count": 1, "max_count": 1})).await;
    assert_eq!(many, Outcome::fail("process 'nginx' found 2 times (pid 5), expected 1 to 1"));
    assert_eq!(run(json!({"process_name": "nginx", "min_count": 3})).await.verdict, Verdict::Fail);
    let none = run(json!({"process_name": "nope", "min_count": 0, "max_count": 0})).await;
    assert_eq!(none.verdict, Verdict::Pass, "that something does not run can be wanted");
    tools.sources.proc = "/nonexistent".into();
    let outcome = run_with(&tools, "process", &json!({"process_name": "a"}), Dialect::Own).await;
    assert_eq!(outcome.verdict, Verdict::Error);
    assert!(outcome.output.starts_with("reading /proc: "), "{}", outcome.output);
}

/// Spec: monitoring 17, 21
#[tokio::test]
async fn certificate_file_when_read_then_is_described() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keystores");
    let of = async |name: &str, format: &str| {
        run("cert_file", json!({"file_path": folder.join(name), "format": format, "password": "secret"}))
            .await
    };
    for (name, format) in
        [("leaf.pem", "pem"), ("modern.p12", "pkcs12"), ("key.jks", "jks"), ("legacy.p12", "jks")]
    {
        let outcome = of(name, format).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{name}: {}", outcome.output);
        let report = document_of(&outcome);
        assert_eq!(report["common_name"], "leaf.example.com");
        assert_eq!(report["subject"], "CN=leaf.example.com,O=Example\\, Ltd,C=GB");
        assert_eq!(
            (report["issuer"].as_str(), report["serial_number"].as_str()),
            (Some("Example CA"), Some("4660"))
        );
        let sans = json!(["DNS:leaf.example.com", "IP:192.0.2.7", "email:a@example.com", "URI:spiffe://x/y"]);
        assert_eq!(report["sans"], sans);
        assert_eq!(
            report["fingerprint_sha256"],
            "b967861ec6dbaba82d9cc16f125166cd9663479dda4c5dacb8393877a749e878"
        );
    }
    let report = document_of(&of("leaf.pem", "der").await);
    assert_eq!(report["error"], "unsupported format: der");
}

/// Spec: monitoring 17
#[tokio::test]
async fn certificate_file_when_its_path_is_not_allowed_then_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link.pem");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    for (path, reason) in [
        ("relative.pem".to_owned(), "absolute"),
        (format!("/{}", "x".repeat(5000)), "absolute"),
        ("/etc/../etc/passwd".to_owned(), ".."),
        ("/proc/self/environ".to_owned(), "/proc, /sys or /dev"),
        (link.display().to_string(), "symbolic link"),
        (dir.path().display().to_string(), "not a regular file"),
    ] {
        let outcome = run("cert_file", json!({"filePath": path, "format": "pem"})).await;
        assert_eq!(outcome.verdict, Verdict::Error);
        assert!(outcome.output.contains(reason), "{path:.40}: {}", outcome.output);
    }
}

/// Spec: monitoring 17
#[tokio::test]
async fn accounts_when_listed_then_have_type_and_password_dates() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["etc", "proc/12", "home/ann/.ssh"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let home = dir.path().join("home/ann").display().to_string();
    let passwd = format!(
        "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::{home}:/bin/bash\nsvc:x:1001:1001::/:/usr/sbin/nologin\nbad line\nbig:x:70000:1::/:/bin/sh\n"
    );
    fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
    fs::write(dir.path().join("etc/shadow"), "root:*:19000:0:99999:7:::\nann:$6$x:19000:0:90:7:::\n")
        .unwrap();
    fs::write(dir.path().join("proc/12/status"), "Name:\tx\nUid:\t1000\t0\t0\t0\n").unwrap();
    fs::write(
        dir.path().join("home/ann/.ssh/authorized_keys"),
        "# none\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH ann@pc\n",
    )
    .unwrap();
    let mut tools = tools();
    tools.sources =
        Sources { proc: dir.path().join("proc"), etc: dir.path().join("etc"), run: dir.path().join("run") };
    let outcome = run_with(&tools, "service_account", &json!({}), Dialect::Own).await;
    assert_eq!(outcome.verdict, Verdict::Pass);
    let accounts = document_of(&outcome)["accounts"].as_array().unwrap().clone();
    let types: Vec<_> = accounts.iter().map(|account| account["account_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["system", "human", "service", "service"]);
    assert_eq!(
        (accounts[0]["account_locked"].as_bool(), accounts[1]["account_locked"].as_bool()),
        (Some(true), Some(false))
    );
    assert!(accounts[0].get("password_expires_at").is_none());
    assert_eq!(accounts[1]["password_last_changed"], (19000 * 86_400).to_string());
    assert_eq!(accounts[1]["password_expires_at"], (19090 * 86_400).to_string());
    assert_eq!(accounts[1]["has_running_processes"], true);
    let outcome = run_with(
        &tools,
        "ssh_key_scan",
        &json!({"scan_paths": ["/nonexistent/home/bob/keys"]}),
        Dialect::Own,
    )
    .await;
    let report = document_of(&outcome);
    assert_eq!(report["keys"].as_array().unwrap().len(), 1);
    assert_eq!(
        (report["keys"][0]["associated_username"].as_str(), report["keys"][0]["bit_length"].as_u64()),
        (Some("ann"), Some(256))
    );
    tools.sources.etc = "/nonexistent".into();
    let outcome = run_with(&tools, "service_account", &json!({}), Dialect::Own).await;
    assert!(outcome.verdict == Verdict::Error && document_of(&outcome)["accounts"].is_null());
}

/// Spec: monitoring 17
/// Spec: tasks 26
#[tokio::test]
async fn script_when_it_ends_then_its_code_is_the_verdict_and_hosts_may_refuse_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut tools = tools();
    tools.scripts_dir = dir.path().to_owned();
    let run = async |tools: &Tools, script: &str, seconds: i64| {
        run_with(tools, "script", &json!({"script": script, "timeout_s": seconds}), Dialect::Own).await
    };
    assert_eq!(run(&tools, "echo fine", 5).await, Outcome::pass("fine"));
    assert_eq!(run(&tools, "echo bad >&2; exit 1", 5).await, Outcome::fail("bad"));
    assert_eq!(run(&tools, "exit 7", 5).await, Outcome::error("exit code 7\n"));
    assert_eq!(run(&tools, "sleep 60", 1).await, Outcome::error("timed out"));
    assert_eq!(fs::read_dir(dir.path().join("scripts")).unwrap().count(), 0, "scripts are removed");
    tools.scripts_allowed = false;
    assert_eq!(run(&tools, "echo fine", 5).await, Outcome::error(crate::work::tasks::REFUSED));
}
