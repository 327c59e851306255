//! Routes of a journey. Browsers come here from other sites, so failures are pages.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ctops_base::Problem;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, throttle};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Cache;
use super::service::{self, Returned};
use crate::arrival::{self, Browser, CREDENTIALS, JOURNEYS, failed_journey, whom_to_confirm};
use crate::attempts;

/// How to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StartParams {
    /// Local path to go on with.
    return_to: Option<String>,
    /// Ask for credentials again, to confirm the running session.
    confirm: Option<bool>,
}

/// What the provider sends.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CallbackParams {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the provider.
#[utoipa::path(get, path = "/auth/oidc/{id}/start", tag = "auth", operation_id = "start_oidc",
    params(("id" = Uuid, Path), StartParams),
    responses((status = 303, description = "to the provider"), (status = 404, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody, description = "the provider cannot be reached")))]
pub(super) async fn start_oidc(
    State(state): State<AppState>,
    Extension(cache): Extension<Cache>,
    ClientIp(ip): ClientIp,
    actor: Option<Extension<Actor>>,
    headers: HeaderMap,
    PathId(id): PathId,
    QueryParams(params): QueryParams<StartParams>,
) -> ApiResult<Response> {
    let begin = async {
        throttle::hit(&state.pool, &JOURNEYS, &ip.to_string(), state.clock.now()).await?;
        let confirms = whom_to_confirm(params.confirm.unwrap_or(false), actor.map(|Extension(actor)| actor))?;
        service::depart(&state, &cache, id, params.return_to.as_deref(), confirms).await
    };
    match begin.await {
        Ok(departure) => Ok(redirect(&departure.url, Some(departure.begun.cookie))?),
        Err(problem) => Ok(failed_journey(&headers, problem)?),
    }
}

/// Takes the browser back and signs the person in.
#[utoipa::path(get, path = "/auth/oidc/{id}/callback", tag = "auth", operation_id = "oidc_callback",
    params(("id" = Uuid, Path), CallbackParams),
    responses((status = 303, description = "signed in, or on to the second step"),
        (status = 401, body = ProblemBody, description = "sign_in_replayed, sso_failed"),
        (status = 403, body = ProblemBody, description = "sso_refused"), (status = 404, body = ProblemBody),
        (status = 429, body = ProblemBody)))]
pub(super) async fn oidc_callback(
    State(state): State<AppState>,
    Extension(cache): Extension<Cache>,
    ClientIp(ip): ClientIp,
    actor: Option<Extension<Actor>>,
    headers: HeaderMap,
    PathId(id): PathId,
    QueryParams(params): QueryParams<CallbackParams>,
) -> ApiResult<Response> {
    let CallbackParams { state: returned, code, iss, error } = params;
    let returned = Returned { state: returned, code, iss, error };
    let browser = Browser::new(ip, &headers, actor.map(|Extension(actor)| actor));
    let finish = async {
        throttle::hit(&state.pool, &CREDENTIALS, &ip.to_string(), state.clock.now()).await?;
        let key = attempts::browser_key(&headers, &state.installation)?;
        let (provider, attempt, person) = service::arrive(&state, &cache, id, &key, &returned).await?;
        match person {
            Ok(person) => arrival::sign_in(&state, &provider, &attempt, &person, browser).await,
            Err(problem) => {
                let cause = problem.cause_chain().unwrap_or_else(|| problem.detail().to_owned());
                arrival::record_failure(&state, &provider, ip, problem.code(), &cause).await?;
                Err(problem)
            }
        }
    };
    match finish.await {
        Ok(response) => Ok(response),
        Err(problem) => Ok(failed_journey(&headers, problem)?),
    }
}

/// Sends a browser that has signed out here to sign out at the provider as well.
#[utoipa::path(get, path = "/auth/oidc/{id}/logout", tag = "auth", operation_id = "oidc_logout",
    params(("id" = Uuid, Path)),
    responses((status = 303, description = "to the provider, or to the sign-in page"),
        (status = 429, body = ProblemBody)))]
pub(super) async fn oidc_logout(
    State(state): State<AppState>,
    Extension(cache): Extension<Cache>,
    ClientIp(ip): ClientIp,
    PathId(id): PathId,
) -> ApiResult<Response> {
    throttle::hit(&state.pool, &JOURNEYS, &ip.to_string(), state.clock.now()).await?;
    // A provider that is gone or silent must not keep anybody from leaving.
    let place = service::farewell(&state, &cache, id).await.unwrap_or_default();
    Ok(redirect(place.as_deref().unwrap_or("/login"), None)?)
}

/// Where a browser goes on to after signing out here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderLogoutBody {
    /// Local path that leads to the provider; null when the session did not come from one.
    url: Option<String>,
}

/// Where to go after signing out here, to sign out at the provider as well. Ask before signing out.
#[utoipa::path(get, path = "/auth/provider-logout", tag = "auth", operation_id = "get_provider_logout",
    responses((status = 200, body = ProviderLogoutBody)))]
pub(super) async fn get_provider_logout(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ProviderLogoutBody>> {
    let provider = service::provider_of_session(&state, &actor).await?;
    Ok(Json(ProviderLogoutBody { url: provider.map(|id| format!("/api/v1/auth/oidc/{id}/logout")) }))
}

fn redirect(url: &str, cookie: Option<HeaderValue>) -> Result<Response, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, HeaderValue::from_str(url).map_err(Problem::internal)?);
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
