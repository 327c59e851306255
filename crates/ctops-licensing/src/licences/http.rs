//! Routes of licences.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, Entitlements, Feature, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entitlements::Licensing;
use super::model::{Banner, Snapshot, bought_tier};
use super::revocation::Fetcher;
use super::store::{BundleRow, HistoryRow};
use super::{LICENCE_MANAGE, service, store};

/// Largest body, bytes.
pub(super) const MAX_BODY: usize = 16 * 1024;

/// What the organisation may use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Features)]
pub(super) struct FeaturesBody {
    /// `community`, `pro` or `enterprise`.
    tier: &'static str,
    /// Every feature key and whether it is open.
    features: BTreeMap<&'static str, bool>,
    /// The cheapest tier of every feature key.
    required_tiers: BTreeMap<&'static str, &'static str>,
}

/// The licence of the organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Licence)]
pub(super) struct LicenceBody {
    /// `none`, `active`, `not_yet_valid`, `expired`, `revoked`, `clock_rollback` or `invalid`.
    status: &'static str,
    /// Effective tier: `community` unless the key is in force.
    tier: &'static str,
    /// Effective features.
    features: Vec<&'static str>,
    /// Names in the key that this version does not know.
    unrecognised_features: Vec<String>,
    /// Most hosts; null is no cap.
    max_hosts: Option<u64>,
    /// Hosts that take a seat.
    used_seats: u64,
    /// The key, in force or not.
    key: Option<KeyBody>,
    /// What to tell administrators on every page.
    banner: Option<BannerBody>,
    /// The list of revoked keys.
    revocations: RevocationsBody,
    /// Whether keys can be activated at all.
    can_activate: bool,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceKey)]
pub(super) struct KeyBody {
    /// Id of the key.
    jti: String,
    /// Tier of the key.
    tier: &'static str,
    /// Customer.
    customer_name: String,
    /// Technical contact.
    customer_email: String,
    /// Most hosts.
    max_hosts: Option<u64>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    /// SHA-256 of the public key it is verified with.
    verifier_fingerprint: String,
}

/// A notice for administrators.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceBanner)]
pub(super) struct BannerBody {
    /// As in the licence.
    status: &'static str,
    /// Who dismissed one stage sees the next: `30`, `14`, `7`, `1`, or a status.
    stage: String,
    /// Days until the end.
    days_left: Option<i64>,
}

/// The list of revoked keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceRevocations)]
pub(super) struct RevocationsBody {
    /// Whether this installation fetches it.
    enabled: bool,
    /// Last good fetch.
    fetched_at: Option<Timestamp>,
    /// When that list is over.
    expires_at: Option<Timestamp>,
    /// What was wrong with the last fetch.
    last_error: Option<String>,
}

/// An activation token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActivationToken)]
pub(super) struct TokenBody {
    /// To be sent to the issuer. Not secret.
    token: String,
    /// The issuer takes it until then.
    expires_at: Timestamp,
}

/// A key to activate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ActivateLicence)]
pub(super) struct ActivateInput {
    /// As pasted; white space is ignored.
    key: String,
}

/// A list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceHistory)]
pub(super) struct HistoryBody {
    /// Newest first, at most 100.
    items: Vec<HistoryItem>,
}

/// A key that was activated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceHistoryItem)]
pub(super) struct HistoryItem {
    id: Uuid,
    /// Id of the key.
    jti: String,
    tier: String,
    features: Vec<String>,
    max_hosts: Option<i64>,
    customer_name: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    activated_by: Option<PersonBody>,
    activated_at: Timestamp,
    /// Null for the current key.
    replaced_at: Option<Timestamp>,
}

/// Somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicencePerson)]
pub(super) struct PersonBody {
    id: Uuid,
    name: String,
}

fn stamp(second: i64) -> Timestamp {
    DateTime::from_timestamp(second, 0).unwrap_or_default().into()
}

impl LicenceBody {
    fn new(
        snapshot: &Snapshot,
        used_seats: u64,
        (bundle, enabled): (Option<BundleRow>, bool),
        can_activate: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let entitlement = snapshot.entitlement(now);
        let bundle = bundle.unwrap_or_default();
        let current = snapshot.current();
        let unknown = current.map(|current| current.licence.unrecognised()).unwrap_or_default();
        Self {
            status: snapshot.status(now).code(),
            tier: entitlement.tier.as_str(),
            features: entitlement.features.iter().map(|feature| feature.key()).collect(),
            unrecognised_features: unknown.into_iter().map(str::to_owned).collect(),
            max_hosts: entitlement.max_hosts,
            used_seats,
            key: current.map(|current| KeyBody {
                jti: current.licence.jti.clone(),
                tier: bought_tier(snapshot).unwrap_or_default().as_str(),
                customer_name: current.licence.customer.name.clone(),
                customer_email: current.licence.customer.email.clone(),
                max_hosts: current.licence.max_hosts,
                issued_at: stamp(current.licence.issued_at),
                expires_at: stamp(current.licence.expires_at),
                verifier_fingerprint: current.fingerprint.clone(),
            }),
            banner: snapshot.banner(now).map(BannerBody::from),
            revocations: RevocationsBody {
                enabled,
                fetched_at: bundle.fetched_at.map(Timestamp),
                expires_at: bundle.expires_at.map(Timestamp),
                last_error: bundle.last_error,
            },
            can_activate,
        }
    }
}

impl From<Banner> for BannerBody {
    fn from(banner: Banner) -> Self {
        Self { status: banner.status.code(), stage: banner.stage, days_left: banner.days_left }
    }
}

impl From<HistoryRow> for HistoryItem {
    fn from(row: HistoryRow) -> Self {
        let person = row.activated_by.zip(row.activated_by_name);
        Self {
            id: row.id,
            jti: row.jti,
            tier: row.tier,
            features: row.features,
            max_hosts: row.max_hosts,
            customer_name: row.customer_name,
            issued_at: row.issued_at.into(),
            expires_at: row.expires_at.into(),
            activated_by: person.map(|(id, name)| PersonBody { id, name }),
            activated_at: row.activated_at.into(),
            replaced_at: row.replaced_at.map(Timestamp),
        }
    }
}

async fn body(
    state: &AppState,
    licensing: &Licensing,
    fetcher: &Fetcher,
    actor: &Actor,
) -> Result<Json<LicenceBody>, Problem> {
    let (snapshot, used) = service::find(state, licensing, actor).await?;
    let bundle = store::bundle(&state.pool).await.map_err(Problem::internal)?;
    let can_activate = licensing.trust().activation().is_some();
    let bundle = (bundle, fetcher.url.is_some());
    Ok(Json(LicenceBody::new(&snapshot, used, bundle, can_activate, state.clock.now())))
}

/// Which tier and features the organisation has.
#[utoipa::path(get, path = "/features", tag = "licence", responses((status = 200, body = FeaturesBody)))]
pub(super) async fn list_features(
    Extension(licensing): Extension<Licensing>,
    actor: Actor,
) -> ApiResult<Json<FeaturesBody>> {
    let entitlement = licensing.of(actor.org_id).await?;
    Ok(Json(FeaturesBody {
        tier: entitlement.tier.as_str(),
        features: Feature::ALL.iter().map(|feature| (feature.key(), entitlement.has(*feature))).collect(),
        required_tiers: Feature::ALL
            .iter()
            .map(|feature| (feature.key(), feature.lowest_tier().as_str()))
            .collect(),
    }))
}

/// Shows the licence.
#[utoipa::path(get, path = "/licence", tag = "licence", responses((status = 200, body = LicenceBody)))]
pub(super) async fn get_licence(
    State(state): State<AppState>,
    Extension(licensing): Extension<Licensing>,
    Extension(fetcher): Extension<Fetcher>,
    actor: Actor,
) -> ApiResult<Json<LicenceBody>> {
    Ok(body(&state, &licensing, &fetcher, &actor).await?)
}

/// Activates a licence key in place of the present one.
#[utoipa::path(put, path = "/licence", tag = "licence", request_body = ActivateInput, responses(
    (status = 200, body = LicenceBody),
    (status = 413, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The key is refused; the code says why.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn activate_licence(
    State(state): State<AppState>,
    Extension(licensing): Extension<Licensing>,
    Extension(fetcher): Extension<Fetcher>,
    actor: Actor,
    JsonBody(input): JsonBody<ActivateInput>,
) -> ApiResult<Json<LicenceBody>> {
    service::activate(&state, &licensing, &actor, &input.key).await?;
    Ok(body(&state, &licensing, &fetcher, &actor).await?)
}

/// Removes the licence; the organisation is Community at once.
#[utoipa::path(delete, path = "/licence", tag = "licence", responses(
    (status = 204),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn remove_licence(
    State(state): State<AppState>,
    Extension(licensing): Extension<Licensing>,
    actor: Actor,
) -> ApiResult<StatusCode> {
    service::remove(&state, &licensing, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the keys that were activated.
#[utoipa::path(get, path = "/licence/history", tag = "licence", responses((status = 200, body = HistoryBody)))]
pub(super) async fn list_licence_history(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<HistoryBody>> {
    let rows = service::history(&state, &actor).await?;
    Ok(Json(HistoryBody { items: rows.into_iter().map(HistoryItem::from).collect() }))
}

/// Generates an activation token for the issuer.
#[utoipa::path(post, path = "/licence/activation-tokens", tag = "licence", responses((status = 201, body = TokenBody)))]
pub(super) async fn create_activation_token(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<(StatusCode, Json<TokenBody>)> {
    let token = service::make_token(&state, &actor).await?;
    let expires_at = token.generated_at + ctops_licence::activation::MAX_AGE;
    let body = TokenBody { token: token.encode(), expires_at: expires_at.into() };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Fetches the list of revoked keys now.
#[utoipa::path(post, path = "/licence/revocations/refresh", tag = "licence", responses(
    (status = 200, body = LicenceBody),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn refresh_licence_revocations(
    State(state): State<AppState>,
    Extension(licensing): Extension<Licensing>,
    Extension(fetcher): Extension<Fetcher>,
    actor: Actor,
) -> ApiResult<Json<LicenceBody>> {
    actor.grant(&LICENCE_MANAGE)?;
    if fetcher.url.is_none() {
        let detail = "fetching revoked keys is turned off (LICENCE_REVOCATION_URL)";
        return Err(Problem::new(ProblemKind::Unavailable, "not_configured", detail).into());
    }
    fetcher.fetch(state.clock.now()).await?;
    Ok(body(&state, &licensing, &fetcher, &actor).await?)
}
