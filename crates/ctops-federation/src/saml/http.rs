//! Routes of a journey. Browsers come here from other sites, so failures are pages.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_base::Problem;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, throttle};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::service::{self, Verified};
use crate::arrival::{self, Browser, CREDENTIALS, JOURNEYS, failed_journey, whom_to_confirm};
use crate::attempts;

/// How to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SamlStartParams {
    /// Local path to go on with.
    return_to: Option<String>,
    /// Ask for credentials again, to confirm the running session.
    confirm: Option<bool>,
}

/// What the provider has the browser post (SAML Bindings 2.0 section 3.5.4).
#[derive(Deserialize, ToSchema)]
#[schema(as = SamlAnswer)]
pub(super) struct AnswerForm {
    /// Response, base64.
    #[serde(rename = "SAMLResponse")]
    response: String,
    /// Whatever was sent along.
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
}

/// The ticket of a verified answer.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FinishParams {
    /// Usable once.
    ticket: String,
}

/// The metadata of this service for a provider.
#[utoipa::path(get, path = "/auth/saml/{id}/metadata", tag = "auth", operation_id = "saml_metadata",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "application/samlmetadata+xml"), (status = 404, body = ProblemBody)))]
pub(super) async fn saml_metadata(State(state): State<AppState>, PathId(id): PathId) -> ApiResult<Response> {
    let xml = service::own_metadata(&state, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/samlmetadata+xml"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ct-ops-metadata.xml\""),
    ];
    Ok((headers, xml).into_response())
}

/// Sends the browser to the provider.
#[utoipa::path(get, path = "/auth/saml/{id}/start", tag = "auth", operation_id = "start_saml",
    params(("id" = Uuid, Path), SamlStartParams),
    responses((status = 303, description = "to the provider"), (status = 404, body = ProblemBody),
        (status = 429, body = ProblemBody)))]
pub(super) async fn start_saml(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    actor: Option<Extension<Actor>>,
    headers: HeaderMap,
    PathId(id): PathId,
    QueryParams(params): QueryParams<SamlStartParams>,
) -> ApiResult<Response> {
    let begin = async {
        throttle::hit(&state.pool, &JOURNEYS, &ip.to_string(), state.clock.now()).await?;
        let confirms = whom_to_confirm(params.confirm.unwrap_or(false), actor.map(|Extension(actor)| actor))?;
        service::depart(&state, id, params.return_to.as_deref(), confirms).await
    };
    match begin.await {
        Ok(departure) => Ok(redirect(&departure.url, Some(departure.begun.cookie))?),
        Err(problem) => Ok(failed_journey(&headers, problem)?),
    }
}

/// Takes the provider's answer, which the browser posts from the provider's page.
#[utoipa::path(post, path = "/auth/saml/{id}/acs", tag = "auth", operation_id = "saml_acs",
    params(("id" = Uuid, Path)),
    request_body(content = AnswerForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "verified; on to the last step"),
        (status = 401, body = ProblemBody, description = "sign_in_replayed, sso_failed"),
        (status = 404, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(super) async fn saml_acs(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form<AnswerForm>, axum::extract::rejection::FormRejection>,
) -> ApiResult<Response> {
    let take = async {
        throttle::hit(&state.pool, &CREDENTIALS, &ip.to_string(), state.clock.now()).await?;
        let id: Uuid = id.parse().map_err(|_| Problem::not_found("identity provider"))?;
        let Form(form) = form.map_err(arrival::provider_failed)?;
        let (provider, outcome) =
            service::verify(&state, id, &form.response, form.relay_state.as_deref()).await?;
        match outcome {
            Ok(Verified::Ticket(ticket)) => {
                let query = Serializer::new(String::new()).append_pair("ticket", &ticket).finish();
                redirect(&format!("/api/v1/auth/saml/{id}/finish?{query}"), None)
            }
            Ok(Verified::Unasked(unasked)) => {
                let (provider, attempt, person) = *unasked;
                let browser = Browser::new(ip, &headers, None);
                arrival::sign_in(&state, &provider, &attempt, &person, browser).await
            }
            Err(problem) => {
                let cause = problem.cause_chain().unwrap_or_else(|| problem.detail().to_owned());
                arrival::record_failure(&state, &provider, ip, problem.code(), &cause).await?;
                Err(problem)
            }
        }
    };
    match take.await {
        Ok(response) => Ok(response),
        Err(problem) => Ok(failed_journey(&headers, problem)?),
    }
}

/// Signs the person in whose answer was verified, in the browser that began.
#[utoipa::path(get, path = "/auth/saml/{id}/finish", tag = "auth", operation_id = "finish_saml",
    params(("id" = Uuid, Path), FinishParams),
    responses((status = 303, description = "signed in, or on to the second step"),
        (status = 401, body = ProblemBody, description = "sign_in_replayed"),
        (status = 403, body = ProblemBody, description = "sso_refused"), (status = 404, body = ProblemBody)))]
pub(super) async fn finish_saml(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    actor: Option<Extension<Actor>>,
    headers: HeaderMap,
    PathId(id): PathId,
    QueryParams(params): QueryParams<FinishParams>,
) -> ApiResult<Response> {
    let browser = Browser::new(ip, &headers, actor.map(|Extension(actor)| actor));
    let finish = async {
        throttle::hit(&state.pool, &JOURNEYS, &ip.to_string(), state.clock.now()).await?;
        let key = attempts::browser_key(&headers, &state.installation)?;
        let (provider, attempt, person) = service::arrive(&state, id, &params.ticket, &key).await?;
        arrival::sign_in(&state, &provider, &attempt, &person, browser).await
    };
    match finish.await {
        Ok(response) => Ok(response),
        Err(problem) => Ok(failed_journey(&headers, problem)?),
    }
}

fn redirect(url: &str, cookie: Option<HeaderValue>) -> Result<Response, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, HeaderValue::from_str(url).map_err(Problem::internal)?);
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
