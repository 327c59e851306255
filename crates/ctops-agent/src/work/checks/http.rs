//! `http`: a web server answers with the expected status and body.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::http::header::{HOST, LOCATION, USER_AGENT};
use ::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use regex_lite::{Regex, RegexBuilder};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::{Dialect, OneOrMany, Outcome, port, seconds};
use crate::trust::{self, ServerTrust};

/// Redirects followed (wire contract 6.1).
const MAX_REDIRECTS: usize = 10;
/// Of a body, what conditions are tested on, bytes.
const MAX_SEARCHED: usize = 1024 * 1024;
/// A compiled pattern may take this much memory, bytes.
const MAX_PATTERN: usize = 256 * 1024;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Http {
    url: String,
    method: String,
    expected_status: Option<OneOrMany<u16>>,
    headers: Option<Headers>,
    body: String,
    body_contains: String,
    body_regex: String,
    follow_redirects: Option<bool>,
    verify_tls: Option<bool>,
    /// A file with certificates to trust instead of the system's.
    ca_cert_file: Option<PathBuf>,
    #[serde(alias = "timeout_seconds")]
    timeout_s: Option<i64>,
    #[serde(skip)]
    settled: Settled,
}

/// What is worked out once.
#[derive(Debug, Default)]
struct Settled {
    follow: bool,
    expected: Vec<u16>,
    pattern: Option<Regex>,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Headers {
    List(Vec<Header>),
    Map(std::collections::BTreeMap<String, String>),
}

#[derive(Debug, Deserialize)]
struct Header {
    name: String,
    #[serde(default)]
    value: String,
}

impl Http {
    /// Works out what can be known before a run.
    ///
    /// # Errors
    /// Names the parameter that cannot be used.
    pub(super) fn settle(&mut self, dialect: Dialect) -> Result<(), String> {
        let follow = self.follow_redirects.unwrap_or(dialect == Dialect::Original);
        let mut expected = match self.expected_status.take() {
            Some(OneOrMany::One(code)) => vec![code],
            Some(OneOrMany::Many(codes)) => codes,
            None => Vec::new(),
        };
        expected.retain(|code| *code != 0);
        if expected.is_empty() {
            expected.push(200);
        }
        let pattern = match self.body_regex.as_str() {
            "" => None,
            text => Some(
                RegexBuilder::new(text)
                    .size_limit(MAX_PATTERN)
                    .build()
                    .map_err(|error| format!("body_regex: {error}"))?,
            ),
        };
        let method = match self.method.as_str() {
            "" => Method::GET,
            text => Method::from_bytes(text.to_ascii_uppercase().as_bytes())
                .map_err(|_| "method is not a method of HTTP".to_owned())?,
        };
        let given = match self.headers.take() {
            None => Vec::new(),
            Some(Headers::List(list)) => list.into_iter().map(|header| (header.name, header.value)).collect(),
            Some(Headers::Map(map)) => map.into_iter().collect(),
        };
        let mut headers = Vec::new();
        for (name, value) in given {
            // The value may be a secret and is not named.
            let wrong = || format!("header {name} cannot be sent");
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.push((name.clone(), HeaderValue::from_str(&value).map_err(|_| wrong())?));
        }
        self.settled = Settled { follow, expected, pattern, method, headers };
        Ok(())
    }

    /// Time-out of the whole check.
    pub(super) fn limit(&self) -> Duration {
        seconds(self.timeout_s, 10, 60)
    }

    pub(super) async fn run(&self, roots: &Arc<Roots>) -> Outcome {
        match tokio::time::timeout(self.limit(), self.request(roots)).await {
            Ok(Ok((status, body))) => self.judge(status, &body),
            Ok(Err(error)) => Outcome::fail(format!("request failed: {error}")),
            Err(_) => Outcome::fail(format!("request failed: no answer within {:?}", self.limit())),
        }
    }

    fn judge(&self, status: StatusCode, body: &[u8]) -> Outcome {
        let code = status.as_u16();
        if !self.settled.expected.contains(&code) {
            let expected: Vec<String> = self.settled.expected.iter().map(u16::to_string).collect();
            return Outcome::fail(format!("expected HTTP {}, got {code}", expected.join(" or ")));
        }
        let text = String::from_utf8_lossy(body);
        if !text.contains(&self.body_contains) {
            return Outcome::fail(format!("HTTP {code}, but the body does not contain the expected text"));
        }
        if self.settled.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&text)) {
            return Outcome::fail(format!("HTTP {code}, but the body does not match the pattern"));
        }
        Outcome::pass(format!("HTTP {code}"))
    }

    async fn request(&self, roots: &Arc<Roots>) -> Result<(StatusCode, Vec<u8>), String> {
        let mut target = Target::parse(&self.url)?;
        let first_origin = target.origin();
        let mut method = self.settled.method.clone();
        let mut body = self.body.clone();
        let mut redirects = 0;
        loop {
            // Headers may hold secrets, which are not for another server a redirect names.
            let headers: &[_] = if target.origin() == first_origin { &self.settled.headers } else { &[] };
            let request = target.request(&method, headers, std::mem::take(&mut body))?;
            let response = self.exchange(&target, request, roots).await?;
            let next = response
                .headers()
                .get(LOCATION)
                .filter(|_| self.settled.follow && is_redirect(response.status()))
                .and_then(|location| location.to_str().ok())
                .map(str::to_owned);
            let Some(next) = next else {
                let status = response.status();
                return Ok((status, read(response.into_body()).await?));
            };
            redirects += 1;
            if redirects > MAX_REDIRECTS {
                return Err(format!("stopped after {MAX_REDIRECTS} redirects"));
            }
            // What browsers do and RFC 9110 section 15.4 allows: only 307 and 308 keep the method.
            if matches!(response.status().as_u16(), 307 | 308) {
                body.clone_from(&self.body);
            } else if method != Method::HEAD {
                method = Method::GET;
            }
            target = target.resolve(&next)?;
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        request: Request<String>,
        roots: &Arc<Roots>,
    ) -> Result<::http::Response<Incoming>, String> {
        let tcp = port::connect(&target.host, target.port).await.map_err(|error| error.to_string())?;
        if !target.tls {
            return talk(tcp, request).await;
        }
        let trust = match (&self.ca_cert_file, self.verify_tls.unwrap_or(true)) {
            (_, false) => ServerTrust::Unverified,
            (Some(path), true) => ServerTrust::Anchors(path.clone()),
            (None, true) => ServerTrust::System,
        };
        let config = roots.config(trust).await?;
        let name = target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| "the host is not a name for TLS".to_owned())?;
        let tls = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| error.to_string())?;
        talk(tls, request).await
    }
}

async fn talk<T>(stream: T, request: Request<String>) -> Result<::http::Response<Incoming>, String>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends when the response has been read or dropped.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| with_cause(&error))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Reads the body to its end and keeps its beginning.
async fn read(mut body: Incoming) -> Result<Vec<u8>, String> {
    let mut kept = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| with_cause(&error))?;
        if let Ok(data) = frame.into_data() {
            let room = MAX_SEARCHED - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(kept)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// One address to ask.
struct Target {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        let uri: Uri = url
            .split('#')
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(|_| "the URL cannot be read".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("the URL must begin with http:// or https://".to_owned()),
        };
        let authority = uri.authority().ok_or("the URL names no host")?;
        let shown = authority.as_str().rsplit('@').next().unwrap_or_default().to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: authority.host().to_owned(), port, authority: shown, path })
    }

    fn origin(&self) -> (bool, String, u16) {
        (self.tls, self.host.to_ascii_lowercase(), self.port)
    }

    /// Where a `Location` leads from here (RFC 3986 section 5.2, without dot segments).
    fn resolve(&self, location: &str) -> Result<Self, String> {
        let scheme = if self.tls { "https" } else { "http" };
        if location.starts_with("http://") || location.starts_with("https://") {
            Self::parse(location)
        } else if let Some(rest) = location.strip_prefix("//") {
            Self::parse(&format!("{scheme}://{rest}"))
        } else if location.starts_with('/') {
            Self::parse(&format!("{scheme}://{}{location}", self.authority))
        } else {
            let path = self.path.split('?').next().unwrap_or("/");
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            Self::parse(&format!("{scheme}://{}{folder}/{location}", self.authority))
        }
    }

    fn request(
        &self,
        method: &Method,
        headers: &[(HeaderName, HeaderValue)],
        body: String,
    ) -> Result<Request<String>, String> {
        let mut request = Request::builder().method(method.clone()).uri(self.path.as_str());
        if !headers.iter().any(|(name, _)| name == HOST) {
            request = request.header(HOST, self.authority.as_str());
        }
        if !headers.iter().any(|(name, _)| name == USER_AGENT) {
            request = request.header(USER_AGENT, concat!("ct-ops-agent/", env!("CARGO_PKG_VERSION")));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(body).map_err(|error| error.to_string())
    }
}

/// TLS settings with the authorities of this machine, shared by the checks that run at the same time and gone with the
/// last of them: they take 200 KB.
#[derive(Default)]
pub struct Roots(Mutex<Weak<ClientConfig>>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roots")
    }
}

impl Roots {
    async fn config(self: &Arc<Self>, trust: ServerTrust) -> Result<Arc<ClientConfig>, String> {
        let roots = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let shared = trust == ServerTrust::System;
            let mut present = roots.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(config) = present.upgrade().filter(|_| shared) {
                return Ok(config);
            }
            let mut config = trust::client_config(&trust, None).map_err(|error| error.to_string())?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let config = Arc::new(config);
            if shared {
                *present = Arc::downgrade(&config);
            }
            Ok(config)
        });
        made.await.unwrap_or_else(|_| Err("TLS cannot be set up".to_owned()))
    }
}
