//! `/invitations`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ctops_base::Problem;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, SignInMethod, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::accept;
use super::model::{Invitation, NewAccount, NewInvitation};
use super::service::{self, Invited};
use crate::passwords::{Passwords, Secret};
use crate::sign_in::{self, FirstFactor, user_agent};

/// An invitation, without its link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(super) struct InvitationBody {
    id: Uuid,
    email: String,
    roles: Vec<&'static str>,
    team_ids: Vec<Uuid>,
    host_group_ids: Vec<Uuid>,
    /// `live`, `expired`, `accepted` or `cancelled`.
    state: &'static str,
    invited_by: Option<InviterBody>,
    created_at: Timestamp,
    /// When the present link was made.
    sent_at: Timestamp,
    expires_at: Timestamp,
}

/// Who invited.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inviter)]
pub(super) struct InviterBody {
    id: Uuid,
    name: String,
}

impl InvitationBody {
    fn new(invitation: Invitation, state: &AppState) -> Self {
        Self {
            state: invitation.state(state.clock.now()).as_str(),
            id: invitation.id,
            email: invitation.email,
            roles: invitation.roles.iter().map(|role| role.as_str()).collect(),
            team_ids: invitation.team_ids,
            host_group_ids: invitation.host_group_ids,
            invited_by: invitation.invited_by.map(|(id, name)| InviterBody { id, name }),
            created_at: invitation.created_at.into(),
            sent_at: invitation.sent_at.into(),
            expires_at: invitation.expires_at.into(),
        }
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InvitationQuery {
    /// From 1.
    page: Option<String>,
    /// 10, 20, 25, 50, 100 or 200.
    page_size: Option<String>,
}

/// Invitations that wait or have expired, newest first.
#[utoipa::path(
    get, path = "/invitations", tag = "people", operation_id = "list_invitations", params(InvitationQuery),
    responses((status = 200, body = PageBody<InvitationBody>), (status = 422, body = ProblemBody))
)]
pub(super) async fn list_invitations(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(query): QueryParams<InvitationQuery>,
) -> ApiResult<Json<PageBody<InvitationBody>>> {
    let request = parse_page(query.page.as_deref(), query.page_size.as_deref(), STANDARD_SIZES)?;
    let page = service::list(&state, &actor, request).await?;
    Ok(Json(page.map(|invitation| InvitationBody::new(invitation, &state)).into()))
}

/// Somebody to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub(super) struct NewInput {
    /// Address of the person.
    #[schema(max_length = 254)]
    email: String,
    /// At least one.
    roles: Vec<String>,
    /// Teams to join.
    #[serde(default)]
    team_ids: Vec<Uuid>,
    /// Host groups as access scope; not for administrators.
    #[serde(default)]
    host_group_ids: Vec<Uuid>,
}

/// What became of an invitation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[schema(as = Invited)]
pub(super) enum InvitedBody {
    /// A link was made.
    Invited {
        /// The invitation.
        invitation: Box<InvitationBody>,
        /// The link, shown here and never again. It was mailed as well, if a relay is configured.
        link: String,
    },
    /// The person had been removed and is back, with the account they had.
    Restored {
        /// The person.
        user_id: Uuid,
    },
}

impl InvitedBody {
    fn new(invited: Invited, state: &AppState) -> Self {
        match invited {
            Invited::Link { invitation, link } => {
                Self::Invited { invitation: Box::new(InvitationBody::new(*invitation, state)), link }
            }
            Invited::Restored { user_id } => Self::Restored { user_id },
        }
    }
}

/// Invites somebody, or restores a removed person.
#[utoipa::path(
    post, path = "/invitations", tag = "people", operation_id = "create_invitation", request_body = NewInput,
    responses(
        (status = 201, body = InvitedBody),
        (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 409, body = ProblemBody, description = "already_exists, wrong_state, limit_reached"),
        (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn create_invitation(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<NewInput>,
) -> ApiResult<(StatusCode, Json<InvitedBody>)> {
    let new = NewInvitation::check(&input.email, &input.roles, input.team_ids, input.host_group_ids)?;
    let invited = service::create(&state, &actor, new).await?;
    Ok((StatusCode::CREATED, Json(InvitedBody::new(invited, &state))))
}

/// Cancels an invitation; its link stops working.
#[utoipa::path(
    delete, path = "/invitations/{id}", tag = "people", operation_id = "cancel_invitation",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "cancelled"), (status = 404, body = ProblemBody))
)]
pub(super) async fn cancel_invitation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::cancel(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a new link, which lives 7 days; the one before stops working.
#[utoipa::path(
    post, path = "/invitations/{id}/resend", tag = "people", operation_id = "resend_invitation",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = InvitedBody),
        (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 404, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn resend_invitation(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<InvitedBody>> {
    let invited = service::resend(&state, &actor, id).await?;
    Ok(Json(InvitedBody::new(invited, &state)))
}

/// The token of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationToken)]
pub(super) struct TokenInput {
    /// What follows the hash sign of the link.
    #[schema(value_type = String)]
    token: Secret,
}

/// What somebody is invited to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitationLook)]
pub(super) struct LookBody {
    organisation: String,
    /// The invited address.
    email: String,
    roles: Vec<&'static str>,
    invited_by: Option<String>,
    expires_at: Timestamp,
    /// An account has the address: sign in to it and accept. Otherwise make one by accepting.
    has_account: bool,
}

/// What a link invites to.
#[utoipa::path(
    post, path = "/invitations/lookup", tag = "people", operation_id = "look_up_invitation",
    request_body = TokenInput,
    responses(
        (status = 200, body = LookBody),
        (status = 409, body = ProblemBody, description = "wrong_state: expired, used or cancelled"),
        (status = 422, body = ProblemBody, description = "on token: invalid_token"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn look_up_invitation(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    JsonBody(input): JsonBody<TokenInput>,
) -> ApiResult<Json<LookBody>> {
    let look = accept::look(&state, ip, &input.token).await?;
    Ok(Json(LookBody {
        organisation: look.organisation,
        email: look.invitation.email,
        roles: look.invitation.roles.iter().map(|role| role.as_str()).collect(),
        invited_by: look.invitation.invited_by.map(|(_, name)| name),
        expires_at: look.invitation.expires_at.into(),
        has_account: look.has_account,
    }))
}

/// An invitation to accept. Name and password are for people without an account. What somebody becomes stands in the
/// invitation, so nothing here says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationAcceptance)]
pub(super) struct AcceptInput {
    /// What follows the hash sign of the link.
    #[schema(value_type = String)]
    token: Secret,
    /// Full name.
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
    /// Password to sign in with.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 128)]
    password: Option<Secret>,
    /// The same password again.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 128)]
    password_confirmation: Option<Secret>,
}

/// How an acceptance ended, unless it signed somebody in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[schema(as = InvitationAccepted)]
pub(super) enum AcceptedBody {
    /// The signed-in account is a member now; the session can go to the organisation.
    Joined {
        /// Where.
        organisation_id: Uuid,
    },
    /// The account was made; its address must be verified before its owner can sign in.
    VerifyEmail,
}

/// Accepts an invitation: for the account that is signed in, otherwise with a new account, which is signed in then.
#[utoipa::path(
    post, path = "/invitations/accept", tag = "people", operation_id = "accept_invitation",
    request_body = AcceptInput,
    responses(
        (status = 200, body = AcceptedBody, description = "or the answer to a sign-in, with its cookies"),
        (status = 403, body = ProblemBody, description = "invitation_for_another_address, email_not_verified, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "sign_in_first, wrong_state, limit_reached"),
        (status = 422, body = ProblemBody, description = "on token: invalid_token; unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn accept_invitation(
    State(state): State<AppState>,
    Extension(passwords): Extension<Passwords>,
    ClientIp(ip): ClientIp,
    actor: Option<Extension<Actor>>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<AcceptInput>,
) -> ApiResult<Response> {
    if let Some(Extension(actor)) = actor {
        let organisation_id = accept::accept_signed_in(&state, &actor, ip, &input.token).await?;
        return Ok(Json(AcceptedBody::Joined { organisation_id }).into_response());
    }
    let required = |path| Problem::invalid_field(path, "required", "is missing");
    let new = NewAccount {
        name: input.name.unwrap_or_default(),
        password: input.password.ok_or_else(|| required("password"))?,
        password_confirmation: input
            .password_confirmation
            .ok_or_else(|| required("password_confirmation"))?,
    };
    let joined = accept::accept_new(&state, &passwords, ip, &input.token, &new).await?;
    if !joined.may_sign_in {
        return Ok(Json(AcceptedBody::VerifyEmail).into_response());
    }
    let first = FirstFactor {
        user_id: joined.user_id,
        org_id: joined.org_id,
        method: SignInMethod::Password,
        second_factor_asserted: false,
        ip,
        user_agent: user_agent(&headers),
        replaces: None,
    };
    let outcome = sign_in::complete(&state, first).await?;
    Ok(sign_in::answer(&state, outcome).await?)
}
