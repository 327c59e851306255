//! Routes of feature flags.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::service::{self, View};

/// Flags.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeatureFlagList)]
pub(super) struct FlagsBody {
    /// Declared flags.
    items: Vec<FlagBody>,
    /// Stored flags that this release does not declare: they are off.
    unknown: Vec<String>,
}

/// One flag.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeatureFlag)]
pub(super) struct FlagBody {
    /// Name.
    key: &'static str,
    /// Whether it is on.
    value: bool,
    /// Whether it is on where nobody turned it.
    default: bool,
    /// Whether administrators may turn it.
    configurable: bool,
    /// What it switches.
    about: &'static str,
    /// Slice that reads it.
    owner: &'static str,
    /// When it is to go.
    removal: Option<&'static str>,
    /// When it was turned.
    turned_at: Option<Timestamp>,
    /// Who turned it.
    turned_by: Option<String>,
}

impl From<View> for FlagsBody {
    fn from(view: View) -> Self {
        let flag =
            |(flag, turned): (&'static ctops_slice::flags::Flag, Option<super::store::Turned>)| FlagBody {
                key: flag.key,
                value: turned.as_ref().map_or(flag.default, |turned| turned.value),
                default: flag.default,
                configurable: flag.configurable,
                about: flag.about,
                owner: flag.owner,
                removal: flag.removal,
                turned_at: turned.as_ref().map(|turned| turned.updated_at.into()),
                turned_by: turned.and_then(|turned| turned.updated_by_name),
            };
        Self { items: view.flags.into_iter().map(flag).collect(), unknown: view.unknown }
    }
}

/// Shows flags.
#[utoipa::path(get, path = "/feature-flags", tag = "settings", responses((status = 200, body = FlagsBody)))]
pub(super) async fn list_feature_flags(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<FlagsBody>> {
    Ok(Json(service::list(&state, &actor).await?.into()))
}

/// Turns flags; `null` takes one back to its default.
#[utoipa::path(patch, path = "/feature-flags", tag = "settings",
    request_body = std::collections::HashMap<String, Option<bool>>, responses(
    (status = 200, body = FlagsBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn turn_feature_flags(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(wanted): JsonBody<BTreeMap<String, Option<bool>>>,
) -> ApiResult<Json<FlagsBody>> {
    Ok(Json(service::turn(&state, &actor, &wanted).await?.into()))
}
