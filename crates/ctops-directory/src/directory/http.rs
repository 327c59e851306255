//! `/directory`.

use axum::extract::State;
use axum::{Extension, Json};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::Match;
use super::record::Value;
use super::service::{self, LookUp, Record};
use super::standing::PasswordAge;
use crate::directories::Directories;
use crate::dn::Dn;
use crate::groups::{Group, Groups};

/// A directory to look people up in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryChoice)]
pub(super) struct ChoiceBody {
    id: Uuid,
    name: String,
}

/// Directories to look people up in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryChoices)]
pub(super) struct ChoicesBody {
    /// By name.
    items: Vec<ChoiceBody>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// Beginning of a name, 2 to 128 characters.
    q: String,
}

/// Somebody who matches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryMatch)]
pub(super) struct MatchBody {
    dn: String,
    display_name: String,
    username: Option<String>,
    email: Option<String>,
}

impl From<Match> for MatchBody {
    fn from(found: Match) -> Self {
        let Match { dn, display_name, username, email } = found;
        Self { dn, display_name, username, email }
    }
}

/// Who matches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryMatches)]
pub(super) struct MatchesBody {
    /// At most ten: exact matches first, then by name.
    items: Vec<MatchBody>,
    /// There are more.
    more: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordParams {
    /// Name of the entry.
    dn: String,
    /// What was searched for; goes into the audit trail.
    q: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupParams {
    /// Name of the entry.
    dn: String,
    /// Groups of groups as well.
    #[serde(default)]
    nested: bool,
}

/// A group of somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryGroup)]
pub(super) struct GroupBody {
    dn: String,
    /// First part of its name.
    name: String,
    /// The account's primary group.
    primary: bool,
    /// Member through another group.
    nested: bool,
}

impl From<Group> for GroupBody {
    fn from(group: Group) -> Self {
        let name = Dn::nearest_value(&group.dn).unwrap_or_else(|| group.dn.clone());
        Self { name, dn: group.dn, primary: group.primary, nested: group.nested }
    }
}

/// Groups of somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryGroups)]
pub(super) struct GroupsBody {
    /// At most a thousand.
    items: Vec<GroupBody>,
    /// There are more.
    more: bool,
}

impl From<Groups> for GroupsBody {
    fn from(groups: Groups) -> Self {
        Self { more: groups.more, items: groups.list.into_iter().map(Into::into).collect() }
    }
}

/// What is known of the password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryPassword)]
pub(super) struct PasswordBody {
    expires_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    never_expires: bool,
}

impl From<PasswordAge> for PasswordBody {
    fn from(age: PasswordAge) -> Self {
        Self {
            expires_at: age.expires_at.map(Into::into),
            changed_at: age.changed_at.map(Into::into),
            never_expires: age.never_expires,
        }
    }
}

/// One value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryValue)]
pub(super) struct ValueBody {
    text: String,
    /// The moment it means.
    at: Option<Timestamp>,
}

impl From<Value> for ValueBody {
    fn from(value: Value) -> Self {
        Self { text: value.text, at: value.at.map(Into::into) }
    }
}

/// One attribute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryAttribute)]
pub(super) struct AttributeBody {
    name: String,
    values: Vec<ValueBody>,
}

/// Somebody's record. It is not kept anywhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryUser)]
pub(super) struct RecordBody {
    dn: String,
    display_name: Option<String>,
    username: Option<String>,
    /// `active`, `disabled`, `locked`, `expired` or `password_must_change`.
    status: &'static str,
    email: Option<String>,
    sam_account_name: Option<String>,
    user_principal_name: Option<String>,
    /// Name of the manager's entry.
    manager: Option<String>,
    department: Option<String>,
    /// When the account expires; not its password.
    account_expires_at: Option<Timestamp>,
    password: PasswordBody,
    /// Direct groups.
    groups: GroupsBody,
    /// Photo as a data address.
    photo: Option<String>,
    /// Every attribute that may be shown; absent for those who may not see them.
    attributes: Option<Vec<AttributeBody>>,
    /// The record has more than 1 MiB, and some values are left out.
    truncated: bool,
}

impl From<Record> for RecordBody {
    fn from(record: Record) -> Self {
        let Record { entry, settings, standing, groups, attributes, photo } = record;
        let text = |name: &str| entry.text(name).map(str::to_owned);
        let truncated = attributes.as_ref().is_some_and(|attributes| attributes.truncated);
        let to_body = |(name, values): (String, Vec<Value>)| AttributeBody {
            name,
            values: values.into_iter().map(Into::into).collect(),
        };
        Self {
            display_name: text(&settings.display_attribute),
            username: text(&settings.username_attribute),
            status: standing.status.as_str(),
            email: text(&settings.email_attribute),
            sam_account_name: text("sAMAccountName"),
            user_principal_name: text("userPrincipalName"),
            manager: text("manager"),
            department: text("department").or_else(|| text("departmentNumber")),
            account_expires_at: standing.account_expires_at.map(Into::into),
            password: standing.password.into(),
            groups: groups.into(),
            photo,
            attributes: attributes.map(|attributes| attributes.list.into_iter().map(to_body).collect()),
            truncated,
            dn: entry.dn,
        }
    }
}

/// The directories that people can be looked up in.
#[utoipa::path(
    get, path = "/directory/configurations", tag = "directory", operation_id = "list_directories",
    responses((status = 200, body = ChoicesBody), (status = 403, body = ProblemBody))
)]
pub(super) async fn list_directories(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ChoicesBody>> {
    let all = service::list(&state, &actor).await?;
    Ok(Json(ChoicesBody { items: all.into_iter().map(|(id, name)| ChoiceBody { id, name }).collect() }))
}

/// Searches people by the beginning of a name.
#[utoipa::path(
    get, path = "/directory/{id}/users", tag = "directory", operation_id = "search_directory",
    params(("id" = Uuid, Path), SearchParams),
    responses(
        (status = 200, body = MatchesBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody, description = "validation_failed"),
        (status = 429, body = ProblemBody, description = "rate_limited: 30 a minute"),
        (status = 503, body = ProblemBody, description = "directory_unavailable, unavailable"),
    )
)]
pub(super) async fn search_directory(
    State(state): State<AppState>,
    Extension(directories): Extension<Directories>,
    actor: Actor,
    PathId(directory_id): PathId,
    QueryParams(params): QueryParams<SearchParams>,
) -> ApiResult<Json<MatchesBody>> {
    let look_up = LookUp { state: &state, directories: &directories, actor: &actor, directory_id };
    let (items, more) = look_up.search(&params.q).await?;
    Ok(Json(MatchesBody { items: items.into_iter().map(Into::into).collect(), more }))
}

/// Somebody's record, read now.
#[utoipa::path(
    get, path = "/directory/{id}/users/by-dn", tag = "directory", operation_id = "get_directory_user",
    params(("id" = Uuid, Path), RecordParams),
    responses(
        (status = 200, body = RecordBody),
        (status = 403, body = ProblemBody, description = "forbidden, dn_out_of_scope"),
        (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody, description = "bad_dn"),
        (status = 429, body = ProblemBody, description = "rate_limited: 30 a minute"),
        (status = 503, body = ProblemBody, description = "directory_unavailable, unavailable"),
    )
)]
pub(super) async fn get_directory_user(
    State(state): State<AppState>,
    Extension(directories): Extension<Directories>,
    actor: Actor,
    PathId(directory_id): PathId,
    QueryParams(params): QueryParams<RecordParams>,
) -> ApiResult<Json<RecordBody>> {
    let look_up = LookUp { state: &state, directories: &directories, actor: &actor, directory_id };
    Ok(Json(look_up.read(&params.dn, params.q.as_deref()).await?.into()))
}

/// Somebody's groups, on demand with groups of groups.
#[utoipa::path(
    get, path = "/directory/{id}/users/by-dn/groups", tag = "directory", operation_id = "list_directory_user_groups",
    params(("id" = Uuid, Path), GroupParams),
    responses(
        (status = 200, body = GroupsBody),
        (status = 403, body = ProblemBody, description = "forbidden, dn_out_of_scope"),
        (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody, description = "bad_dn"),
        (status = 429, body = ProblemBody, description = "rate_limited: 30 a minute"),
        (status = 503, body = ProblemBody, description = "directory_unavailable, unavailable"),
    )
)]
pub(super) async fn list_directory_user_groups(
    State(state): State<AppState>,
    Extension(directories): Extension<Directories>,
    actor: Actor,
    PathId(directory_id): PathId,
    QueryParams(params): QueryParams<GroupParams>,
) -> ApiResult<Json<GroupsBody>> {
    let look_up = LookUp { state: &state, directories: &directories, actor: &actor, directory_id };
    Ok(Json(look_up.groups(&params.dn, params.nested).await?.into()))
}
