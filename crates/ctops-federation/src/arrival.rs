//! What happens when an identity provider has said who somebody is, whichever protocol it spoke.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_identity::external::{ExternalIdentity, ProviderKind, Resolved, resolve};
use ctops_identity::sign_in::{FirstFactor, complete_as_of, redirect_answer};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::throttle::Rate;
use ctops_slice::{Actor, AppState, SignInMethod};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::attempts::{Attempt, clearing_cookie};
use crate::identity_providers::{Kind, Provider};

/// Answers of providers per client address; shared with every other way to present credentials (auth 22).
pub(crate) const CREDENTIALS: Rate =
    Rate { scope: "credential_post", limit: 10, window: std::time::Duration::from_secs(60) };
/// Journeys begun per client address.
pub(crate) const JOURNEYS: Rate =
    Rate { scope: "sso_start", limit: 30, window: std::time::Duration::from_secs(60) };

/// Somebody as their provider describes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// What the provider calls them for ever.
    pub(crate) subject: String,
    /// Their address, as the provider wrote it.
    pub(crate) email: Option<String>,
    /// The provider says that it verified the address.
    pub(crate) email_verified: bool,
    /// Full name.
    pub(crate) name: String,
    /// Groups.
    pub(crate) groups: Vec<String>,
    /// The provider asserts a second factor.
    pub(crate) second_factor: bool,
    /// When they gave the provider their credentials, if it says so.
    #[serde(default)]
    pub(crate) authenticated_at: Option<DateTime<Utc>>,
}

/// The browser that came back.
pub(crate) struct Browser {
    pub(crate) ip: IpAddr,
    pub(crate) user_agent: String,
    pub(crate) actor: Option<Actor>,
}

impl Browser {
    pub(crate) fn new(ip: IpAddr, headers: &HeaderMap, actor: Option<Actor>) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self { ip, user_agent: agent.unwrap_or_default().to_owned(), actor }
    }
}

/// Signs the person in, or says what stands in the way. Every outcome is in the audit trail.
///
/// # Errors
/// `sso_refused` and others, for the page; `internal` when the database fails.
pub(crate) async fn sign_in(
    state: &AppState,
    provider: &Provider,
    attempt: &Attempt,
    person: &Person,
    browser: Browser,
) -> Result<Response, Problem> {
    let kind = provider.protocol.kind();
    let email_trusted = person.email.is_some() && (person.email_verified || provider.trust_email);
    let email = person.email.as_deref();
    if !provider.admits(email, email_trusted) {
        return Err(refuse(state, provider, person, &browser, "domain_not_allowed").await?);
    }
    let identity = ExternalIdentity {
        provider: match kind {
            Kind::Oidc => ProviderKind::Oidc,
            Kind::Saml => ProviderKind::Saml,
        },
        provider_id: provider.id,
        org_id: provider.org_id,
        subject: &person.subject,
        email,
        email_trusted,
        name: &person.name,
        roles: provider.roles_of(person.groups.iter().map(String::as_str)),
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let resolved = resolve(&mut tx, &identity, state.clock.now()).await?;
    tx.commit().await.map_err(Problem::internal)?;
    let (user_id, org_id) = match resolved {
        Resolved::Account { user_id, org_id } => (user_id, org_id),
        Resolved::ConfirmFirst { token, .. } => return confirm_first(state, &token),
        Resolved::Refused { reason } => return Err(refuse(state, provider, person, &browser, reason).await?),
    };
    if attempt.confirm_user_id.is_some_and(|expected| expected != user_id) {
        return Err(refuse(state, provider, person, &browser, "another account").await?);
    }
    let first = FirstFactor {
        user_id,
        org_id,
        method: match kind {
            Kind::Oidc => SignInMethod::Oidc,
            Kind::Saml => SignInMethod::Saml,
        },
        second_factor_asserted: person.second_factor,
        ip: browser.ip,
        user_agent: browser.user_agent,
        replaces: browser.actor,
    };
    // What confirms was checked to be fresh; everything else counts from when the provider saw credentials.
    let stated = person.authenticated_at.filter(|_| attempt.confirm_user_id.is_none());
    let given_at = stated.unwrap_or_else(|| state.clock.now());
    let outcome = complete_as_of(state, first, given_at).await?;
    let mut response = redirect_answer(state, &outcome, &attempt.return_to)?;
    response.headers_mut().append(header::SET_COOKIE, clearing_cookie(&state.installation)?);
    Ok(response)
}

/// An account has the address already: its owner signs in their own way and confirms. The token is behind the `#`, so it
/// reaches no log of a server or proxy.
fn confirm_first(state: &AppState, token: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(&format!("/link-account#{token}")).map_err(Problem::internal)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, location);
    headers.append(header::SET_COOKIE, clearing_cookie(&state.installation)?);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// Writes the refusal down and makes it a problem that tells the person nothing about accounts.
async fn refuse(
    state: &AppState,
    provider: &Provider,
    person: &Person,
    browser: &Browser,
    reason: &str,
) -> Result<Problem, Problem> {
    let summary =
        format!("{} was refused through identity provider {}: {reason}", person.subject, provider.name);
    record_failure(state, provider, browser.ip, "sso_refused", &summary).await?;
    let detail = "your identity provider signed you in, but you may not come in here; ask your administrator";
    Ok(Problem::new(ProblemKind::Forbidden, "sso_refused", detail))
}

/// Writes a failed sign-in down.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn record_failure(
    state: &AppState,
    provider: &Provider,
    ip: IpAddr,
    code: &'static str,
    summary: &str,
) -> Result<(), Problem> {
    let event =
        AuditEvent::by(By::Anonymous, Some(provider.org_id), "auth.login.failed", "identity_provider")
            .on(provider.id)
            .labelled(&provider.name)
            .summary(ctops_base::text::clean(summary, 500))
            .failed(code)
            .from_ip(ip);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Answers a browser whose journey failed: the status and code of the problem in a page that leads on to the sign-in
/// page, which explains it. Programs that do not ask for a page get the problem itself.
pub(crate) fn failed_journey(headers: &HeaderMap, problem: Problem) -> Result<Response, Problem> {
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"));
    if !wants_page {
        return Err(problem);
    }
    let status = match problem.kind() {
        ProblemKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ProblemKind::Forbidden => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // Others carry headers or a cause that the ordinary way takes care of.
        _ => return Err(problem),
    };
    tracing::debug!(
        code = problem.code(),
        cause = problem.cause_chain().unwrap_or_default(),
        "sign-in failed"
    );
    let target = Serializer::new(String::new()).append_pair("sso_error", problem.code()).finish();
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign-in failed</title>\
         <meta http-equiv=\"refresh\" content=\"0;url=/login?{target}\"></head>\
         <body><p>Sign-in failed. <a href=\"/login?{target}\">Back to the sign-in page</a></p></body></html>"
    );
    Ok((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// A problem at the identity provider, for the page; the cause goes to the log.
pub(crate) fn provider_failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    let detail = "the identity provider gave no usable answer; try again, or ask your administrator";
    Problem::new(ProblemKind::Unauthenticated, "sso_failed", detail).caused_by(cause)
}

/// Whether a query or path asks for the confirmation of a running sign-in, and whose.
///
/// # Errors
/// `unauthenticated` when nobody is signed in.
pub(crate) fn whom_to_confirm(confirm: bool, actor: Option<Actor>) -> Result<Option<Actor>, Problem> {
    match (confirm, actor) {
        (false, _) => Ok(None),
        (true, Some(actor)) => Ok(Some(actor)),
        (true, None) => Err(Problem::unauthenticated()),
    }
}

/// The address of one of our own routes.
pub(crate) fn own_url(public_url: &str, protocol: &str, provider_id: Uuid, step: &str) -> String {
    format!("{}/api/v1/auth/{protocol}/{provider_id}/{step}", public_url.trim_end_matches('/'))
}
