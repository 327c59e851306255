//! `/organisations` and `/me/organisation`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Logo, OrganisationPatch, OwnOrganisation};
use super::service::{self, NewOrganisation};

/// An organisation one belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organisation)]
pub(super) struct OrganisationBody {
    id: Uuid,
    name: String,
    /// Short name for addresses.
    slug: String,
    /// IANA name of its time zone.
    time_zone: String,
    has_logo: bool,
    created_at: Timestamp,
    deleted_at: Option<Timestamp>,
    /// One's roles there.
    roles: Vec<&'static str>,
    /// An administrator has still to let one in.
    pending: bool,
    /// Whether the session acts in it.
    current: bool,
}

impl OrganisationBody {
    fn new(organisation: OwnOrganisation, current: Uuid) -> Self {
        Self {
            current: organisation.id == current,
            id: organisation.id,
            name: organisation.name,
            slug: organisation.slug,
            time_zone: organisation.time_zone,
            has_logo: organisation.has_logo,
            created_at: organisation.created_at.into(),
            deleted_at: organisation.deleted_at.map(Timestamp::from),
            roles: organisation.roles.iter().map(|role| role.as_str()).collect(),
            pending: organisation.pending,
        }
    }
}

/// Organisations one belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganisationList)]
pub(super) struct OrganisationListBody {
    /// By name.
    items: Vec<OrganisationBody>,
}

/// Which organisations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrganisationQuery {
    /// Those deleted in the last 30 days that one can restore, instead of the others.
    #[serde(default)]
    deleted: bool,
}

/// Organisations one belongs to.
#[utoipa::path(
    get, path = "/organisations", tag = "organisations", operation_id = "list_organisations",
    params(OrganisationQuery), responses((status = 200, body = OrganisationListBody))
)]
pub(super) async fn list_organisations(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(query): QueryParams<OrganisationQuery>,
) -> ApiResult<Json<OrganisationListBody>> {
    let own = service::list(&state, &actor, query.deleted).await?;
    let items = own.into_iter().map(|own| OrganisationBody::new(own, actor.org_id)).collect();
    Ok(Json(OrganisationListBody { items }))
}

/// One organisation one belongs to.
#[utoipa::path(
    get, path = "/organisations/{id}", tag = "organisations", operation_id = "get_organisation",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = OrganisationBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn get_organisation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<OrganisationBody>> {
    let own = service::get(&state, &actor, id).await?;
    Ok(Json(OrganisationBody::new(own, actor.org_id)))
}

/// The logo of an organisation one belongs to.
#[utoipa::path(
    get, path = "/organisations/{id}/logo", tag = "organisations", operation_id = "get_organisation_logo",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, content_type = "image/png", description = "a PNG, JPEG or WebP picture"),
        (status = 404, body = ProblemBody),
    )
)]
pub(super) async fn get_organisation_logo(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Response> {
    let logo = service::logo(&state, &actor, id).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(logo.media_type)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, logo.bytes).into_response())
}

/// A new organisation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrganisation)]
pub(super) struct NewInput {
    /// 2 to 100 characters.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// Lower-case letters, digits and dashes; made from the name when absent.
    #[schema(max_length = 63)]
    slug: Option<String>,
    /// IANA name; UTC when absent.
    time_zone: Option<String>,
}

/// Creates an organisation with oneself as its super_admin.
#[utoipa::path(
    post, path = "/organisations", tag = "organisations", operation_id = "create_organisation",
    request_body = NewInput,
    responses(
        (status = 201, body = OrganisationBody),
        (status = 409, body = ProblemBody, description = "already_exists, limit_reached"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn create_organisation(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<NewInput>,
) -> ApiResult<(StatusCode, Json<OrganisationBody>)> {
    let new = NewOrganisation { name: input.name, slug: input.slug, time_zone: input.time_zone };
    let id = service::create(&state, &actor, new).await?;
    let own = service::get(&state, &actor, id).await?;
    Ok((StatusCode::CREATED, Json(OrganisationBody::new(own, actor.org_id))))
}

/// What to change of the organisation; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganisationPatch)]
pub(super) struct PatchInput {
    /// 2 to 100 characters.
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
    /// Lower-case letters, digits and dashes.
    #[schema(max_length = 63)]
    slug: Option<String>,
    /// IANA name.
    time_zone: Option<String>,
    /// A PNG, JPEG or WebP picture in base 64, at most 64 KiB; null removes the logo.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    logo: Option<Option<String>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes the organisation one acts in.
#[utoipa::path(
    patch, path = "/organisations/{id}", tag = "organisations", operation_id = "update_organisation",
    params(("id" = Uuid, Path)), request_body = PatchInput,
    responses(
        (status = 200, body = OrganisationBody),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn update_organisation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<PatchInput>,
) -> ApiResult<Json<OrganisationBody>> {
    let logo = match input.logo {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => {
            Some(Some(Logo::parse(&text).map_err(|problem| Problem::invalid(vec![problem]))?))
        }
    };
    let patch = OrganisationPatch { name: input.name, slug: input.slug, time_zone: input.time_zone, logo };
    service::update(&state, &actor, id, patch).await?;
    let own = service::get(&state, &actor, id).await?;
    Ok(Json(OrganisationBody::new(own, actor.org_id)))
}

/// The confirmation that an organisation is to be deleted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// The organisation's name, typed.
    #[serde(default)]
    name: String,
}

/// Deletes the organisation one acts in. It must have no approved hosts; it can be restored for 30 days.
#[utoipa::path(
    delete, path = "/organisations/{id}", tag = "organisations", operation_id = "delete_organisation",
    params(("id" = Uuid, Path), DeleteQuery),
    responses(
        (status = 204, description = "deleted; the session ended with it"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "wrong_state, last_organisation"),
        (status = 422, body = ProblemBody, description = "on name: mismatch"),
    )
)]
pub(super) async fn delete_organisation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(query): QueryParams<DeleteQuery>,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id, &query.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restores an organisation that was deleted in the last 30 days.
#[utoipa::path(
    post, path = "/organisations/{id}/restore", tag = "organisations", operation_id = "restore_organisation",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = OrganisationBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn restore_organisation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<OrganisationBody>> {
    service::restore(&state, &actor, id).await?;
    let own = service::get(&state, &actor, id).await?;
    Ok(Json(OrganisationBody::new(own, actor.org_id)))
}

/// The organisation to act in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganisationSwitch)]
pub(super) struct SwitchInput {
    /// One of one's own.
    organisation_id: Uuid,
}

/// Lets the session act in another of one's organisations.
#[utoipa::path(
    post, path = "/me/organisation", tag = "me", operation_id = "switch_organisation", request_body = SwitchInput,
    responses(
        (status = 204, description = "the session acts in it from now on"),
        (status = 404, body = ProblemBody, description = "none of one's organisations"),
    )
)]
pub(super) async fn switch_organisation(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<SwitchInput>,
) -> ApiResult<StatusCode> {
    service::switch(&state, &actor, input.organisation_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
