//! Routes of custom roles and permissions.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ctops_base::{Problem, Role};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Assignment, CustomRole, Draft, Subject, Term};
use super::service::{self, Reason};
use crate::sessions::DeclaredPermissions;

/// A permission of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Permission)]
pub(super) struct PermissionBody {
    name: &'static str,
    /// What it allows.
    about: &'static str,
    /// Built-in roles that hold it.
    roles: Vec<&'static str>,
    /// Whether a custom role may hold it.
    assignable: bool,
}

/// The catalogue of permissions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PermissionCatalogue)]
pub(super) struct CatalogueBody {
    items: Vec<PermissionBody>,
}

/// A permission the caller holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldPermission)]
pub(super) struct HeldBody {
    name: &'static str,
    /// Held on every host, or on some.
    all_hosts: bool,
}

/// What the caller may do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldPermissions)]
pub(super) struct HeldListBody {
    items: Vec<HeldBody>,
}

/// A custom role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomRole)]
pub(super) struct RoleBody {
    id: Uuid,
    name: String,
    description: String,
    /// The built-in role it was made from.
    base: Option<&'static str>,
    permissions: Vec<String>,
    /// A host is selected when it meets every term; no term selects the whole organisation.
    selector: Vec<Term>,
    /// People and teams it is given to.
    assignment_count: i64,
    /// Also the `ETag`.
    version: i32,
    updated_at: Timestamp,
}

impl From<CustomRole> for RoleBody {
    fn from(role: CustomRole) -> Self {
        let CustomRole { id, draft, version, assignments, updated_at } = role;
        Self {
            id,
            name: draft.name,
            description: draft.description,
            base: draft.base.map(Role::as_str),
            permissions: draft.permissions,
            selector: draft.selector,
            assignment_count: assignments,
            version,
            updated_at: updated_at.into(),
        }
    }
}

/// Custom roles.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomRoleList)]
pub(super) struct RoleListBody {
    items: Vec<RoleBody>,
}

/// A role as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomRoleInput)]
pub(super) struct RoleInput {
    /// 1 to 100 characters, unique in the organisation whatever the case.
    name: String,
    /// At most 1000 characters.
    #[serde(default)]
    description: String,
    /// `read_only`, `engineer` or `org_admin`: where its permissions came from; for the reader only.
    base: Option<String>,
    /// Names from the catalogue.
    permissions: Vec<String>,
    /// At most 20 terms; none selects the whole organisation.
    #[serde(default)]
    selector: Vec<Term>,
}

impl RoleInput {
    fn draft(self) -> Result<Draft, Problem> {
        let Self { name, description, base, permissions, selector } = self;
        let unknown =
            |_| Problem::invalid_field("base", "invalid", "must be read_only, engineer or org_admin");
        let base = base.map(|base| base.parse::<Role>().map_err(unknown)).transpose()?;
        Ok(Draft { name, description, base, permissions, selector })
    }
}

/// A role somebody holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleAssignment)]
pub(super) struct AssignmentBody {
    id: Uuid,
    role_id: Uuid,
    role_name: String,
    user_id: Option<Uuid>,
    team_id: Option<Uuid>,
    /// Name of the person or team.
    subject_name: String,
    assigned_at: Timestamp,
}

impl From<Assignment> for AssignmentBody {
    fn from(assignment: Assignment) -> Self {
        let Assignment { id, role_id, role_name, user_id, team_id, subject_name, assigned_at } = assignment;
        Self { id, role_id, role_name, user_id, team_id, subject_name, assigned_at: assigned_at.into() }
    }
}

/// Who holds which role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleAssignmentList)]
pub(super) struct AssignmentListBody {
    items: Vec<AssignmentBody>,
}

/// Which assignments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AssignmentParams {
    /// Only of this role.
    role_id: Option<Uuid>,
}

/// Who is to be given a role: a person or a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRoleAssignment)]
pub(super) struct AssignmentInput {
    role_id: Uuid,
    user_id: Option<Uuid>,
    team_id: Option<Uuid>,
}

/// What to explain.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainParams {
    /// The person.
    user: Uuid,
    /// The permission.
    permission: String,
    /// The host; without it, whether they hold the permission at all.
    resource: Option<Uuid>,
}

/// A role that gives the permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PermissionReason)]
pub(super) struct ReasonBody {
    /// `built_in` or `custom`.
    kind: &'static str,
    role: String,
    whole_organisation: bool,
    /// Whether it reaches the host asked about.
    reaches: bool,
    /// Host groups of the host that make it so.
    matching_groups: Vec<String>,
}

/// Why somebody may or may not do something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PermissionExplanation)]
pub(super) struct ExplanationBody {
    allowed: bool,
    /// Roles that give the permission; none means that nothing gives it.
    reasons: Vec<ReasonBody>,
}

/// Lists every permission.
#[utoipa::path(get, path = "/permissions", tag = "roles", responses((status = 200, body = CatalogueBody)))]
pub(super) async fn list_permissions(
    Extension(declared): Extension<DeclaredPermissions>,
) -> Json<CatalogueBody> {
    let items = declared.all().into_iter().map(|permission| PermissionBody {
        name: permission.name,
        about: permission.about,
        roles: permission.roles.iter().map(|role| role.as_str()).collect(),
        assignable: permission.roles.contains(&Role::OrgAdmin),
    });
    Json(CatalogueBody { items: items.collect() })
}

/// Lists what the caller may do, and whether on all hosts.
#[utoipa::path(get, path = "/me/permissions", tag = "roles", responses((status = 200, body = HeldListBody)))]
pub(super) async fn list_own_permissions(
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
) -> Json<HeldListBody> {
    let held = |permission: &'static ctops_slice::Permission| {
        let grant = actor.grant(permission).ok()?;
        Some(HeldBody { name: permission.name, all_hosts: grant.scope().is_all() })
    };
    Json(HeldListBody { items: declared.all().into_iter().filter_map(held).collect() })
}

/// Explains why a member may or may not do something, on a host or at all.
#[utoipa::path(get, path = "/permissions/explain", tag = "roles", params(ExplainParams),
    responses((status = 200, body = ExplanationBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn explain_permission(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
    QueryParams(params): QueryParams<ExplainParams>,
) -> ApiResult<Json<ExplanationBody>> {
    let question = (params.user, params.permission.as_str(), params.resource);
    let (allowed, reasons) = service::explain(&state.pool, &actor, &declared, question).await?;
    let body = |Reason { kind, role, whole_organisation, reaches, matching_groups }| ReasonBody {
        kind,
        role,
        whole_organisation,
        reaches,
        matching_groups,
    };
    Ok(Json(ExplanationBody { allowed, reasons: reasons.into_iter().map(body).collect() }))
}

/// Lists custom roles by name.
#[utoipa::path(get, path = "/roles", tag = "roles", responses((status = 200, body = RoleListBody)))]
pub(super) async fn list_roles(State(state): State<AppState>, actor: Actor) -> ApiResult<Json<RoleListBody>> {
    let roles = service::list(&state.pool, &actor).await?;
    Ok(Json(RoleListBody { items: roles.into_iter().map(RoleBody::from).collect() }))
}

/// Makes a custom role.
#[utoipa::path(post, path = "/roles", tag = "roles", request_body = RoleInput,
    responses((status = 201, body = RoleBody),
        (status = 403, body = ProblemBody, description = "feature_not_licensed"),
        (status = 409, body = ProblemBody, description = "already_exists"), (status = 422, body = ProblemBody)))]
pub(super) async fn create_role(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
    JsonBody(input): JsonBody<RoleInput>,
) -> ApiResult<Response> {
    let role = service::save(&state, &actor, &declared, None, input.draft()?).await?;
    Ok(with_version(StatusCode::CREATED, role))
}

/// Shows a custom role.
#[utoipa::path(get, path = "/roles/{id}", tag = "roles", params(("id" = Uuid, Path)),
    responses((status = 200, body = RoleBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_role(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Response> {
    Ok(with_version(StatusCode::OK, service::find(&state.pool, &actor, id).await?))
}

/// Replaces a custom role; with `If-Match`, only the version the caller has seen.
#[utoipa::path(put, path = "/roles/{id}", tag = "roles", params(("id" = Uuid, Path)), request_body = RoleInput,
    responses((status = 200, body = RoleBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody, description = "version_conflict"), (status = 422, body = ProblemBody)))]
pub(super) async fn change_role(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
    PathId(id): PathId,
    headers: HeaderMap,
    JsonBody(input): JsonBody<RoleInput>,
) -> ApiResult<Response> {
    // A version that cannot be read is none that was ever given, so it matches nothing.
    let seen = headers.get(header::IF_MATCH).map(|value| {
        value.to_str().ok().and_then(|text| text.trim().trim_matches('"').parse().ok()).unwrap_or(-1)
    });
    let role = service::save(&state, &actor, &declared, Some((id, seen)), input.draft()?).await?;
    Ok(with_version(StatusCode::OK, role))
}

fn with_version(status: StatusCode, role: CustomRole) -> Response {
    let tag = format!("\"{}\"", role.version);
    (status, [(header::ETAG, tag)], Json(RoleBody::from(role))).into_response()
}

/// Deletes a custom role that is given to nobody.
#[utoipa::path(delete, path = "/roles/{id}", tag = "roles", params(("id" = Uuid, Path)),
    responses((status = 204, description = "deleted"), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn delete_role(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists who holds which custom role.
#[utoipa::path(get, path = "/role-assignments", tag = "roles", params(AssignmentParams),
    responses((status = 200, body = AssignmentListBody)))]
pub(super) async fn list_role_assignments(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<AssignmentParams>,
) -> ApiResult<Json<AssignmentListBody>> {
    let assignments = service::assignments(&state.pool, &actor, params.role_id).await?;
    Ok(Json(AssignmentListBody { items: assignments.into_iter().map(AssignmentBody::from).collect() }))
}

/// Gives a custom role to a member or a team.
#[utoipa::path(post, path = "/role-assignments", tag = "roles", request_body = AssignmentInput,
    responses((status = 201, body = AssignmentBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists, cannot_change_self"),
        (status = 422, body = ProblemBody)))]
pub(super) async fn create_role_assignment(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<AssignmentInput>,
) -> ApiResult<(StatusCode, Json<AssignmentBody>)> {
    let subject = match (input.user_id, input.team_id) {
        (Some(id), None) => Subject::User(id),
        (None, Some(id)) => Subject::Team(id),
        _ => {
            return Err(Problem::invalid_field("user_id", "invalid", "name either a person or a team").into());
        }
    };
    let assignment = service::assign(&state, &actor, input.role_id, subject).await?;
    Ok((StatusCode::CREATED, Json(assignment.into())))
}

/// Takes a custom role away.
#[utoipa::path(delete, path = "/role-assignments/{id}", tag = "roles", params(("id" = Uuid, Path)),
    responses((status = 204, description = "taken away"), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "cannot_change_self")))]
pub(super) async fn delete_role_assignment(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::unassign(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
