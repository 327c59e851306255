//! The switch "identity providers only", and the one account that it leaves alone (auth 35).

use ctops_base::Problem;
use ctops_slice::AppState;
use ctops_slice::settings::{self, AuthenticationSettings};

use uuid::Uuid;

use super::store;
use crate::external::ProviderKind;

/// Whether the switch keeps an account from signing in with its password. It does not while no identity provider could
/// take its place, and never for the super_admin who has a password and joined first: nobody is locked out of their own
/// installation by a provider that fails or a licence that ends.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn keeps_passwords_out(
    state: &AppState,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<bool, Problem> {
    let settings = settings::read::<AuthenticationSettings>(&state.pool, org_id).await?;
    if !settings.sso_only {
        return Ok(false);
    }
    let kinds = store::enabled_provider_kinds(&state.pool, org_id).await.map_err(Problem::internal)?;
    let entitlement = state.entitlements.of(org_id).await?;
    let mut kinds = kinds.iter().filter_map(|kind| ProviderKind::from_name(kind));
    if !kinds.any(|kind| kind.is_open(&entitlement)) {
        return Ok(false);
    }
    let spared = store::emergency_account(&state.pool, org_id).await.map_err(Problem::internal)?;
    Ok(spared != Some(user_id))
}
