//! What every request passes: request id, client address, sign-in, origin and anti-forgery checks, headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use tracing::Instrument;

use crate::actor::Actor;
use crate::audit;
use crate::http::{ApiError, render_problem};
use crate::state::{AppState, Installation};

/// Anti-forgery header of browser writes: another site cannot send it without a preflight, which is never granted.
pub const ANTI_FORGERY_HEADER: &str = "x-ctops-request";
/// Request id, in and out.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Name of the session cookie (auth 12): the `__Host-` prefix binds it to this origin, but needs TLS.
pub fn session_cookie_name(installation: &Installation) -> &'static str {
    if installation.is_https() { "__Host-ctops_session" } else { "ctops_session" }
}

/// The session token in the request's cookies, if any.
pub fn session_token<'a>(headers: &'a HeaderMap, installation: &Installation) -> Option<&'a str> {
    cookie(headers, session_cookie_name(installation))
}

/// The value of the cookie with exactly this name, if it has one.
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

/// Beginnings of API keys (auth 20): of people, of services.
pub const API_KEY_PREFIXES: [&str; 2] = ["ctops_pat_", "ctops_svc_"];

/// The API key in the `Authorization` header, if there is one (RFC 6750 section 2.1). Other bearers are not ours.
pub fn api_key(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    let is_ours =
        scheme.eq_ignore_ascii_case("bearer") && API_KEY_PREFIXES.iter().any(|p| key.starts_with(p));
    is_ours.then_some(key)
}

/// Where the request came from (auth 24).
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<ClientIp>()
            .copied()
            .ok_or_else(|| Problem::internal("the guard did not run before the handler").into())
    }
}

/// The client's address: the socket's peer or, behind a trusted proxy, the right-most hop it reports.
pub fn client_ip(peer: IpAddr, headers: &HeaderMap, trust_proxy: bool) -> IpAddr {
    if !trust_proxy {
        return peer.to_canonical();
    }
    let last_forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|hop| parse_hop(hop.trim()))
        .next_back();
    let real = || headers.get("x-real-ip").and_then(|value| value.to_str().ok()).and_then(parse_hop);
    last_forwarded.or_else(real).unwrap_or(peer).to_canonical()
}

fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The outermost layer of the API: see the module text.
pub async fn guard(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers());
    let span = tracing::info_span!(
        "request",
        request.id = %request_id,
        http.method = %request.method(),
        http.path = request.uri().path(),
    );
    let is_head_of_stream = request.headers().get(header::ACCEPT).is_some_and(|v| v == "text/event-stream");
    let response = async {
        let admitted = admit(&state, &mut request).await;
        let context = context_of(&request, &request_id);
        let attempt = audit::denied::Attempt::of(&request, &context);
        let response = match admitted {
            Ok(()) => audit::context::within(context, next.run(request)).await,
            Err(problem) => ApiError::from(problem).into_response(),
        };
        let problem = response.extensions().get::<Arc<Problem>>().cloned();
        if let (Some(attempt), Some(problem)) = (attempt, problem) {
            attempt.observe(&state.pool, &problem, state.clock.now()).await;
        }
        response
    }
    .instrument(span.clone())
    .await;
    let mut response = span.in_scope(|| render_problem(response, &request_id));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(HeaderName::from_static(REQUEST_ID_HEADER), value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if is_head_of_stream {
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    response
}

/// What the audit trail keeps of the request.
fn context_of(request: &Request, request_id: &str) -> audit::RequestContext {
    let extensions = request.extensions();
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let ip = extensions.get::<ClientIp>().map(|ip| ip.0);
    audit::RequestContext::new(request_id, ip, agent, extensions.get::<Actor>())
}

/// Finds out who asks and refuses forged requests; the route's own access rule comes after this.
async fn admit(state: &AppState, request: &mut Request) -> Result<(), Problem> {
    if request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00")) {
        // No id and no text we keep has this character, and PostgreSQL cannot even compare with it.
        return Err(Problem::malformed("malformed_query", "the address holds the character U+0000"));
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.ok_or_else(|| Problem::internal("the connection's address is unknown"))?;
    let ip = client_ip(peer, request.headers(), state.installation.trust_proxy_headers);
    request.extensions_mut().insert(ClientIp(ip));
    let actor = if let Some(secret) = api_key(request.headers()) {
        // No browser adds this header by itself, so a request with a key cannot be forged and needs no origin.
        let actor = state.authenticator.by_api_key(secret, ip).await?;
        Some(actor.ok_or_else(Problem::unauthenticated)?)
    } else {
        let foreign = carries_its_own_proof(request.method(), request.uri().path());
        let actor = match session_token(request.headers(), &state.installation) {
            Some(token) if !foreign => state.authenticator.by_session(token, ip).await?,
            _ => None,
        };
        if !foreign {
            check_forgery(&state.installation, request.method(), request.headers(), actor.is_some())?;
        }
        actor
    };
    request.extensions_mut().insert(Arc::clone(&state.entitlements));
    if let Some(actor) = actor {
        request.extensions_mut().insert(actor);
    }
    Ok(())
}

/// Demands the anti-forgery header of requests that a cookie other than the session's speaks for.
///
/// # Errors
/// `untrusted_origin`.
pub fn require_anti_forgery_header(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ANTI_FORGERY_HEADER) {
        return Ok(());
    }
    let detail = "the header X-CTOps-Request is missing";
    Err(Problem::new(ProblemKind::Forbidden, "untrusted_origin", detail))
}

/// The one request that comes from pages of other sites by design: the answer of a SAML provider, which the person's
/// browser posts. Its signature speaks for it, and no cookie does.
fn carries_its_own_proof(method: &Method, path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let end = [parts.next(), parts.nth(1), parts.next()];
    *method == Method::POST && end == [Some("acs"), Some("saml"), Some("auth")]
}

/// Origin and anti-forgery header of requests that change something (api-conventions 3, auth 25).
fn check_forgery(
    installation: &Installation,
    method: &Method,
    headers: &HeaderMap,
    by_cookie: bool,
) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let refused = |detail: &str| Problem::new(ProblemKind::Forbidden, "untrusted_origin", detail);
    match origin_of(headers) {
        Some(origin) if !installation.trusts_origin(&origin) => {
            return Err(refused("this page's origin is not trusted; add it to BETTER_AUTH_TRUSTED_ORIGINS"));
        }
        None if by_cookie => return Err(refused("the request names no origin")),
        _ => {}
    }
    if by_cookie && !headers.contains_key(ANTI_FORGERY_HEADER) {
        return Err(refused("the header X-CTOps-Request is missing"));
    }
    Ok(())
}

/// `Origin`, else the origin part of `Referer` (RFC 6454, RFC 9110 section 10.1.3).
fn origin_of(headers: &HeaderMap) -> Option<String> {
    if let Some(origin) = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null")) {
        return Some(origin.to_owned());
    }
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    let (scheme, rest) = referer.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{authority}"))
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID_HEADER).and_then(|value| value.to_str().ok());
    given.filter(|id| is_request_id(id)).map_or_else(|| new_id().to_string(), str::to_owned)
}

/// `[A-Za-z0-9-]{8,64}` (security 5).
fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_str(v).unwrap())).collect()
    }

    fn installation() -> Installation {
        Installation {
            public_url: "https://ops.example.com".into(),
            trusted_origins: vec!["https://alias.example.com".into()],
            trust_proxy_headers: false,
            require_email_verification: true,
            session_lifetime: std::time::Duration::from_secs(60),
            session_idle: std::time::Duration::from_secs(60),
            ingest_address: String::new(),
            server_ca_pem: String::new().into(),
            server_pin: None.into(),
            agent_dist_dir: std::path::PathBuf::new(),
            version: "0",
        }
    }

    /// Spec: auth 24
    #[test]
    fn proxy_headers_count_only_when_the_proxy_is_trusted() {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let forged = headers(&[("x-forwarded-for", "1.1.1.1, 9.9.9.9")]);
        assert_eq!(client_ip(peer, &forged, false), peer);
        assert_eq!(client_ip(peer, &forged, true).to_string(), "9.9.9.9", "the right-most hop");
        let real = headers(&[("x-real-ip", "8.8.8.8")]);
        assert_eq!(client_ip(peer, &real, true).to_string(), "8.8.8.8");
        let broken = headers(&[("x-forwarded-for", "unknown")]);
        assert_eq!(client_ip(peer, &broken, true), peer, "never a shared bucket");
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(client_ip(mapped, &HeaderMap::new(), false), peer);
    }

    /// Spec: auth 25
    #[test]
    fn writes_need_a_trusted_origin_and_the_header_when_a_cookie_speaks() {
        let site = installation();
        let check = |pairs: &[(&'static str, &str)], cookie| {
            check_forgery(&site, &Method::POST, &headers(pairs), cookie).map_err(|p| p.code())
        };
        let mine = ("origin", "https://ops.example.com");
        let marked = ("x-ctops-request", "1");
        assert_eq!(check(&[mine, marked], true), Ok(()));
        assert_eq!(check(&[("origin", "https://alias.example.com"), marked], true), Ok(()));
        assert_eq!(check(&[("referer", "https://ops.example.com/hosts"), marked], true), Ok(()));
        for bad in
            ["https://evil.example.com", "https://ops.example.com.evil.com", "http://ops.example.com", "null"]
        {
            assert_eq!(check(&[("origin", bad), marked], true), Err("untrusted_origin"), "{bad}");
            assert_eq!(check(&[("origin", bad)], false), Err("untrusted_origin"), "sign-in from {bad}");
        }
        assert_eq!(check(&[marked], true), Err("untrusted_origin"), "no origin at all");
        assert_eq!(check(&[mine], true), Err("untrusted_origin"), "no anti-forgery header");
        assert_eq!(check(&[], false), Ok(()), "a program without a cookie");
        assert!(check_forgery(&site, &Method::GET, &HeaderMap::new(), true).is_ok());
    }

    #[test]
    fn the_session_cookie_is_found_by_its_exact_name() {
        let jar = headers(&[("cookie", "a=1; x__Host-ctops_session=no; __Host-ctops_session=yes; b=2")]);
        assert_eq!(session_token(&jar, &installation()), Some("yes"));
        assert_eq!(session_token(&headers(&[("cookie", "__Host-ctops_session=")]), &installation()), None);
    }

    /// Spec: auth 20
    #[test]
    fn api_keys_are_taken_from_the_bearer_header_and_told_from_other_bearers() {
        let key = |value: &str| api_key(&headers(&[("authorization", value)])).map(str::to_owned);
        assert_eq!(key("Bearer ctops_pat_abc").as_deref(), Some("ctops_pat_abc"));
        assert_eq!(key("bearer  ctops_svc_abc").as_deref(), Some("ctops_svc_abc"));
        for other in ["Bearer key of the load test", "Basic ctops_pat_abc", "ctops_pat_abc", "Bearer"] {
            assert_eq!(key(other), None, "{other}");
        }
        assert_eq!(api_key(&HeaderMap::new()), None);
    }

    /// Spec: security 5
    /// Spec: auth 34
    #[test]
    fn answers_of_saml_providers_are_the_only_posts_from_elsewhere() {
        assert!(carries_its_own_proof(&Method::POST, "/auth/saml/019a/acs"));
        assert!(carries_its_own_proof(&Method::POST, "/api/v1/auth/saml/019a/acs"));
        for (method, path) in [
            (Method::PUT, "/auth/saml/019a/acs"),
            (Method::POST, "/auth/saml/019a/start"),
            (Method::POST, "/auth/saml/acs"),
            (Method::POST, "/hosts/saml/019a/acs"),
            (Method::POST, "/acs"),
            (Method::POST, "/auth/login"),
        ] {
            assert!(!carries_its_own_proof(&method, path), "{method} {path}");
        }
    }

    #[test]
    fn request_ids_are_taken_over_only_in_the_agreed_form() {
        assert_eq!(request_id(&headers(&[("x-request-id", "abcdef-12345")])), "abcdef-12345");
        for bad in ["short", "has space 123", "semi;colon-1"] {
            assert_ne!(request_id(&headers(&[("x-request-id", bad)])), bad);
        }
    }
}
