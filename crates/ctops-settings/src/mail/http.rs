//! Routes of mail.

use axum::http::StatusCode;
use axum::{Extension, Json};
use ctops_slice::http::ProblemBody;
use ctops_slice::settings::Document;
use ctops_slice::{Actor, ApiResult, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::service::{self, PendingMail, TestReport, TestWish};
use crate::Deps;

/// What to test.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SmtpTestInput)]
pub(super) struct TestInput {
    /// Who gets the mail.
    recipient: String,
    /// Keys of the page that are not saved yet.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    settings: Document,
    /// A password that is not saved yet. The saved one is used only with the saved host and port.
    password: Option<String>,
}

/// What a test found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmtpTest)]
pub(super) struct TestBody {
    /// Whether the relay took the mail.
    succeeded: bool,
    /// Steps in their order; the last one failed when the test did not succeed.
    steps: Vec<StepBody>,
    /// Host that needs an entry among the internal targets.
    needs_target: Option<String>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmtpTestStep)]
pub(super) struct StepBody {
    /// `resolve`, `connect`, `tls`, `auth` or `accepted`.
    step: &'static str,
    /// Whether it worked.
    ok: bool,
    /// What was seen.
    detail: String,
}

impl From<TestReport> for TestBody {
    fn from(report: TestReport) -> Self {
        let step =
            |step: super::smtp::Step| StepBody { step: step.name.as_str(), ok: true, detail: step.detail };
        let needs_target = report.failure.as_ref().is_some_and(|failure| failure.needs_target);
        let failed = report.failure.map(|failure| StepBody {
            step: failure.step.as_str(),
            ok: false,
            detail: failure.detail,
        });
        Self {
            succeeded: failed.is_none(),
            steps: report.steps.into_iter().map(step).chain(failed).collect(),
            needs_target: needs_target.then_some(report.host),
        }
    }
}

/// Sends a test mail through the relay and says how far it came.
#[utoipa::path(post, path = "/settings/smtp-relay/test", tag = "settings", request_body = TestInput, responses(
    (status = 200, body = TestBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn test_smtp_relay(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    JsonBody(input): JsonBody<TestInput>,
) -> ApiResult<Json<TestBody>> {
    let wish = TestWish { recipient: input.recipient, changes: input.settings, password: input.password };
    Ok(Json(service::test(&deps, &actor, wish).await?.into()))
}

/// Mail that waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingMailList)]
pub(super) struct PendingListBody {
    /// Newest first, at most 200.
    items: Vec<PendingBody>,
}

/// One mail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingMail)]
pub(super) struct PendingBody {
    id: Uuid,
    /// What it is for.
    kind: String,
    /// Recipient.
    to: String,
    /// Subject line.
    subject: String,
    /// `queued`: will be tried again. `refused`: no relay takes it.
    state: String,
    /// Attempts made.
    attempts: i32,
    /// What the last attempt said.
    last_error: Option<String>,
    /// Whether it has a link that this person may ask for.
    has_link: bool,
    /// When it was written.
    created_at: Timestamp,
    /// When it is given up.
    expires_at: Timestamp,
}

impl From<PendingMail> for PendingBody {
    fn from(mail: PendingMail) -> Self {
        Self {
            id: mail.row.id,
            kind: mail.row.kind,
            has_link: mail.may_reveal && mail.letter.link.is_some(),
            to: mail.letter.to,
            subject: mail.letter.subject,
            state: mail.row.state,
            attempts: mail.row.attempts,
            last_error: mail.row.last_error,
            created_at: mail.row.created_at.into(),
            expires_at: mail.row.expires_at.into(),
        }
    }
}

/// Lists mail that no relay took yet.
#[utoipa::path(get, path = "/mail/pending", tag = "settings", responses((status = 200, body = PendingListBody)))]
pub(super) async fn list_pending_mail(
    Extension(deps): Extension<Deps>,
    actor: Actor,
) -> ApiResult<Json<PendingListBody>> {
    let items = service::pending(&deps, &actor).await?.into_iter().map(PendingBody::from).collect();
    Ok(Json(PendingListBody { items }))
}

/// A link to hand over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MailLink)]
pub(super) struct LinkBody {
    /// Null when the mail has none.
    link: Option<String>,
}

/// Shows the link of a mail that waits, to hand it over by other means. Links for super_admins are shown to
/// super_admins only.
#[utoipa::path(post, path = "/mail/pending/{id}/reveal", tag = "settings",
    params(("id" = Uuid, Path, description = "The mail")), responses(
    (status = 200, body = LinkBody),
    (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn reveal_mail_link(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<LinkBody>> {
    Ok(Json(LinkBody { link: service::reveal(&deps, &actor, id).await? }))
}

/// Throws a mail away that waits.
#[utoipa::path(delete, path = "/mail/pending/{id}", tag = "settings",
    params(("id" = Uuid, Path, description = "The mail")), responses(
    (status = 204),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn discard_mail(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::discard(&deps, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
