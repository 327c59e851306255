//! `/users`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_base::{FieldProblem, Problem, Role};
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{
    HistoryRow, MAX_REASON_CHARS, MAX_SEARCH_CHARS, MemberState, UserFilter, UserPatch, UserRow,
    parse_role_names,
};
use super::service;

/// A person of the organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    id: Uuid,
    name: String,
    email: String,
    email_verified: bool,
    /// `pending`, `active`, `deactivated` or `removed`.
    state: &'static str,
    /// All roles held, weakest first.
    roles: Vec<&'static str>,
    /// The strongest of them.
    displayed_role: Option<&'static str>,
    /// `people`, or `provider` when the group map of a directory decides at every sign-in.
    roles_from: &'static str,
    /// Whether there is a local password.
    has_password: bool,
    joined_at: Timestamp,
    /// Last use of a session that has not ended.
    last_seen_at: Option<Timestamp>,
    invited_by: Option<UserRefBody>,
    teams: Vec<UserTeamBody>,
}

/// A person by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserRef)]
pub(super) struct UserRefBody {
    id: Uuid,
    name: String,
}

/// A team by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserTeam)]
pub(super) struct UserTeamBody {
    id: Uuid,
    name: String,
}

fn person((id, name): (Uuid, String)) -> UserRefBody {
    UserRefBody { id, name }
}

impl From<UserRow> for UserBody {
    fn from(row: UserRow) -> Self {
        let member = &row.membership;
        Self {
            state: member.state.as_str(),
            roles: member.roles.iter().map(|role| role.as_str()).collect(),
            displayed_role: member.strongest().map(Role::as_str),
            roles_from: member.roles_from.as_str(),
            id: row.id,
            name: row.name,
            email: row.email,
            email_verified: row.email_verified,
            has_password: row.has_password,
            joined_at: row.joined_at.into(),
            last_seen_at: row.last_seen_at.map(Timestamp::from),
            invited_by: row.invited_by.map(person),
            teams: row.teams.into_iter().map(|team| UserTeamBody { id: team.id, name: team.name }).collect(),
        }
    }
}

/// What a list of people shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Part of a name or address.
    search: Option<String>,
    /// `pending`, `active`, `deactivated` or `removed`; without it all but removed people.
    state: Option<String>,
    /// Holders of this role.
    role: Option<String>,
    /// From 1.
    page: Option<String>,
    /// 10, 20, 25, 50, 100 or 200.
    page_size: Option<String>,
}

impl UserQuery {
    fn filter(&self) -> Result<UserFilter, Problem> {
        let mut problems = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            problems.push(FieldProblem { path: path.to_owned(), code, message });
        };
        let search = self.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if search.is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS) {
            refuse("search", "too_long", format!("has more than {MAX_SEARCH_CHARS} characters"));
        }
        let state = self.state.as_deref().map(MemberState::from_name);
        if state == Some(None) {
            let known = MemberState::ALL.map(MemberState::as_str).join(", ");
            refuse("state", "invalid", format!("must be one of {known}"));
        }
        let role = self.role.as_deref().map(str::parse::<Role>);
        if matches!(role, Some(Err(_))) {
            refuse("role", "invalid", format!("must be one of {}", Role::ALL.map(Role::as_str).join(", ")));
        }
        if !problems.is_empty() {
            return Err(Problem::invalid(problems));
        }
        let search = search.map(|text| text.replace('\0', ""));
        Ok(UserFilter { search, state: state.flatten(), role: role.and_then(Result::ok) })
    }
}

/// People of the organisation, by name.
#[utoipa::path(
    get, path = "/users", tag = "people", operation_id = "list_users", params(UserQuery),
    responses((status = 200, body = PageBody<UserBody>), (status = 422, body = ProblemBody))
)]
pub(super) async fn list_users(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(query): QueryParams<UserQuery>,
) -> ApiResult<Json<PageBody<UserBody>>> {
    let request = parse_page(query.page.as_deref(), query.page_size.as_deref(), STANDARD_SIZES)?;
    let page = service::list(&state, &actor, query.filter()?, request).await?;
    Ok(Json(page.map(UserBody::from).into()))
}

/// One person.
#[utoipa::path(
    get, path = "/users/{id}", tag = "people", operation_id = "get_user", params(("id" = Uuid, Path)),
    responses((status = 200, body = UserBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn get_user(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<UserBody>> {
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}

/// One change of a person's roles or state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserChange)]
pub(super) struct ChangeBody {
    id: Uuid,
    /// `role_changed`, `approved`, `deactivated`, `reactivated`, `removed` or `restored`.
    change: String,
    /// Who did it; null for the server itself and its operator.
    actor: Option<UserRefBody>,
    /// State and roles before.
    #[schema(value_type = Object)]
    before: serde_json::Value,
    /// State and roles after.
    #[schema(value_type = Object)]
    after: serde_json::Value,
    reason: String,
    at: Timestamp,
}

impl From<HistoryRow> for ChangeBody {
    fn from(row: HistoryRow) -> Self {
        Self {
            id: row.id,
            change: row.change,
            actor: row.actor.map(person),
            before: row.before,
            after: row.after,
            reason: row.reason,
            at: row.at.into(),
        }
    }
}

/// What happened to a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserHistory)]
pub(super) struct HistoryBody {
    /// Newest first, at most 200.
    items: Vec<ChangeBody>,
}

/// What happened to a person.
#[utoipa::path(
    get, path = "/users/{id}/history", tag = "people", operation_id = "list_user_history",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = HistoryBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn list_user_history(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<HistoryBody>> {
    let items = service::history(&state, &actor, id).await?.into_iter().map(ChangeBody::from).collect();
    Ok(Json(HistoryBody { items }))
}

/// What to change of a person; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserPatch)]
pub(super) struct PatchInput {
    /// All roles from now on; at least one.
    roles: Option<Vec<String>>,
    /// `active` or `deactivated`.
    state: Option<String>,
    /// Why; kept in the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Why a person is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReasonQuery {
    /// Why; kept in the history.
    #[serde(default)]
    reason: String,
}

/// A removed person to restore.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserRestore)]
pub(super) struct RestoreInput {
    /// Roles from now on; without them those held before.
    roles: Option<Vec<String>>,
    /// Why; kept in the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

fn check_reason(reason: &str) -> Result<(), Problem> {
    let chars = reason.chars().count();
    if chars > MAX_REASON_CHARS {
        let message = format!("has {chars} characters, at most {MAX_REASON_CHARS}");
        return Err(Problem::invalid_field("reason", "too_long", message));
    }
    Ok(())
}

fn parse_roles(names: Option<&Vec<String>>) -> Result<Option<BTreeSet<Role>>, Problem> {
    let parsed = names.map(|names| parse_role_names("roles", names)).transpose();
    parsed.map_err(|problem| Problem::invalid(vec![problem]))
}

impl PatchInput {
    fn check(&self) -> Result<UserPatch, Problem> {
        check_reason(&self.reason)?;
        let state = match self.state.as_deref() {
            None => None,
            Some("active") => Some(MemberState::Active),
            Some("deactivated") => Some(MemberState::Deactivated),
            Some(_) => {
                let message = "must be active or deactivated";
                return Err(Problem::invalid_field("state", "invalid", message));
            }
        };
        Ok(UserPatch { roles: parse_roles(self.roles.as_ref())?, state })
    }
}

/// Changes roles or state of a person: approves, deactivates, activates again.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "people", operation_id = "update_user", params(("id" = Uuid, Path)),
    request_body = PatchInput,
    responses(
        (status = 200, body = UserBody),
        (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "cannot_change_self, last_super_admin, wrong_state"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn update_user(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<PatchInput>,
) -> ApiResult<Json<UserBody>> {
    service::update(&state, &actor, id, &input.check()?, &input.reason).await?;
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}

/// Removes a person from the organisation. Their history stays; they can be restored.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "people", operation_id = "remove_user",
    params(("id" = Uuid, Path), ReasonQuery),
    responses(
        (status = 204, description = "removed"),
        (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "cannot_change_self, last_super_admin"),
    )
)]
pub(super) async fn remove_user(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ReasonQuery>,
) -> ApiResult<StatusCode> {
    check_reason(&query.reason)?;
    service::remove(&state, &actor, id, &query.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restores a removed person.
#[utoipa::path(
    post, path = "/users/{id}/restore", tag = "people", operation_id = "restore_user",
    params(("id" = Uuid, Path)), request_body = RestoreInput,
    responses(
        (status = 200, body = UserBody),
        (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "wrong_state, limit_reached"),
        (status = 422, body = ProblemBody),
    )
)]
pub(super) async fn restore_user(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<RestoreInput>,
) -> ApiResult<Json<UserBody>> {
    check_reason(&input.reason)?;
    let roles = parse_roles(input.roles.as_ref())?;
    service::restore(&state, &actor, id, roles, &input.reason).await?;
    Ok(Json(service::get(&state, &actor, id).await?.into()))
}
