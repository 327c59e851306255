//! The route: `POST /admin/hosts/bulk-delete`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::{Deleted, delete_hosts};
use super::{AdminKey, Deps};

/// Calls per minute and address.
const CALLS: Rate = Rate { scope: "admin.bulk_delete", limit: 10, window: Duration::from_secs(60) };
/// Header of the original product, besides `Authorization: Bearer`.
const KEY_HEADER: &str = "x-loadtest-admin-key";

/// Which hosts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkDelete {
    /// Start of the host names: 1 to 200 characters, beginning with `loadtest-`. `%` and `_` mean themselves.
    #[serde(alias = "hostnamePrefix")]
    hostname_prefix: String,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkDeleted {
    /// Hosts deleted.
    deleted: u64,
    /// Names of hosts that could not be deleted.
    failed: Vec<String>,
}

/// Deletes simulated hosts with everything that belongs to them. The key is `CT_OPS_LOADTEST_ADMIN_KEY`.
#[utoipa::path(post, path = "/admin/hosts/bulk-delete", tag = "hosts", request_body = BulkDelete,
    responses((status = 200, body = BulkDeleted), (status = 401, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(super) async fn bulk_delete_hosts(
    State(state): State<AppState>,
    Extension(deps): Extension<Arc<Deps>>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    JsonBody(input): JsonBody<BulkDelete>,
) -> ApiResult<Json<BulkDeleted>> {
    admit(&state, &deps, ip, &headers).await?;
    let Deleted { deleted, failed } = delete_hosts(&deps.agents, &input.hostname_prefix, Some(ip)).await?;
    Ok(Json(BulkDeleted { deleted, failed }))
}

async fn admit(state: &AppState, deps: &Deps, ip: IpAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(key) = &deps.key else {
        let detail = "bulk deletion is off because CT_OPS_LOADTEST_ADMIN_KEY is not set on the server";
        return Err(Problem::new(ProblemKind::Unavailable, "not_configured", detail));
    };
    throttle::hit(&state.pool, &CALLS, &ip.to_string(), state.clock.now()).await?;
    if is_shown(key, headers) { Ok(()) } else { Err(Problem::unauthenticated()) }
}

fn is_shown(key: &AdminKey, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    bearer.or_else(|| text(KEY_HEADER)).is_some_and(|given| key.is(given))
}
