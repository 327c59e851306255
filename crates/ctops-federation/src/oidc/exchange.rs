//! Codes to tokens, and what else the provider tells us directly.

use axum::http::{HeaderValue, Method, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ctops_base::Problem;
use ctops_egress::{OutboundRequest, OutboundResponse, Purpose};
use ctops_slice::AppState;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use super::discovery::{settings, trust};
use crate::arrival::provider_failed;
use crate::identity_providers::{ClientAuthentication, Endpoints, Provider, open_secret};

/// Longest answer of the token endpoint and about a person, bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// What is read of the token endpoint's answer. There is no `Debug`: it holds tokens.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

/// Exchanges a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
///
/// # Errors
/// `sso_failed` for whatever the provider answers but tokens.
pub(super) async fn exchange(
    state: &AppState,
    provider: &Provider,
    endpoints: &Endpoints,
    code: &str,
    verifier: &str,
) -> Result<Tokens, Problem> {
    let settings = settings(provider)?;
    let secret = open_secret(&state.seal, provider)?;
    let redirect = super::redirect_url(&state.installation.public_url, provider.id);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect),
        ("code_verifier", verifier),
    ];
    let mut request = OutboundRequest::get(endpoints.token.as_str());
    request.method = Method::POST;
    request.max_answer = MAX_ANSWER;
    request
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    match settings.client_authentication {
        ClientAuthentication::Basic => {
            request.headers.insert(header::AUTHORIZATION, basic(&settings.client_id, &secret)?);
        }
        ClientAuthentication::Post => {
            fields.extend([("client_id", settings.client_id.as_str()), ("client_secret", &secret)]);
        }
    }
    request.body = Bytes::from(Serializer::new(String::new()).extend_pairs(fields).finish());
    let answer = ask(state, provider, request).await?;
    if !answer.status.is_success() {
        return Err(provider_failed(format!("the token endpoint answered {}", refusal(&answer))));
    }
    serde_json::from_slice(&answer.body).map_err(|_| provider_failed("the token endpoint gave no ID token"))
}

/// Claims about the person from the userinfo endpoint, which must speak of the same one (section 5.3.2).
///
/// # Errors
/// `sso_failed`.
pub(super) async fn userinfo(
    state: &AppState,
    provider: &Provider,
    url: &str,
    tokens: &Tokens,
    subject: &str,
) -> Result<Map<String, Value>, Problem> {
    let Some(token) = &tokens.access_token else { return Ok(Map::new()) };
    let mut request = OutboundRequest::get(url);
    request.max_answer = MAX_ANSWER;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(provider_failed)?;
    bearer.set_sensitive(true);
    request.headers.insert(header::AUTHORIZATION, bearer);
    let answer = ask(state, provider, request).await?;
    if !answer.status.is_success() {
        return Err(provider_failed(format!("the userinfo endpoint answered {}", refusal(&answer))));
    }
    let claims: Map<String, Value> = serde_json::from_slice(&answer.body)
        .map_err(|_| provider_failed("the userinfo endpoint's answer is not JSON"))?;
    if claims.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(provider_failed("the userinfo endpoint speaks of somebody else"));
    }
    Ok(claims)
}

async fn ask(
    state: &AppState,
    provider: &Provider,
    request: OutboundRequest,
) -> Result<OutboundResponse, Problem> {
    let trust = trust(settings(provider)?);
    state
        .egress
        .https_trusting(Some(provider.org_id), Purpose::Oidc, request, trust)
        .await
        .map_err(provider_failed)
}

/// Id and secret, each form-encoded first (RFC 6749 section 2.3.1).
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, Problem> {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(Problem::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Status and error code of an answer; its other text may hold anything.
fn refusal(answer: &OutboundResponse) -> String {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let code =
        body.as_ref().and_then(|body| body.get("error")).and_then(Value::as_str).unwrap_or("no error code");
    format!("{} ({})", answer.status.as_u16(), ctops_base::text::clean(code, 60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn id_and_secret_are_encoded_so_that_their_colon_is_the_only_one() {
        let value = basic("ct:ops", "a b/ü").unwrap();
        let text = STANDARD.decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(text, b"ct%3Aops:a+b%2F%C3%BC");
        assert!(value.is_sensitive());
    }
}
