//! Confirming that it is still the same person: another round trip to their provider (auth 17).

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_identity::passwords::Secret;
use ctops_identity::reauthentication::{Reauthenticate, Way};
use ctops_slice::{Actor, AppState, SignInMethod};

use super::model::Kind;
use super::service;

/// Sends people of one kind of provider on another round trip, with their credentials anew.
pub(crate) struct RoundTrip(pub(crate) Kind);

#[async_trait]
impl Reauthenticate for RoundTrip {
    fn method(&self) -> SignInMethod {
        match self.0 {
            Kind::Oidc => SignInMethod::Oidc,
            Kind::Saml => SignInMethod::Saml,
        }
    }

    async fn way(&self, state: &AppState, actor: &Actor) -> Result<Option<Way>, Problem> {
        let kind = self.0.as_str();
        let provider = service::last_used(state, self.0, actor).await?;
        Ok(provider.map(|id| Way::Redirect(format!("/api/v1/auth/{kind}/{id}/start?confirm=true"))))
    }

    async fn check(&self, _: &AppState, _: &Actor, _: &Secret) -> Result<bool, Problem> {
        Ok(false)
    }
}
