//! Endpoints and keys of a provider (OpenID Connect Discovery 1.0).

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use ctops_base::{Problem, ProblemKind};
use ctops_egress::{OutboundRequest, Purpose, TlsTrust};
use ctops_slice::AppState;
use serde::Deserialize;
use url::Url;

use super::cache::Cache;
use super::id_token::Keys;
use crate::identity_providers::{Endpoints, OidcSettings, Protocol, Provider};

/// What is read of a discovery document.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    end_session_endpoint: Option<String>,
}

/// The settings of an OpenID provider.
///
/// # Errors
/// `internal` when the provider speaks another protocol, which callers rule out.
pub(super) fn settings(provider: &Provider) -> Result<&OidcSettings, Problem> {
    match &provider.protocol {
        Protocol::Oidc(settings) => Ok(settings),
        Protocol::Saml(_) => Err(Problem::internal("not an OpenID provider")),
    }
}

/// Whom to trust when talking to the provider.
pub(super) fn trust(settings: &OidcSettings) -> TlsTrust<'_> {
    settings.ca_pem.as_deref().map_or(TlsTrust::System, TlsTrust::Only)
}

/// The endpoints: those an administrator wrote down, else those of the discovery document.
///
/// # Errors
/// `idp_unreachable`, `idp_answer`; `egress_needs_target` and others when the way there is closed.
pub(crate) async fn endpoints(
    state: &AppState,
    cache: &Cache,
    provider: &Provider,
) -> Result<Arc<Endpoints>, Problem> {
    let settings = settings(provider)?;
    if let Some(endpoints) = &settings.endpoints {
        return Ok(Arc::new(endpoints.clone()));
    }
    let now = state.clock.now();
    if let Some(kept) = cache.endpoints(provider.id, provider.version, now) {
        return Ok(kept);
    }
    let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let body = get(state, provider, &url).await?;
    let found = Arc::new(read(&body, &settings.issuer)?);
    cache.keep_endpoints(provider.id, provider.version, now, Arc::clone(&found));
    Ok(found)
}

/// The keys; `anew` when a token named one that is not among those that are kept.
///
/// # Errors
/// As [`endpoints`].
pub(crate) async fn keys(
    state: &AppState,
    cache: &Cache,
    provider: &Provider,
    endpoints: &Endpoints,
    anew: bool,
) -> Result<Arc<Keys>, Problem> {
    let now = state.clock.now();
    if let Some(kept) = cache.keys(provider.id, provider.version, now, anew) {
        return Ok(kept);
    }
    let body = get(state, provider, &endpoints.jwks).await?;
    let found = Keys::parse(&body).map_err(|_| unusable("the key set is not a JSON Web Key Set"))?;
    let found = Arc::new(found);
    cache.keep_keys(provider.id, provider.version, now, Arc::clone(&found));
    Ok(found)
}

async fn get(state: &AppState, provider: &Provider, url: &str) -> Result<Vec<u8>, Problem> {
    let mut request = OutboundRequest::get(url);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let trust = trust(settings(provider)?);
    let answer = state.egress.https_trusting(Some(provider.org_id), Purpose::Oidc, request, trust).await?;
    if !answer.status.is_success() {
        return Err(unusable(&format!("{url} answered with status {}", answer.status.as_u16())));
    }
    Ok(answer.body.to_vec())
}

/// Reads a discovery document. Its issuer must be the one that was written down (section 4.3), and its addresses https.
fn read(body: &[u8], issuer: &str) -> Result<Endpoints, Problem> {
    let document: Document = serde_json::from_slice(body)
        .map_err(|_| unusable("the discovery document is not JSON with the required addresses"))?;
    if document.issuer != issuer {
        let named = ctops_base::text::clean(&document.issuer, 200);
        return Err(unusable(&format!("the discovery document is of issuer {named}; write it exactly so")));
    }
    let usable = |url: &str| {
        let url = Url::parse(url).ok()?;
        let same_machine = Url::parse(issuer).is_ok_and(|issuer| issuer.scheme() == "http");
        (url.scheme() == "https" || (same_machine && url.scheme() == "http")).then_some(())
    };
    let required = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
    if required.into_iter().any(|url| usable(url).is_none()) {
        return Err(unusable("the discovery document names addresses that are not https"));
    }
    let optional = |url: Option<String>| url.filter(|url| usable(url).is_some());
    Ok(Endpoints {
        authorization: document.authorization_endpoint,
        token: document.token_endpoint,
        jwks: document.jwks_uri,
        userinfo: optional(document.userinfo_endpoint),
        end_session: optional(document.end_session_endpoint),
    })
}

fn unusable(detail: &str) -> Problem {
    Problem::new(ProblemKind::Unavailable, "idp_answer", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://idp.example.com";

    fn document() -> Value {
        json!({
            "issuer": ISSUER, "authorization_endpoint": "https://idp.example.com/auth",
            "token_endpoint": "https://idp.example.com/token", "jwks_uri": "https://idp.example.com/jwks",
            "end_session_endpoint": "http://idp.example.com/logout", "something_else": [1, 2],
        })
    }

    fn refused(change: impl FnOnce(&mut Value)) -> bool {
        let mut document = document();
        change(&mut document);
        read(document.to_string().as_bytes(), ISSUER).is_err()
    }

    /// Spec: auth 33
    #[test]
    fn document_of_another_issuer_or_with_plain_addresses_is_refused() {
        let found = read(document().to_string().as_bytes(), ISSUER).unwrap();
        assert_eq!((found.token.as_str(), found.end_session), ("https://idp.example.com/token", None));
        assert!(refused(|d| d["issuer"] = json!("https://evil.example")));
        assert!(refused(|d| d["issuer"] = json!("https://idp.example.com/")));
        for field in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(refused(|d| d[field] = json!("http://idp.example.com/x")), "{field}");
            assert!(refused(|d| d[field] = json!("file:///etc/passwd")), "{field}");
            assert!(refused(|d| d[field] = Value::Null), "{field}");
        }
        assert!(read(b"<html>", ISSUER).is_err());
    }
}
