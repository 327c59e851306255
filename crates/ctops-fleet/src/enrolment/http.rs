//! Routes for administrators: tokens and the re-enrolment policy.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::install::install_command;
use super::model::{DEFAULT_EXPIRY_DAYS, DEFAULT_MAX_USES, NewToken, ReenrolmentPolicy, Token, TokenStatus};
use super::service;
use super::tags::Tag;

/// An enrolment token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentToken)]
pub(super) struct TokenBody {
    id: Uuid,
    label: String,
    /// First eight characters of the secret.
    hint_prefix: String,
    /// Last four characters of the secret.
    hint_suffix: String,
    /// `active`, `expired`, `exhausted` or `revoked`.
    status: &'static str,
    auto_approve: bool,
    skip_verify: bool,
    /// Null for any number.
    max_uses: Option<i32>,
    usage_count: i32,
    /// Null for never.
    expires_at: Option<String>,
    tags: Vec<Tag>,
    created_by: Option<CreatorBody>,
    created_at: String,
    revoked_at: Option<String>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentTokenCreator)]
pub(super) struct CreatorBody {
    id: Uuid,
    name: String,
}

impl TokenBody {
    fn new(token: Token, now: DateTime<Utc>) -> Self {
        Self {
            status: token.status(now).as_str(),
            id: token.id,
            label: token.label,
            hint_prefix: token.hint_prefix,
            hint_suffix: token.hint_suffix,
            auto_approve: token.auto_approve,
            skip_verify: token.skip_verify,
            max_uses: token.max_uses,
            usage_count: token.usage_count,
            expires_at: token.expires_at.map(iso),
            tags: token.tags,
            created_by: token.created_by.map(|(id, name)| CreatorBody { id, name }),
            created_at: iso(token.created_at),
            revoked_at: token.revoked_at.map(iso),
        }
    }
}

/// ISO 8601 in UTC with milliseconds (api-conventions 1).
fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Which tokens to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// From 1.
    page: Option<String>,
    /// Rows on a page.
    page_size: Option<String>,
    /// `active`, `expired`, `exhausted` or `revoked`; all when absent.
    status: Option<String>,
}

/// List enrolment tokens, newest first.
#[utoipa::path(get, path = "/enrolment-tokens", tag = "enrolment", params(ListParams),
    responses((status = 200, body = PageBody<TokenBody>), (status = 422, body = ProblemBody)))]
pub(super) async fn list_enrolment_tokens(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<PageBody<TokenBody>>> {
    let request = parse_page(params.page.as_deref(), params.page_size.as_deref(), STANDARD_SIZES)?;
    let status = match params.status.as_deref() {
        None => None,
        Some(name) => Some(TokenStatus::from_name(name).ok_or_else(|| {
            Problem::invalid_field("status", "invalid", "must be active, expired, exhausted or revoked")
        })?),
    };
    let page = service::list_tokens(&state, &actor, status, request).await?;
    let now = state.clock.now();
    Ok(Json(page.map(|token| TokenBody::new(token, now)).into()))
}

/// A token to create. Null is a choice of its own: any number of uses, or no expiry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEnrolmentToken)]
pub(super) struct NewTokenBody {
    /// 1 to 100 characters.
    label: String,
    /// Agents need no approval; for holders of `enrolment.auto_approve`.
    #[serde(default)]
    auto_approve: bool,
    /// Agents do not verify the server: insecure.
    #[serde(default)]
    skip_verify: bool,
    /// 1 when absent, null for any number.
    #[serde(default = "default_max_uses")]
    max_uses: Option<i64>,
    /// 1 to 365, 7 when absent, null for never.
    #[serde(default = "default_expiry")]
    expires_in_days: Option<i64>,
    /// At most 64.
    #[serde(default)]
    tags: Vec<Tag>,
}

fn default_max_uses() -> Option<i64> {
    Some(i64::from(DEFAULT_MAX_USES))
}

fn default_expiry() -> Option<i64> {
    Some(i64::from(DEFAULT_EXPIRY_DAYS))
}

/// A number that cannot be one becomes 0, which the check refuses under the name of its field.
fn or_zero(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A new token. The secret is shown here and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedEnrolmentToken)]
pub(super) struct CreatedBody {
    token: TokenBody,
    /// The secret.
    secret: String,
    /// One line that installs an agent on a machine.
    install_command: String,
    /// `host:port` for agents that are configured by hand.
    ingest_address: String,
    /// What to know about the choices made.
    warnings: Vec<WarningBody>,
}

/// Something to know about an accepted choice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentTokenWarning)]
pub(super) struct WarningBody {
    code: &'static str,
    message: &'static str,
}

/// Create an enrolment token.
#[utoipa::path(post, path = "/enrolment-tokens", tag = "enrolment", request_body = NewTokenBody,
    responses((status = 201, body = CreatedBody), (status = 403, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(super) async fn create_enrolment_token(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<NewTokenBody>,
) -> ApiResult<(StatusCode, Json<CreatedBody>)> {
    let new = NewToken {
        label: body.label,
        auto_approve: body.auto_approve,
        skip_verify: body.skip_verify,
        max_uses: body.max_uses.map(or_zero),
        expires_in_days: body.expires_in_days.map(or_zero),
        tags: body.tags,
    };
    let warnings =
        new.warnings().into_iter().map(|w| WarningBody { code: w.code, message: w.message }).collect();
    let created = service::create_token(&state, &actor, new).await?;
    let install_command = install_command(&state.installation, &created.secret, created.token.skip_verify);
    let body = CreatedBody {
        token: TokenBody::new(created.token, state.clock.now()),
        secret: created.secret,
        install_command,
        ingest_address: state.installation.ingest_address.clone(),
        warnings,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// One enrolment token.
#[utoipa::path(get, path = "/enrolment-tokens/{id}", tag = "enrolment", params(("id" = Uuid, Path)),
    responses((status = 200, body = TokenBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_enrolment_token(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<TokenBody>> {
    let token = service::get_token(&state, &actor, id).await?;
    Ok(Json(TokenBody::new(token, state.clock.now())))
}

/// Revoke an active enrolment token. Agents it admitted stay.
#[utoipa::path(post, path = "/enrolment-tokens/{id}/revoke", tag = "enrolment", params(("id" = Uuid, Path)),
    responses((status = 200, body = TokenBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn revoke_enrolment_token(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<TokenBody>> {
    let token = service::revoke_token(&state, &actor, id).await?;
    Ok(Json(TokenBody::new(token, state.clock.now())))
}

/// How machines that are known already may enrol again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnrolmentSettings)]
pub(super) struct SettingsBody {
    /// `adopt`, `adopt_after_approval` or `refuse`.
    reenrolment_policy: &'static str,
}

/// Settings to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnrolmentSettingsPatch)]
pub(super) struct SettingsPatch {
    /// `adopt`, `adopt_after_approval` or `refuse`.
    reenrolment_policy: Option<String>,
}

/// Enrolment settings of the organisation.
#[utoipa::path(get, path = "/settings/enrolment", tag = "enrolment", responses((status = 200, body = SettingsBody)))]
pub(super) async fn get_enrolment_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SettingsBody>> {
    let policy = service::get_policy(&state, &actor).await?;
    Ok(Json(SettingsBody { reenrolment_policy: policy.as_str() }))
}

/// Change the enrolment settings of the organisation.
#[utoipa::path(patch, path = "/settings/enrolment", tag = "enrolment", request_body = SettingsPatch,
    responses((status = 200, body = SettingsBody), (status = 422, body = ProblemBody)))]
pub(super) async fn update_enrolment_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(patch): JsonBody<SettingsPatch>,
) -> ApiResult<Json<SettingsBody>> {
    if let Some(name) = patch.reenrolment_policy.as_deref() {
        let policy = ReenrolmentPolicy::from_name(name).ok_or_else(|| {
            let allowed = ReenrolmentPolicy::ALL.map(ReenrolmentPolicy::as_str).join(", ");
            Problem::invalid_field("reenrolment_policy", "invalid", format!("must be one of {allowed}"))
        })?;
        service::set_policy(&state, &actor, policy).await?;
    }
    let policy = service::get_policy(&state, &actor).await?;
    Ok(Json(SettingsBody { reenrolment_policy: policy.as_str() }))
}
