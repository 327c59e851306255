//! `/ldap-configurations`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_base::text::is_hostile;
use ctops_identity::passwords::Secret;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Configuration, TestResult, Wanted};
use super::service::{self, Draft, Shown};
use super::settings::{Preset, Settings};

/// Longest sample name, characters.
const MAX_SAMPLE_CHARS: usize = 128;

/// A directory in the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LdapConfigurationRow)]
pub(super) struct RowBody {
    id: Uuid,
    name: String,
    enabled: bool,
    /// People may sign in with it.
    login_allowed: bool,
    settings: Settings,
    last_test_at: Option<Timestamp>,
    /// Whether the last test passed.
    last_test_ok: Option<bool>,
}

impl From<Configuration> for RowBody {
    fn from(from: Configuration) -> Self {
        Self {
            id: from.id,
            name: from.name,
            enabled: from.enabled,
            login_allowed: from.login_allowed,
            settings: from.settings,
            last_test_at: from.last_test_at.map(Into::into),
            last_test_ok: from.last_test_result.map(|result| result.ok),
        }
    }
}

/// Directories.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LdapConfigurationList)]
pub(super) struct ListBody {
    /// By name.
    items: Vec<RowBody>,
}

/// A directory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LdapConfiguration)]
pub(super) struct ConfigurationBody {
    id: Uuid,
    name: String,
    enabled: bool,
    /// People may sign in with it.
    login_allowed: bool,
    settings: Settings,
    /// Name of the service account; anonymous without.
    bind_dn: Option<String>,
    /// Whether its password is stored. It is never answered.
    has_bind_password: bool,
    /// The only authorities that are trusted, PEM; the system's without.
    ca_pem: Option<String>,
    /// Accounts linked with it.
    linked_users: i64,
    /// Counts changes.
    version: i32,
    last_test_at: Option<Timestamp>,
    last_test_result: Option<TestResult>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Shown> for ConfigurationBody {
    fn from(shown: Shown) -> Self {
        let Shown { configuration: from, bind_dn, has_bind_password, ca_pem, linked_users } = shown;
        Self {
            id: from.id,
            name: from.name,
            enabled: from.enabled,
            login_allowed: from.login_allowed,
            settings: from.settings,
            bind_dn,
            has_bind_password,
            ca_pem,
            linked_users,
            version: from.version,
            last_test_at: from.last_test_at.map(Into::into),
            last_test_result: from.last_test_result,
            created_at: from.created_at.into(),
            updated_at: from.updated_at.into(),
        }
    }
}

/// A directory to add or change. What is absent stays as it is; a new one needs name and settings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LdapConfigurationInput)]
pub(super) struct ConfigurationInput {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    enabled: Option<bool>,
    login_allowed: Option<bool>,
    settings: Option<Settings>,
    /// Name of the service account; empty for anonymous.
    bind_dn: Option<String>,
    /// Its password; empty removes it. When the servers change it has to be given again.
    #[schema(value_type = Option<String>, format = Password)]
    bind_password: Option<Secret>,
    /// The only authorities to trust, PEM, at most 64 KiB; empty for the system's.
    ca_pem: Option<String>,
    /// Refuse the change with `version_conflict` unless this is the present version.
    version: Option<i32>,
}

impl From<ConfigurationInput> for Wanted {
    fn from(input: ConfigurationInput) -> Self {
        Self {
            name: input.name,
            enabled: input.enabled,
            login_allowed: input.login_allowed,
            settings: input.settings,
            bind_dn: input.bind_dn,
            bind_password: input.bind_password,
            ca_pem: input.ca_pem,
        }
    }
}

/// A directory to try out before it is saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LdapDraftInput)]
pub(super) struct DraftInput {
    /// The directory that is being changed: its stored secrets count where none are given here.
    id: Option<Uuid>,
    settings: Settings,
    bind_dn: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    bind_password: Option<Secret>,
    ca_pem: Option<String>,
    /// A name to look up as at sign-in.
    #[schema(max_length = 128)]
    sample_username: Option<String>,
}

/// How to try a directory out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LdapTestInput)]
pub(super) struct TestInput {
    /// A name to look up as at sign-in.
    #[schema(max_length = 128)]
    sample_username: Option<String>,
}

/// Settings to begin with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LdapPresets)]
pub(super) struct PresetsBody {
    active_directory: Settings,
    openldap: Settings,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteParams {
    /// Delete although people sign in through it.
    #[serde(default)]
    confirm: bool,
}

fn sample(text: Option<&str>) -> Result<Option<&str>, Problem> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > MAX_SAMPLE_CHARS || text.chars().any(is_hostile) {
        return Err(Problem::invalid_field("sample_username", "too_long", "has at most 128 characters"));
    }
    Ok(Some(text))
}

/// The directories of the organisation.
#[utoipa::path(
    get, path = "/ldap-configurations", tag = "ldap", operation_id = "list_ldap_configurations",
    responses((status = 200, body = ListBody), (status = 403, body = ProblemBody))
)]
pub(super) async fn list_ldap_configurations(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ListBody>> {
    let items = service::list(&state, &actor).await?.into_iter().map(Into::into).collect();
    Ok(Json(ListBody { items }))
}

/// What is usual for the kinds of directories.
#[utoipa::path(
    get, path = "/ldap-configurations/presets", tag = "ldap", operation_id = "list_ldap_presets",
    responses((status = 200, body = PresetsBody), (status = 403, body = ProblemBody))
)]
pub(super) async fn list_ldap_presets(_: Actor) -> ApiResult<Json<PresetsBody>> {
    Ok(Json(PresetsBody {
        active_directory: Settings::of_preset(Preset::ActiveDirectory),
        openldap: Settings::of_preset(Preset::Openldap),
    }))
}

/// One directory.
#[utoipa::path(
    get, path = "/ldap-configurations/{id}", tag = "ldap", operation_id = "get_ldap_configuration",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = ConfigurationBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn get_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ConfigurationBody>> {
    Ok(Json(service::find(&state, &actor, id).await?.into()))
}

/// Adds a directory.
#[utoipa::path(
    post, path = "/ldap-configurations", tag = "ldap", operation_id = "create_ldap_configuration",
    request_body = ConfigurationInput,
    responses(
        (status = 201, body = ConfigurationBody),
        (status = 403, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists, limit_reached"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn create_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<ConfigurationInput>,
) -> ApiResult<(StatusCode, Json<ConfigurationBody>)> {
    let made = service::create(&state, &actor, input.into()).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Changes a directory.
#[utoipa::path(
    patch, path = "/ldap-configurations/{id}", tag = "ldap", operation_id = "change_ldap_configuration",
    params(("id" = Uuid, Path)), request_body = ConfigurationInput,
    responses(
        (status = 200, body = ConfigurationBody),
        (status = 403, body = ProblemBody, description = "forbidden, also when a super_admin signs in through it"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "already_exists"),
        (status = 412, body = ProblemBody, description = "version_conflict"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn change_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<ConfigurationInput>,
) -> ApiResult<Json<ConfigurationBody>> {
    let version = input.version;
    Ok(Json(service::change(&state, &actor, id, input.into(), version).await?.into()))
}

/// Deletes a directory. The accounts stay and lose their link.
#[utoipa::path(
    delete, path = "/ldap-configurations/{id}", tag = "ldap", operation_id = "delete_ldap_configuration",
    params(("id" = Uuid, Path), DeleteParams),
    responses(
        (status = 204, description = "deleted"),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "linked_users: confirm to delete all the same"),
    )
)]
pub(super) async fn delete_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<DeleteParams>,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id, params.confirm).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries a directory out before it is saved: each step with its time.
#[utoipa::path(
    post, path = "/ldap-configurations/test", tag = "ldap", operation_id = "test_new_ldap_configuration",
    request_body = DraftInput,
    responses(
        (status = 200, body = TestResult, description = "passed or not"),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody, description = "validation_failed; on bind_password: required"),
        (status = 429, body = ProblemBody, description = "rate_limited: 10 tests a minute"),
    )
)]
pub(super) async fn test_new_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<DraftInput>,
) -> ApiResult<Json<TestResult>> {
    let name = input.sample_username.clone();
    let sample = sample(name.as_deref())?;
    let DraftInput { id, settings, bind_dn, bind_password, ca_pem, .. } = input;
    let draft = Draft { id, settings, bind_dn, bind_password, ca_pem };
    Ok(Json(service::test_draft(&state, &actor, draft, sample).await?))
}

/// Tries a directory out as it is saved.
#[utoipa::path(
    post, path = "/ldap-configurations/{id}/test", tag = "ldap", operation_id = "test_ldap_configuration",
    params(("id" = Uuid, Path)), request_body = TestInput,
    responses(
        (status = 200, body = TestResult, description = "passed or not"),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "rate_limited: 10 tests a minute"),
    )
)]
pub(super) async fn test_ldap_configuration(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<TestInput>,
) -> ApiResult<Json<TestResult>> {
    let sample = sample(input.sample_username.as_deref())?;
    Ok(Json(service::test_saved(&state, &actor, id, sample).await?))
}
