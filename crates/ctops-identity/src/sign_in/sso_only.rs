//! The switch "identity providers only", and the one account that it leaves alone (auth 35).

use ctops_base::Problem;
use ctops_slice::AppState;
use ctops_slice::licence::Feature;
use ctops_slice::settings::{self, AuthenticationSettings};

use super::model::Account;
use super::store;

/// Whether the switch keeps an account from signing in with its password. It does not while no identity provider could
/// take its place, and never for the super_admin who has a password and joined first: nobody is locked out of their own
/// installation by a provider that fails or a licence that ends.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(super) async fn keeps_out(state: &AppState, account: &Account) -> Result<bool, Problem> {
    let settings = settings::read::<AuthenticationSettings>(&state.pool, account.org_id).await?;
    if !settings.sso_only {
        return Ok(false);
    }
    let kinds =
        store::enabled_provider_kinds(&state.pool, account.org_id).await.map_err(Problem::internal)?;
    let entitlement = state.entitlements.of(account.org_id).await?;
    let usable = kinds.iter().any(|kind| match kind.as_str() {
        "saml" => entitlement.has(Feature::SsoSaml),
        _ => entitlement.has(Feature::SsoOidc),
    });
    if !usable {
        return Ok(false);
    }
    let spared = store::emergency_account(&state.pool, account.org_id).await.map_err(Problem::internal)?;
    Ok(spared != Some(account.user_id))
}
