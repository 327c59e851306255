#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use super::*;
use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn tools() -> Tools {
    Tools {
        clock: Clock::manual("2030-06-01T00:00:00Z".parse().unwrap()),
        sources: Sources::system(),
        programs: Programs::system(),
        scripts_dir: std::env::temp_dir(),
        scripts_allowed: true,
        roots: Arc::default(),
    }
}

async fn run_with(tools: &Tools, check_type: &str, config: &Value, dialect: Dialect) -> Outcome {
    match Check::parse(check_type, &config.to_string(), dialect) {
        Ok(check) => Arc::new(check).run(tools, &Arc::default()).await,
        Err(output) => Outcome::error(output),
    }
}

async fn run(check_type: &str, config: Value) -> Outcome {
    run_with(&tools(), check_type, &config, Dialect::Own).await
}

fn document_of(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.output).unwrap()
}

/// Answers every connection with `answer` (which may name `{port}`); the requests' first bytes are checked by it.
async fn web_server(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let _ = stream.write_all(answer(&request).as_bytes()).await;
        }
    });
    port
}

fn page(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Spec: monitoring 17
#[tokio::test]
async fn port_when_something_listens_then_passes_on_tcp_and_udp_and_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(tcp) = TcpListener::bind(address).await else { continue };
        let port = tcp.local_addr().unwrap().port();
        let host = tcp.local_addr().unwrap().ip().to_string();
        let outcome = run("port", json!({"host": host, "port": port})).await;
        assert_eq!(outcome, Outcome::pass(format!("port {port} reachable")), "{address}");
        drop(tcp);
        let outcome = run("port", json!({"host": host, "port": port})).await;
        assert_eq!(outcome.verdict, Verdict::Fail);
        assert!(outcome.output.starts_with("connection failed: "), "{}", outcome.output);
    }
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = udp.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let _ = udp.send_to(format!("echo {length}").as_bytes(), from).await;
        }
    });
    let config = |expected: &str| json!({"host": "127.0.0.1", "port": port, "protocol": "udp", "payload": "hello", "expected_reply": expected, "timeout_s": 2});
    assert_eq!(run("port", config("echo 5")).await.verdict, Verdict::Pass);
    assert_eq!(run("port", config("other")).await.verdict, Verdict::Fail);
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = run("port", json!({"host": "127.0.0.1", "port": closed, "protocol": "udp"})).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{}", outcome.output);
}

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

/// Spec: monitoring 17
#[tokio::test]
async fn http_when_status_and_body_hold_then_passes() {
    let port = web_server(|request| {
        if !request.contains("x-key: v\r\n")
            || !request.starts_with("POST /p?q=1 HTTP/1.1\r\n")
            || !request.ends_with("data")
        {
            return page(400, "");
        }
        page(201, "all is well")
    })
    .await;
    let config = |more: Value| {
        let mut config = json!({"url": format!("http://127.0.0.1:{port}/p?q=1"), "method": "post", "body": "data",
            "headers": [{"name": "X-Key", "value": "v"}], "expected_status": [200, 201]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    assert_eq!(run("http", config(json!({}))).await, Outcome::pass("HTTP 201"));
    assert_eq!(
        run("http", config(json!({"body_contains": "is well", "body_regex": "^all .* well$"}))).await.verdict,
        Verdict::Pass
    );
    assert_eq!(run("http", config(json!({"body_contains": "broken"}))).await.verdict, Verdict::Fail);
    assert_eq!(run("http", config(json!({"body_regex": "^b"}))).await.verdict, Verdict::Fail);
    let other = run("http", config(json!({"expected_status": 0}))).await;
    assert_eq!(other, Outcome::fail("expected HTTP 200, got 201"));
    let invalid = run("http", config(json!({"body_regex": "("}))).await;
    assert!(invalid.verdict == Verdict::Error && invalid.output.starts_with("invalid http config: "));
    let refused = run("http", json!({"url": "http://127.0.0.1:1/"})).await;
    assert!(
        refused.verdict == Verdict::Fail && refused.output.starts_with("request failed: "),
        "{}",
        refused.output
    );
}

/// Spec: monitoring 17
#[tokio::test]
async fn redirect_when_met_then_is_followed_as_the_server_of_the_definition_expects() {
    let port = web_server(|request| {
        if request.starts_with("GET /end ") {
            return page(200, "");
        }
        "HTTP/1.1 302 X\r\nLocation: /end\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    })
    .await;
    let url = json!({"url": format!("http://localhost:{port}/")});
    let tools = tools();
    assert_eq!(run_with(&tools, "http", &url, Dialect::Original).await, Outcome::pass("HTTP 200"));
    assert_eq!(
        run_with(&tools, "http", &url, Dialect::Own).await,
        Outcome::fail("expected HTTP 200, got 302")
    );
    let endless = web_server(|_| {
        "HTTP/1.1 301 X\r\nLocation: again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    })
    .await;
    let url = json!({"url": format!("http://localhost:{endless}/a/b"), "follow_redirects": true});
    let outcome = run("http", url).await;
    assert_eq!(outcome, Outcome::fail("request failed: stopped after 10 redirects"));
}

/// A TLS server with a certificate for `localhost`, valid in `years`; its port and its certificate.
async fn tls_server(years: (i32, i32)) -> (u16, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example, Ltd");
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let mut request = vec![0; 8192];
                let _ = tls.read(&mut request).await;
                let _ = tls.write_all(page(200, "").as_bytes()).await;
                let _ = tls.shutdown().await;
            }
        }
    });
    (port, certificate.pem())
}

/// Spec: monitoring 17
#[tokio::test]
async fn https_when_the_server_is_not_trusted_then_fails_unless_told_otherwise() {
    let (port, pem) = tls_server((2025, 2100)).await;
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, pem).unwrap();
    let url = format!("https://localhost:{port}/");
    let outcome = run("http", json!({"url": url})).await;
    assert!(outcome.output.starts_with("request failed: "), "{}", outcome.output);
    assert_eq!(run("http", json!({"url": url, "verify_tls": false})).await, Outcome::pass("HTTP 200"));
    assert_eq!(run("http", json!({"url": url, "ca_cert_file": ca})).await, Outcome::pass("HTTP 200"));
}

/// Spec: monitoring 17, 21
#[tokio::test]
async fn certificate_when_presented_then_is_described_and_judged_by_its_life_time() {
    let (port, _) = tls_server((2025, 2100)).await;
    let outcome =
        run("certificate", json!({"host": "127.0.0.1", "port": port, "serverName": "localhost"})).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.output);
    let report = document_of(&outcome);
    assert_eq!(
        (report["server_name"].as_str(), report["common_name"].as_str()),
        (Some("localhost"), Some("localhost"))
    );
    assert_eq!(report["subject"], "CN=localhost,O=Example\\, Ltd");
    assert_eq!(report["sans"], json!(["DNS:localhost", "IP:127.0.0.1"]));
    assert_eq!(report["not_after"], "2100-01-01T00:00:00Z");
    assert_eq!(
        (report["signature_algorithm"].as_str(), report["key_algorithm"].as_str()),
        (Some("ECDSA-SHA256"), Some("ECDSA"))
    );
    assert_eq!(
        (report["is_self_signed"].as_bool(), report["chain"].as_array().unwrap().len()),
        (Some(true), 1)
    );
    assert!(
        outcome.output.starts_with("{\"host\":\"127.0.0.1\",\"port\":"),
        "keys are in the order of the contract"
    );
    let (port, _) = tls_server((2020, 2021)).await;
    assert_eq!(run("certificate", json!({"host": "127.0.0.1", "port": port})).await.verdict, Verdict::Fail);
    let outcome = run("certificate", json!({"host": "127.0.0.1", "port": 1})).await;
    let report = document_of(&outcome);
    assert_eq!(outcome.verdict, Verdict::Error);
    assert!(report["chain"].is_null() && report["sans"].is_null() && report["error"].is_string());
    assert_eq!(report["not_before"], "0001-01-01T00:00:00Z");
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

/// Spec: monitoring 17; tasks 26
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

#[tokio::test]
async fn definition_when_it_cannot_be_read_then_the_output_says_why() {
    assert_eq!(run("telepathy", json!({})).await, Outcome::error("unknown check type: telepathy"));
    let outcome = run("port", json!({"port": "http"})).await;
    assert!(outcome.output.starts_with("invalid port config: "), "{}", outcome.output);
    assert!(
        Check::parse("patch_status", "", Dialect::Original).is_ok(),
        "the original stores nothing for it"
    );
}

proptest! {
    #[test]
    fn any_configuration_is_read_without_panic(
        check_type in "port|process|http|certificate|cert_file|service_account|ssh_key_scan|patch_status|script",
        text in "\\PC{0,60}",
        number: i64,
    ) {
        let _ = Check::parse(&check_type, &text, Dialect::Own);
        let config = json!({"url": text, "host": text, "timeout_s": number, "headers": {text.clone(): text}, "body_regex": text});
        if let Ok(check) = Check::parse(&check_type, &config.to_string(), Dialect::Original) {
            prop_assert!(check.limit() <= Duration::from_secs(600));
        }
    }
}
