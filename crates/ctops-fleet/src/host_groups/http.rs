//! Routes of host groups.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Group, GroupQuery, Reference, Text, check_ids, check_kind};
use super::service;
use crate::hosts::{self, HostItem, HostListParams, HostQuery};

/// Which groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupListParams {
    /// Part of the name, whatever its case.
    search: Option<String>,
    /// `static` or `dynamic`.
    kind: Option<String>,
    /// `name` (default) or `-name`.
    sort: Option<String>,
    /// Those deleted in the last 30 days, which can be restored, instead of the others.
    #[serde(default)]
    deleted: bool,
    /// Page, from 1.
    page: Option<String>,
    /// Rows on a page: 10, 20, 25, 50 (default), 100 or 200.
    page_size: Option<String>,
}

/// A host group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroup)]
pub(super) struct GroupBody {
    id: Uuid,
    name: String,
    description: String,
    /// `static`.
    kind: String,
    /// Members the reader may see.
    member_count: i64,
    online: i64,
    offline: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl From<Group> for GroupBody {
    fn from(group: Group) -> Self {
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            kind: group.kind,
            member_count: group.members,
            online: group.online,
            offline: group.offline,
            created_at: group.created_at.into(),
            updated_at: group.updated_at.into(),
            deleted_at: group.deleted_at.map(Timestamp::from),
        }
    }
}

/// Groups of a host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroupList)]
pub(super) struct GroupListBody {
    items: Vec<GroupBody>,
}

/// A new group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHostGroup)]
pub(super) struct GroupInput {
    /// 1 to 255 characters, unique in the organisation whatever the case.
    name: String,
    /// At most 1000 characters.
    #[serde(default)]
    description: String,
    /// `static` (default).
    kind: Option<String>,
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HostGroupChange)]
pub(super) struct GroupChange {
    name: Option<String>,
    description: Option<String>,
}

/// Hosts of a bulk call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HostGroupMemberIds)]
pub(super) struct MemberIds {
    /// 1 to 1000 hosts.
    host_ids: Vec<Uuid>,
}

/// What came of adding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroupAdded)]
pub(super) struct AddedBody {
    added: u64,
    already_member: u64,
}

/// What came of removing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroupRemoved)]
pub(super) struct RemovedBody {
    removed: u64,
    not_member: u64,
}

/// Something that refers to a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroupReference)]
pub(super) struct ReferenceBody {
    /// `user`, `team` or `role`.
    kind: String,
    id: Uuid,
    name: String,
    /// The group cannot be deleted because of it.
    blocks_deletion: bool,
}

/// What refers to a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostGroupReferences)]
pub(super) struct ReferencesBody {
    items: Vec<ReferenceBody>,
}

/// Lists host groups by name, each with the members the reader may see.
#[utoipa::path(get, path = "/host-groups", tag = "host-groups", params(GroupListParams),
    responses((status = 200, body = PageBody<GroupBody>), (status = 422, body = ProblemBody)))]
pub(super) async fn list_host_groups(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<GroupListParams>,
) -> ApiResult<Json<PageBody<GroupBody>>> {
    let page = parse_page(params.page.as_deref(), params.page_size.as_deref(), STANDARD_SIZES)?;
    let (search, kind, sort) = (params.search.as_deref(), params.kind.as_deref(), params.sort.as_deref());
    let mut query = GroupQuery::check(search, kind, sort, page)?;
    if params.deleted {
        query = query.of_deleted(state.clock.now());
    }
    Ok(Json(service::list(&state.pool, &actor, &query).await?.map(GroupBody::from).into()))
}

/// Makes an empty host group.
#[utoipa::path(post, path = "/host-groups", tag = "host-groups", request_body = GroupInput,
    responses((status = 201, body = GroupBody), (status = 409, body = ProblemBody, description = "already_exists"),
        (status = 422, body = ProblemBody)))]
pub(super) async fn create_host_group(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<GroupInput>,
) -> ApiResult<(StatusCode, Json<GroupBody>)> {
    check_kind(input.kind.as_deref())?;
    let text = Text::check(&input.name, &input.description)?;
    let group = service::create(&state, &actor, &text).await?;
    Ok((StatusCode::CREATED, Json(group.into())))
}

/// Shows one host group.
#[utoipa::path(get, path = "/host-groups/{id}", tag = "host-groups", params(("id" = Uuid, Path)),
    responses((status = 200, body = GroupBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_host_group(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<GroupBody>> {
    Ok(Json(service::find(&state.pool, &actor, id).await?.into()))
}

/// Renames or describes a host group.
#[utoipa::path(patch, path = "/host-groups/{id}", tag = "host-groups", params(("id" = Uuid, Path)),
    request_body = GroupChange,
    responses((status = 200, body = GroupBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists"), (status = 422, body = ProblemBody)))]
pub(super) async fn change_host_group(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<GroupChange>,
) -> ApiResult<Json<GroupBody>> {
    let change = (input.name, input.description);
    Ok(Json(service::change(&state, &actor, id, change).await?.into()))
}

/// Deletes a host group; it can be restored for 30 days. A group that is all somebody is limited to stays.
#[utoipa::path(delete, path = "/host-groups/{id}", tag = "host-groups", params(("id" = Uuid, Path)),
    responses((status = 204, description = "deleted"), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn delete_host_group(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restores a deleted host group with its members, and nothing else.
#[utoipa::path(post, path = "/host-groups/{id}/restore", tag = "host-groups", params(("id" = Uuid, Path)),
    responses((status = 200, body = GroupBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "wrong_state, already_exists")))]
pub(super) async fn restore_host_group(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<GroupBody>> {
    Ok(Json(service::restore(&state, &actor, id).await?.into()))
}

/// Lists what refers to a host group: people and teams limited to it, custom roles that select by it.
#[utoipa::path(get, path = "/host-groups/{id}/references", tag = "host-groups", params(("id" = Uuid, Path)),
    responses((status = 200, body = ReferencesBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_host_group_references(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ReferencesBody>> {
    let body =
        |Reference { kind, id, name, blocks }| ReferenceBody { kind, id, name, blocks_deletion: blocks };
    let references = service::references(&state.pool, &actor, id).await?;
    Ok(Json(ReferencesBody { items: references.into_iter().map(body).collect() }))
}

/// Lists the members of a host group, with the parameters of the list of hosts.
#[utoipa::path(get, path = "/host-groups/{id}/members", tag = "host-groups",
    params(("id" = Uuid, Path), HostListParams),
    responses((status = 200, body = PageBody<HostItem>), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn list_host_group_members(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<HostListParams>,
) -> ApiResult<Json<PageBody<HostItem>>> {
    let mut query = HostQuery::parse(&params.input())?;
    service::find(&state.pool, &actor, id).await?;
    query.filter.group = Some(id);
    let now = state.clock.now();
    let page = hosts::list_hosts(&state.pool, &actor, &query, now).await?;
    Ok(Json(page.map(|row| HostItem::new(row, now)).into()))
}

/// Adds hosts to a host group. With an unknown host among them, none is added.
#[utoipa::path(post, path = "/host-groups/{id}/members", tag = "host-groups", params(("id" = Uuid, Path)),
    request_body = MemberIds,
    responses((status = 200, body = AddedBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(super) async fn add_host_group_members(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<MemberIds>,
) -> ApiResult<Json<AddedBody>> {
    let hosts = check_ids("host_ids", input.host_ids)?;
    let (added, already_member) = service::add(&state, &actor, id, &hosts).await?;
    Ok(Json(AddedBody { added, already_member }))
}

/// Removes hosts from a host group. With an unknown host among them, none is removed.
#[utoipa::path(delete, path = "/host-groups/{id}/members", tag = "host-groups", params(("id" = Uuid, Path)),
    request_body = MemberIds,
    responses((status = 200, body = RemovedBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn remove_host_group_members(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<MemberIds>,
) -> ApiResult<Json<RemovedBody>> {
    let hosts = check_ids("host_ids", input.host_ids)?;
    let (removed, not_member) = service::remove(&state, &actor, id, &hosts).await?;
    Ok(Json(RemovedBody { removed, not_member }))
}

/// Lists the groups a host is in, by name.
#[utoipa::path(get, path = "/hosts/{id}/groups", tag = "host-groups", params(("id" = Uuid, Path)),
    responses((status = 200, body = GroupListBody), (status = 404, body = ProblemBody)))]
pub(super) async fn list_groups_of_host(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<GroupListBody>> {
    let groups = service::of_host(&state.pool, &actor, id).await?;
    Ok(Json(GroupListBody { items: groups.into_iter().map(GroupBody::from).collect() }))
}
