//! Outcomes of a sign-in as answers: JSON for pages of ours, a redirect after a round trip through other sites.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_base::Problem;
use ctops_slice::state::Installation;
use ctops_slice::{AppState, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::complete::{PendingSignIn, SignInOutcome};
use crate::sessions::{MeBody, StartedSession, cookie_named, me_after, session_cookie};

/// Longest local path that a sign-in leads to, characters (auth 7).
const MAX_PATH_CHARS: usize = 256;
/// Where a sign-in leads when nothing else was asked for.
const START: &str = "/";

/// How a sign-in went on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SignInBody {
    /// Signed in; the session cookie is set.
    SignedIn {
        /// Who is signed in.
        me: Box<MeBody>,
    },
    /// A second factor is waited for; a cookie names the sign-in.
    SecondFactor {
        /// `totp`, `passkey`, `recovery_code`: those the person has.
        methods: Vec<&'static str>,
        /// When the sign-in has to begin anew.
        expires_at: Timestamp,
    },
}

/// Name of the cookie of a sign-in that waits for its second factor.
fn pending_cookie_name(installation: &Installation) -> &'static str {
    if installation.is_https() { "__Host-ctops_sign_in" } else { "ctops_sign_in" }
}

/// The token of a sign-in that waits for its second factor, if the browser has one.
pub(crate) fn pending_token<'a>(headers: &'a HeaderMap, installation: &Installation) -> Option<&'a str> {
    ctops_slice::guard::cookie(headers, pending_cookie_name(installation))
}

/// Answers a page of ours.
///
/// # Errors
/// `internal` when the database fails.
pub async fn answer(state: &AppState, outcome: SignInOutcome) -> Result<Response, Problem> {
    let cookies = cookies_of(state, &outcome)?;
    let body = match outcome {
        SignInOutcome::Started(started) => {
            SignInBody::SignedIn { me: Box::new(me_after(state, &started).await?) }
        }
        SignInOutcome::SecondFactor(PendingSignIn { methods, expires_at, .. }) => {
            SignInBody::SecondFactor { methods, expires_at: expires_at.into() }
        }
    };
    Ok((StatusCode::OK, cookies, Json(body)).into_response())
}

/// Leads the browser on after a round trip through an identity provider: to `path` when it is local, and before that to
/// the second step if one is needed.
///
/// # Errors
/// `internal`, never in practice.
pub fn redirect_answer(state: &AppState, outcome: &SignInOutcome, path: &str) -> Result<Response, Problem> {
    let mut headers = cookies_of(state, outcome)?;
    let path = if is_local_path(path) { path } else { START };
    let target = match outcome {
        SignInOutcome::Started(_) => path.to_owned(),
        SignInOutcome::SecondFactor(_) => {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("step", "second_factor").append_pair("redirect", path);
            format!("/login?{}", query.finish())
        }
    };
    headers.insert(header::LOCATION, HeaderValue::from_str(&target).map_err(Problem::internal)?);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

fn cookies_of(state: &AppState, outcome: &SignInOutcome) -> Result<HeaderMap, Problem> {
    let (installation, now) = (&state.installation, state.clock.now());
    let pending = pending_cookie_name(installation);
    let mut headers = HeaderMap::new();
    match outcome {
        SignInOutcome::Started(StartedSession { token, expires_at, .. }) => {
            headers.append(header::SET_COOKIE, session_cookie(installation, token, now, *expires_at)?);
            headers.append(header::SET_COOKIE, cookie_named(installation, pending, "", 0)?);
        }
        SignInOutcome::SecondFactor(PendingSignIn { token, expires_at, .. }) => {
            let seconds = (*expires_at - now).num_seconds().max(0);
            headers.append(header::SET_COOKIE, cookie_named(installation, pending, token, seconds)?);
        }
    }
    Ok(headers)
}

/// Whether a browser stays with us when it goes to `path`: one slash, no second, no backslash that browsers read as
/// one, nothing that splits headers (auth 7).
pub fn is_local_path(path: &str) -> bool {
    path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.chars().count() <= MAX_PATH_CHARS
        && path.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: auth 7
    #[test]
    fn only_paths_of_ours_are_followed() {
        let longest = format!("/{}", "a".repeat(255));
        for local in ["/", "/hosts?status=offline&q=%20", "/a/b#c", &longest] {
            assert!(is_local_path(local), "{local}");
        }
        let too_long = format!("/{}", "a".repeat(256));
        for foreign in [
            "",
            "hosts",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: a=b",
            "/a b",
            "/\u{2028}",
            &too_long,
        ] {
            assert!(!is_local_path(foreign), "{foreign:?}");
        }
    }
}
