//! Routes of preferences.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};

use super::model::{Preferences, PreferencesPatch};
use super::store;

/// Seconds the cookie with the theme lives: one year (settings 9).
const THEME_COOKIE_SECONDS: u32 = 365 * 24 * 3600;

/// Shows what the caller chose for themselves.
#[utoipa::path(get, path = "/me/preferences", tag = "me", responses((status = 200, body = Preferences)))]
pub(super) async fn get_preferences(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<Preferences>> {
    let stored = store::find(&state.pool, actor.user_id).await.map_err(Problem::internal)?;
    Ok(Json(stored.map(Preferences::read).unwrap_or_default()))
}

/// Changes what the caller chose; what is absent stays.
#[utoipa::path(patch, path = "/me/preferences", tag = "me", request_body = PreferencesPatch, responses(
    (status = 200, body = Preferences),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn update_preferences(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(patch): JsonBody<PreferencesPatch>,
) -> ApiResult<impl IntoResponse> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let stored = store::find(&mut *tx, actor.user_id).await.map_err(Problem::internal)?;
    let chosen = stored.map(Preferences::read).unwrap_or_default().with(patch)?;
    let document = serde_json::to_value(&chosen).map_err(Problem::internal)?;
    store::save(&mut *tx, actor.user_id, &document, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    // The page reads the theme before it is drawn, so scripts may read the cookie.
    let secure = if state.installation.is_https() { "; Secure" } else { "" };
    let theme = chosen.theme.as_str();
    let cookie = format!("ctops_theme={theme}; Path=/; Max-Age={THEME_COOKIE_SECONDS}; SameSite=Lax{secure}");
    let cookie = HeaderValue::try_from(cookie).map_err(Problem::internal)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(chosen)))
}
