//! One HTTP request over a checked connection.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::dial::{Egress, EgressError};
use crate::policy::Purpose;
use crate::tls::TlsTrust;

/// Longest address that is asked for, bytes.
const MAX_URL_BYTES: usize = 4096;
/// Connecting, asking and reading take this long together.
const BUDGET: Duration = Duration::from_secs(10);
/// The same for the revocation list (licensing 17).
const REVOCATION_BUDGET: Duration = Duration::from_secs(2);

/// What to ask for.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// `GET`, `POST`, ...
    pub method: Method,
    /// Absolute, `https://` unless the purpose allows otherwise.
    pub url: String,
    /// Beside `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// Empty for none.
    pub body: Bytes,
    /// Most bytes of the answer's body.
    pub max_answer: usize,
}

impl OutboundRequest {
    /// A `GET` of at most 1 MiB (security 9).
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            max_answer: 1 << 20,
        }
    }
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct OutboundResponse {
    /// Status; redirects are not followed.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

struct Place {
    host: String,
    port: u16,
    secure: bool,
    path: String,
}

impl Egress {
    /// Asks once, trusting the system's certificate authorities.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn https(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        request: OutboundRequest,
    ) -> Result<OutboundResponse, EgressError> {
        self.https_trusting(org_id, purpose, request, TlsTrust::System).await
    }

    /// Asks once, trusting `trust`.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn https_trusting(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        request: OutboundRequest,
        trust: TlsTrust<'_>,
    ) -> Result<OutboundResponse, EgressError> {
        let place = place_of(&request.url)?;
        if !place.secure && !purpose.allows_plain_http() && !self.is_local(&place.host) {
            return Err(EgressError::BadUrl("must begin with https://"));
        }
        let budget = if purpose == Purpose::LicenceRevocation { REVOCATION_BUDGET } else { BUDGET };
        let host = place.host.clone();
        let asking = self.ask(org_id, purpose, request, place, trust, budget);
        match timeout_at(Instant::now() + budget, asking).await {
            Ok(outcome) => outcome,
            Err(_) => Err(EgressError::Timeout(host)),
        }
    }

    /// Plain HTTP to this machine is for development only.
    fn is_local(&self, host: &str) -> bool {
        let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.options().allow_loopback && (loopback || host == "localhost")
    }

    async fn ask(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        request: OutboundRequest,
        place: Place,
        trust: TlsTrust<'_>,
        budget: Duration,
    ) -> Result<OutboundResponse, EgressError> {
        let stream = self.connect(org_id, purpose, &place.host, place.port, budget).await?;
        if place.secure {
            let stream = self.tls(stream, &place.host, trust).await?;
            exchange(stream, request, &place).await
        } else {
            exchange(stream, request, &place).await
        }
    }
}

fn place_of(url: &str) -> Result<Place, EgressError> {
    if url.len() > MAX_URL_BYTES {
        return Err(EgressError::BadUrl("is too long"));
    }
    let uri: Uri = url.parse().map_err(|_| EgressError::BadUrl("is not a URL"))?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(EgressError::BadUrl("must begin with https://")),
    };
    let authority = uri.authority().ok_or(EgressError::BadUrl("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(EgressError::BadUrl("must not contain a user name"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err(EgressError::BadUrl("names no host"));
    }
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    Ok(Place { host, port, secure, path })
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: OutboundRequest,
    place: &Place,
) -> Result<OutboundResponse, EgressError> {
    let protocol = |error: hyper::Error| EgressError::Protocol(Box::new(error));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let connection = tokio::spawn(connection);
    let outcome = async {
        let answer = sender.send_request(to_http(request.clone(), place)?).await.map_err(protocol)?;
        let (parts, body) = answer.into_parts();
        let body =
            Limited::new(body, request.max_answer).collect().await.map_err(|error| match error
                .downcast_ref::<LengthLimitError>(
            ) {
                Some(_) => EgressError::TooLarge(request.max_answer),
                None => EgressError::Protocol(error),
            })?;
        Ok(OutboundResponse { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
    .await;
    connection.abort();
    outcome
}

fn to_http(request: OutboundRequest, place: &Place) -> Result<Request<Full<Bytes>>, EgressError> {
    let is_v6 = place.host.contains(':');
    let host = if is_v6 { format!("[{}]", place.host) } else { place.host.clone() };
    let standard = if place.secure { 443 } else { 80 };
    let host = if place.port == standard { host } else { format!("{host}:{}", place.port) };
    let host = HeaderValue::from_str(&host).map_err(|_| EgressError::BadUrl("names no host"))?;
    let mut built = Request::new(Full::new(request.body));
    *built.method_mut() = request.method;
    *built.uri_mut() = place.path.parse().map_err(|_| EgressError::BadUrl("is not a URL"))?;
    *built.headers_mut() = request.headers;
    built.headers_mut().insert(header::HOST, host);
    built.headers_mut().entry(header::USER_AGENT).or_insert(HeaderValue::from_static("ct-ops"));
    Ok(built)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_taken_apart_strictly() {
        let place = place_of("https://Hooks.example:8443/a?b=c#d").unwrap();
        assert_eq!((place.host.as_str(), place.port, place.secure), ("Hooks.example", 8443, true));
        assert_eq!(place.path, "/a?b=c");
        assert_eq!(place_of("https://[fd00::1]/").unwrap().host, "fd00::1");
        assert_eq!(place_of("http://x").unwrap().port, 80);
        for bad in
            ["", "x", "/path", "ftp://x/", "file:///etc/passwd", "https://u:p@x/", "https://", "gopher://x"]
        {
            assert!(matches!(place_of(bad), Err(EgressError::BadUrl(_))), "{bad}");
        }
        assert!(place_of(&format!("https://x/{}", "a".repeat(5000))).is_err());
    }
}
