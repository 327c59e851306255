//! Deletes the hosts of a run through the web server (deployment 20).

use anyhow::{Context, bail};
use ctops_agent::trust::{ServerTrust, client_config};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::options::CleanupOptions;

/// Longest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Port of an address without one.
const DEFAULT_PORT: u16 = 443;

/// Asks the server to delete the hosts; returns its answer, `{"deleted":n,"failed":[...]}`.
///
/// # Errors
/// When the server cannot be reached, or refuses: with its status and what it says.
pub async fn run(options: &CleanupOptions) -> anyhow::Result<Value> {
    tokio::time::timeout(options.timeout, call(options)).await.context("the server did not answer in time")?
}

async fn call(options: &CleanupOptions) -> anyhow::Result<Value> {
    let url: Uri = options.web_url.parse().context("-web-url is not an address")?;
    if url.scheme_str() != Some("https") {
        bail!("-web-url must begin with https://");
    }
    let host = url.host().context("-web-url names no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_u16().unwrap_or(DEFAULT_PORT);
    let trust = match (&options.ca_cert, options.tls_skip_verify) {
        (_, true) => ServerTrust::Unverified,
        (Some(path), false) => ServerTrust::Anchors(path.clone()),
        (None, false) => ServerTrust::System,
    };
    let mut config = client_config(&trust, None)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tcp = TcpStream::connect((host.as_str(), port)).await.context("the web server cannot be reached")?;
    let name = ServerName::try_from(host.clone()).context("-web-url names no valid host")?;
    let tls = TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
    let driver = tokio::spawn(connection);
    let body = serde_json::json!({"hostname_prefix": options.prefix()}).to_string();
    let request = hyper::Request::post("/api/admin/hosts/bulk-delete")
        .header("host", format!("{host}:{port}"))
        .header("authorization", format!("Bearer {}", options.admin_key.expose()))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await.context("the connection broke")?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let answer = answer.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
    driver.abort();
    if !status.is_success() {
        let problem: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("no explanation").to_owned();
        bail!("the server answers {status}: {detail}");
    }
    serde_json::from_slice(&answer).context("the answer is no JSON")
}
