//! Checks of other hosts.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

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
    params.distinguished_name.push(DnType::LocalityName, "Example, Ltd");
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
    assert_eq!(report["subject"], "CN=localhost,L=Example\\, Ltd");
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
