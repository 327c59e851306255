//! A browser's journey to an OpenID provider and back.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ctops_base::Problem;
use ctops_crypto::secret::sha256;
use ctops_slice::{Actor, AppState, Credential, SignInMethod};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::cache::Cache;
use super::discovery::{self, settings};
use super::id_token::{self, Expected, IdToken, TokenError};
use super::{claims, exchange, redirect_url};
use crate::arrival::{Person, provider_failed};
use crate::attempts::{self, Attempt, Begun, BrowserKey};
use crate::identity_providers::{Endpoints, Kind, Provider, find_for_sign_in, last_used};

/// Longest code and state that are looked at, bytes.
const MAX_PARAMETER: usize = 8 * 1024;

/// What comes back with the browser.
#[derive(Debug, Deserialize)]
pub(super) struct Returned {
    pub(super) state: Option<String>,
    pub(super) code: Option<String>,
    /// RFC 9207: against mixing providers up.
    pub(super) iss: Option<String>,
    pub(super) error: Option<String>,
}

/// Where to send the browser, and what to give it.
pub(super) struct Departure {
    pub(super) url: String,
    pub(super) begun: Begun,
}

/// Begins a journey.
///
/// # Errors
/// `not_found` for providers that are not offered; what [`discovery::endpoints`] says.
pub(super) async fn depart(
    state: &AppState,
    cache: &Cache,
    id: Uuid,
    return_to: Option<&str>,
    confirms: Option<Actor>,
) -> Result<Departure, Problem> {
    let provider = find_for_sign_in(state, Kind::Oidc, id).await?;
    let settings = settings(&provider)?;
    let endpoints = discovery::endpoints(state, cache, &provider).await?;
    let begun = attempts::begin(state, id, None, return_to, confirms.as_ref()).await?;
    let mut url = Url::parse(&endpoints.authorization).map_err(provider_failed)?;
    let mut scopes = vec!["openid"];
    scopes.extend(settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
    let verifier = begun.key.derive("verifier", &begun.state);
    let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &redirect_url(&state.installation.public_url, id))
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.key.derive("nonce", &begun.state))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if confirms.is_some() {
            query.append_pair("prompt", "login").append_pair("max_age", "0");
        }
    }
    Ok(Departure { url: url.into(), begun })
}

/// Finishes a journey: who came, through which provider, and where they want to go.
///
/// # Errors
/// `sign_in_replayed`, `sso_failed`, `not_found`.
pub(super) async fn arrive(
    state: &AppState,
    cache: &Cache,
    id: Uuid,
    key: &BrowserKey,
    returned: &Returned,
) -> Result<(Provider, Attempt, Result<Person, Problem>), Problem> {
    let request = returned.state.as_deref().filter(|state| state.len() <= MAX_PARAMETER);
    let request = request.ok_or_else(attempts::replayed)?;
    let attempt = attempts::finish(state, id, request, key).await?;
    let provider = find_for_sign_in(state, Kind::Oidc, id).await?;
    let person = identify(state, cache, &provider, &attempt, key, request, returned).await;
    Ok((provider, attempt, person))
}

async fn identify(
    state: &AppState,
    cache: &Cache,
    provider: &Provider,
    attempt: &Attempt,
    key: &BrowserKey,
    request: &str,
    returned: &Returned,
) -> Result<Person, Problem> {
    let settings = settings(provider)?;
    if returned.iss.as_deref().is_some_and(|issuer| issuer != settings.issuer) {
        return Err(provider_failed("the answer names another issuer"));
    }
    if let Some(error) = &returned.error {
        return Err(provider_failed(format!("the provider says {}", ctops_base::text::clean(error, 60))));
    }
    let code = returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= MAX_PARAMETER);
    let code = code.ok_or_else(|| provider_failed("the answer holds no code"))?;
    let endpoints = discovery::endpoints(state, cache, provider).await?;
    let verifier = key.derive("verifier", request);
    let tokens = exchange::exchange(state, provider, &endpoints, code, &verifier).await?;
    let nonce = key.derive("nonce", request);
    let expected = Expected {
        issuer: &settings.issuer,
        client_id: &settings.client_id,
        nonce: &nonce,
        now: state.clock.now(),
        authenticated_after: attempt.confirm_user_id.map(|_| attempt.created_at),
    };
    let token = verify(state, cache, provider, &endpoints, &tokens.id_token, expected).await?;
    let more = more_claims(state, provider, &endpoints, &tokens, &token).await?;
    let mut all = more;
    // What is signed counts more than what is only said.
    all.extend(token.claims.clone());
    Ok(claims::person(&settings.claims, &token, &all))
}

async fn verify(
    state: &AppState,
    cache: &Cache,
    provider: &Provider,
    endpoints: &Arc<Endpoints>,
    token: &str,
    expected: Expected<'_>,
) -> Result<IdToken, Problem> {
    let keys = discovery::keys(state, cache, provider, endpoints, false).await?;
    match id_token::verify(token, &keys, expected) {
        // Providers change their keys: look once more.
        Err(TokenError::UnknownKey) => {
            let keys = discovery::keys(state, cache, provider, endpoints, true).await?;
            id_token::verify(token, &keys, expected).map_err(provider_failed)
        }
        outcome => outcome.map_err(provider_failed),
    }
}

/// What the ID token leaves out may be at the userinfo endpoint.
async fn more_claims(
    state: &AppState,
    provider: &Provider,
    endpoints: &Endpoints,
    tokens: &exchange::Tokens,
    token: &IdToken,
) -> Result<Map<String, Value>, Problem> {
    let missing = !claims::complete(&settings(provider)?.claims, &token.claims);
    match endpoints.userinfo.as_deref().filter(|_| missing) {
        Some(url) => exchange::userinfo(state, provider, url, tokens, &token.subject).await,
        None => Ok(Map::new()),
    }
}

/// The provider that somebody's session came from, by what they last used; none for sessions that began otherwise.
pub(super) async fn provider_of_session(state: &AppState, actor: &Actor) -> Result<Option<Uuid>, Problem> {
    match actor.credential {
        Credential::Session { method: SignInMethod::Oidc, .. } => last_used(state, Kind::Oidc, actor).await,
        _ => Ok(None),
    }
}

/// Where to send a browser that signs out, if the provider has such a place (RP-Initiated Logout 1.0).
///
/// # Errors
/// `not_found`; what [`discovery::endpoints`] says.
pub(super) async fn farewell(state: &AppState, cache: &Cache, id: Uuid) -> Result<Option<String>, Problem> {
    let provider = find_for_sign_in(state, Kind::Oidc, id).await?;
    let endpoints = discovery::endpoints(state, cache, &provider).await?;
    let Some(place) = &endpoints.end_session else { return Ok(None) };
    let mut url = Url::parse(place).map_err(provider_failed)?;
    let back = format!("{}/login", state.installation.public_url.trim_end_matches('/'));
    url.query_pairs_mut()
        .append_pair("client_id", &settings(&provider)?.client_id)
        .append_pair("post_logout_redirect_uri", &back);
    Ok(Some(url.into()))
}
