//! `/auth/methods` and `/setup`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::SetupRequest;
use super::service::{self, Caller};
use crate::passwords::Secret;
use crate::registration;
use crate::sessions::{MeBody, me_with_cookie};
use crate::sign_in::{SignInDeps, user_agent};

/// How people sign in here, and whether somebody must set the installation up first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthMethodsBody {
    /// There is no account yet; only set-up works.
    setup_required: bool,
    /// Set-up asks for the code printed in the server's log.
    setup_code_required: bool,
    /// Local accounts must verify their address before they can sign in.
    email_verification_required: bool,
    /// People may ask for an account (`/auth/register`).
    registration_open: bool,
    /// Forgotten passwords can be replaced by a link: not where identity providers alone sign people in.
    password_reset_offered: bool,
    /// What to read before signing in, plain text; empty when there is nothing to read.
    legal_notice: String,
    /// Ways to sign in, in the order to offer them.
    methods: Vec<AuthMethodBody>,
}

/// One way to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthMethodBody {
    /// `password`, `ldap`, `oidc` or `saml`.
    kind: String,
    /// The directory for `POST /auth/ldap/login`, or the identity provider; begin at `/auth/{kind}/{id}/start`.
    id: Option<Uuid>,
    /// What stands on its button.
    name: Option<String>,
}

/// The first account and its organisation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupInput {
    /// Name of the organisation.
    #[schema(min_length = 2, max_length = 100)]
    organisation_name: String,
    /// Full name of the person.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// E-mail address to sign in with.
    #[schema(max_length = 254)]
    email: String,
    /// Password to sign in with.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Secret,
    /// The same password again.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password_confirmation: Secret,
    /// The code from the server's log, unless codes are switched off.
    #[schema(value_type = Option<String>)]
    setup_code: Option<Secret>,
}

impl From<SetupInput> for SetupRequest {
    fn from(input: SetupInput) -> Self {
        Self {
            organisation_name: input.organisation_name,
            name: input.name,
            email: input.email,
            password: input.password,
            password_confirmation: input.password_confirmation,
            setup_code: input.setup_code,
        }
    }
}

/// How people sign in here.
#[utoipa::path(
    get, path = "/auth/methods", tag = "auth", operation_id = "get_auth_methods",
    responses((status = 200, body = AuthMethodsBody))
)]
pub(super) async fn get_auth_methods(State(state): State<AppState>) -> ApiResult<Json<AuthMethodsBody>> {
    let needs = service::needs(&state.pool).await?;
    let mut methods = vec![AuthMethodBody { kind: "password".to_owned(), id: None, name: None }];
    let directories = service::offered_directories(&state).await?.into_iter();
    let directory = |(id, name)| AuthMethodBody { kind: "ldap".to_owned(), id: Some(id), name: Some(name) };
    methods.extend(directories.map(directory));
    let offered = service::offered_providers(&state).await?;
    let password_reset_offered = offered.is_empty() || service::some_use_passwords(&state).await?;
    let offered = offered.into_iter();
    methods.extend(offered.map(|(kind, id, name)| AuthMethodBody { kind, id: Some(id), name: Some(name) }));
    Ok(Json(AuthMethodsBody {
        setup_required: needs.setup,
        setup_code_required: needs.code,
        email_verification_required: state.installation.require_email_verification,
        registration_open: registration::is_open(&state.pool).await?,
        password_reset_offered,
        legal_notice: service::legal_notice(&state.pool).await?,
        methods,
    }))
}

/// Creates the first account, a super_admin, and signs it in. Works once.
#[utoipa::path(
    post, path = "/setup", tag = "auth", operation_id = "set_up", request_body = SetupInput,
    responses(
        (status = 201, body = MeBody, description = "set up and signed in; sets the session cookie"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: set up already"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field; on setup_code: invalid_setup_code"),
        (status = 429, body = ProblemBody, description = "rate_limited: too many attempts or wrong codes"),
        (status = 503, body = ProblemBody, description = "unavailable: not prepared yet"),
    )
)]
pub(super) async fn set_up(
    State(state): State<AppState>,
    Extension(deps): Extension<SignInDeps>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    JsonBody(input): JsonBody<SetupInput>,
) -> ApiResult<Response> {
    let caller = Caller { ip, user_agent: user_agent(&headers) };
    let started = service::set_up(&state, &deps.passwords, input.into(), caller).await?;
    Ok(me_with_cookie(&state, &deps.declared, StatusCode::CREATED, started).await?)
}
