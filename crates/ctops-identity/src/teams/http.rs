//! `/teams`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Effect, MAX_SEARCH_CHARS, Named, Team, TeamDetail, TeamMember, TeamPatch};
use super::service;

/// A person or host group by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamRef)]
pub(super) struct NamedBody {
    id: Uuid,
    name: String,
}

impl From<Named> for NamedBody {
    fn from(named: Named) -> Self {
        Self { id: named.id, name: named.name }
    }
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Team)]
pub(super) struct TeamBody {
    id: Uuid,
    name: String,
    description: String,
    /// Its host groups are access scope of its engineer and read_only members.
    scoping: bool,
    lead: Option<NamedBody>,
    member_count: i64,
    host_group_count: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Team> for TeamBody {
    fn from(team: Team) -> Self {
        Self {
            id: team.id,
            name: team.name,
            description: team.description,
            scoping: team.scoping,
            lead: team.lead.map(NamedBody::from),
            member_count: team.members,
            host_group_count: team.host_groups,
            created_at: team.created_at.into(),
            updated_at: team.updated_at.into(),
        }
    }
}

/// A member of a team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamMember)]
pub(super) struct MemberBody {
    id: Uuid,
    name: String,
    /// State in the organisation.
    state: String,
    added_at: Timestamp,
}

impl From<TeamMember> for MemberBody {
    fn from(member: TeamMember) -> Self {
        Self { id: member.id, name: member.name, state: member.state, added_at: member.added_at.into() }
    }
}

/// A team with its members and host groups.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamDetail)]
pub(super) struct DetailBody {
    #[serde(flatten)]
    team: TeamBody,
    members: Vec<MemberBody>,
    host_groups: Vec<NamedBody>,
}

impl From<TeamDetail> for DetailBody {
    fn from(detail: TeamDetail) -> Self {
        Self {
            team: detail.team.into(),
            members: detail.members.into_iter().map(MemberBody::from).collect(),
            host_groups: detail.host_groups.into_iter().map(NamedBody::from).collect(),
        }
    }
}

/// What a list of teams shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TeamQuery {
    /// Part of a name.
    search: Option<String>,
    /// From 1.
    page: Option<String>,
    /// 10, 20, 25, 50, 100 or 200.
    page_size: Option<String>,
}

/// Teams of the organisation, by name.
#[utoipa::path(
    get, path = "/teams", tag = "teams", operation_id = "list_teams", params(TeamQuery),
    responses((status = 200, body = PageBody<TeamBody>), (status = 422, body = ProblemBody))
)]
pub(super) async fn list_teams(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(query): QueryParams<TeamQuery>,
) -> ApiResult<Json<PageBody<TeamBody>>> {
    let request = parse_page(query.page.as_deref(), query.page_size.as_deref(), STANDARD_SIZES)?;
    let search = query.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if search.is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0')) {
        let message = format!("has more than {MAX_SEARCH_CHARS} characters or control characters");
        return Err(Problem::invalid_field("search", "invalid", message).into());
    }
    Ok(Json(service::list(&state, &actor, search, request).await?.map(TeamBody::from).into()))
}

/// One team with its members and host groups.
#[utoipa::path(
    get, path = "/teams/{id}", tag = "teams", operation_id = "get_team", params(("id" = Uuid, Path)),
    responses((status = 200, body = DetailBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn get_team(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<DetailBody>> {
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}

/// A new team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTeam)]
pub(super) struct NewInput {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// At most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: String,
    /// Its host groups will be access scope of its members.
    #[serde(default)]
    scoping: bool,
}

/// Creates a team.
#[utoipa::path(
    post, path = "/teams", tag = "teams", operation_id = "create_team", request_body = NewInput,
    responses(
        (status = 201, body = DetailBody),
        (status = 409, body = ProblemBody, description = "already_exists, limit_reached"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn create_team(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<NewInput>,
) -> ApiResult<(StatusCode, Json<DetailBody>)> {
    let patch = TeamPatch {
        name: Some(input.name),
        description: Some(input.description),
        scoping: Some(input.scoping),
        lead_id: None,
    };
    let id = service::create(&state, &actor, patch).await?;
    Ok((StatusCode::CREATED, Json(service::get(&state, &actor, id).await?.into())))
}

/// What to change of a team; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamPatch)]
pub(super) struct PatchInput {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// At most 1000 characters.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Whether its host groups are access scope of its members.
    scoping: Option<bool>,
    /// A member; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    lead_id: Option<Option<Uuid>>,
    /// Some people may see more afterwards.
    #[serde(default)]
    confirm_widening: bool,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Uuid>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes a team.
#[utoipa::path(
    patch, path = "/teams/{id}", tag = "teams", operation_id = "update_team", params(("id" = Uuid, Path)),
    request_body = PatchInput,
    responses(
        (status = 200, body = DetailBody),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists, scope_widens, cannot_change_self"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn update_team(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<PatchInput>,
) -> ApiResult<Json<DetailBody>> {
    let patch = TeamPatch {
        name: input.name,
        description: input.description,
        scoping: input.scoping,
        lead_id: input.lead_id,
    };
    service::update(&state, &actor, id, patch, input.confirm_widening).await?;
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}

/// Whether a widening is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConfirmQuery {
    /// Some people may see more afterwards.
    #[serde(default)]
    confirm_widening: bool,
}

/// Deletes a team. Its members and host groups stay.
#[utoipa::path(
    delete, path = "/teams/{id}", tag = "teams", operation_id = "delete_team",
    params(("id" = Uuid, Path), ConfirmQuery),
    responses(
        (status = 204, description = "deleted"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "scope_widens, cannot_change_self"),
    )
)]
pub(super) async fn delete_team(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ConfirmQuery>,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id, query.confirm_widening).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// People to put into a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamMembersInput)]
pub(super) struct MembersInput {
    /// 1 to 200 people of the organisation.
    user_ids: Vec<Uuid>,
    /// Some of them may see more afterwards.
    #[serde(default)]
    confirm_widening: bool,
}

/// Puts people into a team.
#[utoipa::path(
    post, path = "/teams/{id}/members", tag = "teams", operation_id = "add_team_members",
    params(("id" = Uuid, Path)), request_body = MembersInput,
    responses(
        (status = 200, body = DetailBody),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "scope_widens, cannot_change_self"),
        (status = 422, body = ProblemBody, description = "on user_ids: unknown"),
    )
)]
pub(super) async fn add_team_members(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<MembersInput>,
) -> ApiResult<Json<DetailBody>> {
    service::add_members(&state, &actor, id, &input.user_ids, input.confirm_widening).await?;
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}

/// Takes a person out of a team.
#[utoipa::path(
    delete, path = "/teams/{id}/members/{user_id}", tag = "teams", operation_id = "remove_team_member",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path), ConfirmQuery),
    responses(
        (status = 204, description = "out of the team"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "scope_widens, cannot_change_self"),
    )
)]
pub(super) async fn remove_team_member(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, user_id)): Path<(String, String)>,
    QueryParams(query): QueryParams<ConfirmQuery>,
) -> ApiResult<StatusCode> {
    let id = id.parse().map_err(|_| Problem::not_found("team"))?;
    let user_id = user_id.parse().map_err(|_| Problem::not_found("member"))?;
    service::remove_member(&state, &actor, id, user_id, query.confirm_widening).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person who would join or leave a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamMemberPreviewInput)]
pub(super) struct PreviewInput {
    /// The person.
    user_id: Uuid,
    /// Whether they would join; otherwise they would leave.
    joins: bool,
}

/// What joining or leaving would do to what a person sees.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamMemberPreview)]
pub(super) struct PreviewBody {
    /// False for administrators, whose view no group narrows.
    scoped: bool,
    sees_all_before: bool,
    sees_all_after: bool,
    /// Hosts seen afterwards and not now.
    hosts_gained: i64,
    /// Hosts seen now and not afterwards.
    hosts_lost: i64,
    /// The change must be confirmed.
    widens: bool,
}

impl From<Effect> for PreviewBody {
    fn from(effect: Effect) -> Self {
        Self {
            scoped: effect.scoped,
            sees_all_before: effect.sees_all_before,
            sees_all_after: effect.sees_all_after,
            hosts_gained: effect.gained,
            hosts_lost: effect.lost,
            widens: effect.widens,
        }
    }
}

/// What joining or leaving a team would do to what a person sees. Changes nothing.
#[utoipa::path(
    post, path = "/teams/{id}/members/preview", tag = "teams", operation_id = "preview_team_member",
    params(("id" = Uuid, Path)), request_body = PreviewInput,
    responses((status = 200, body = PreviewBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn preview_team_member(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<PreviewInput>,
) -> ApiResult<Json<PreviewBody>> {
    Ok(Json(service::preview(&state, &actor, id, input.user_id, input.joins).await?.into()))
}

/// Host groups of a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamHostGroupsInput)]
pub(super) struct GroupsInput {
    /// All of them from now on, at most 100.
    group_ids: Vec<Uuid>,
    /// Some people may see more afterwards.
    #[serde(default)]
    confirm_widening: bool,
}

/// Gives a team exactly these host groups.
#[utoipa::path(
    put, path = "/teams/{id}/host-groups", tag = "teams", operation_id = "set_team_host_groups",
    params(("id" = Uuid, Path)), request_body = GroupsInput,
    responses(
        (status = 200, body = DetailBody),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "scope_widens, cannot_change_self"),
        (status = 422, body = ProblemBody, description = "on group_ids: unknown, too_many"),
    )
)]
pub(super) async fn set_team_host_groups(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<GroupsInput>,
) -> ApiResult<Json<DetailBody>> {
    service::set_host_groups(&state, &actor, id, &input.group_ids, input.confirm_widening).await?;
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}
