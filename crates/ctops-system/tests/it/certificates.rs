//! Certificates that are replaced while the server runs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ctops_testkit::wait_for;
use rcgen::{CertificateParams, KeyPair};
use reqwest::Client;
use reqwest::tls::TlsInfo;

use crate::support::Server;

/// How soon replaced files are shown (deployment 10).
const NOTICE_LIMIT: Duration = Duration::from_secs(30);

/// Writes a certificate for `localhost` with a new key; returns it as DER.
fn write_pair(cert: &Path, key: &Path) -> Vec<u8> {
    let pair = KeyPair::generate().unwrap();
    let made = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    fs::write(key, pair.serialize_pem()).unwrap();
    fs::write(cert, made.pem()).unwrap();
    made.der().to_vec()
}

fn browser() -> Client {
    Client::builder().tls_danger_accept_invalid_certs(true).tls_info(true).build().unwrap()
}

/// The certificate that `client` was shown when its connection was opened.
async fn shown_to(client: &Client, server: &Server) -> Vec<u8> {
    let answer = client.get(format!("https://127.0.0.1:{}/healthz", server.web_port())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let info = answer.extensions().get::<TlsInfo>().unwrap();
    let der = info.peer_certificate().unwrap().to_vec();
    assert_eq!(answer.text().await.unwrap(), "ok");
    der
}

/// Spec: deployment 10
#[tokio::test]
async fn certificates_when_their_files_are_replaced_then_are_shown_within_30_seconds_and_connections_stay() {
    let mut server = Server::new();
    let (web_cert, web_key) = (server.path("web.crt"), server.path("web.key"));
    let (agent_cert, agent_key) = (server.path("agent.crt"), server.path("agent.key"));
    let setting = |server: Server, name: &str, path: &Path| server.with(name, path.to_str().unwrap());
    server = setting(server, "WEB_TLS_CERT", &web_cert);
    server = setting(server, "WEB_TLS_KEY", &web_key);
    server = setting(server, "INGEST_TLS_CERT", &agent_cert);
    server = setting(server, "INGEST_TLS_KEY", &agent_key);
    let (first, agents_first) = (write_pair(&web_cert, &web_key), write_pair(&agent_cert, &agent_key));
    server.spawn();
    let early = browser();
    wait_for(Duration::from_secs(90), || async {
        let url = format!("https://127.0.0.1:{}/readyz", server.web_port());
        early.get(url).send().await.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;
    assert_eq!(shown_to(&early, &server).await, first);
    assert_eq!(server.certificate_for_agents().await, agents_first);

    // A connection that is used all the time must not be cut, so it shows what it began with.
    let still_open =
        || async { assert_eq!(shown_to(&early, &server).await, first, "the open connection stays") };

    // A certificate whose key is another one's, as it is for a moment while somebody copies files.
    fs::write(&web_key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    wait_for(NOTICE_LIMIT, || async {
        still_open().await;
        server.log().contains("a certificate cannot be used").then_some(())
    })
    .await;
    assert_eq!(shown_to(&browser(), &server).await, first, "the present one stays");

    let (second, agents_second) = (write_pair(&web_cert, &web_key), write_pair(&agent_cert, &agent_key));
    let replaced = Instant::now();
    wait_for(NOTICE_LIMIT, || async {
        still_open().await;
        (shown_to(&browser(), &server).await == second).then_some(())
    })
    .await;
    eprintln!("the new certificate is shown after {:?}", replaced.elapsed());
    assert_eq!(server.certificate_for_agents().await, agents_second);
    still_open().await;
    server.stop().await;
}
