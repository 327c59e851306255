//! Confirming with the password of the directory that it is still the same person (auth 17).

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_identity::passwords::Secret;
use ctops_identity::reauthentication::{Reauthenticate, Way};
use ctops_slice::{Actor, AppState, SignInMethod};

use super::model::{Known, known_as, subject_of};
use crate::connection::{Query, Scope};
use crate::directories::{Directories, Unreached};
use crate::ldap_configurations::{self as configurations, Directory};

/// Signs people in to their directory once more.
pub(crate) struct ByBind(pub(crate) Directories);

#[async_trait]
impl Reauthenticate for ByBind {
    fn method(&self) -> SignInMethod {
        SignInMethod::Ldap
    }

    async fn way(&self, state: &AppState, actor: &Actor) -> Result<Option<Way>, Problem> {
        let linked = configurations::links_of(state, actor).await?;
        Ok((!linked.is_empty()).then_some(Way::Password))
    }

    async fn check(&self, state: &AppState, actor: &Actor, password: &Secret) -> Result<bool, Problem> {
        let Some((id, subject)) = configurations::links_of(state, actor).await?.into_iter().next() else {
            return Ok(false);
        };
        let Some(found) = configurations::find_for_sign_in(state, id).await? else {
            return Ok(false);
        };
        let directory = configurations::open(&state.seal, &found)?;
        let bound = self.bind(state, &directory, &subject, password).await;
        bound.map_err(|unreached| unreached.problem(false))
    }
}

impl ByBind {
    async fn bind(
        &self,
        state: &AppState,
        directory: &Directory,
        subject: &str,
        password: &Secret,
    ) -> Result<bool, Unreached> {
        let settings = &directory.settings;
        let Some(known) = known_as(settings, subject) else {
            return Ok(false);
        };
        if password.reveal().is_empty() {
            return Ok(false);
        }
        let (base, scope, filter) = match &known {
            Known::Filter(filter) => (settings.people(), Scope::Subtree, filter.as_str()),
            Known::Dn(dn) => (dn.as_str(), Scope::Base, "(objectClass=*)"),
        };
        let attributes = &["objectGUID", "entryUUID"];
        let query = Query { base, scope, filter, attributes, limit: 2, paged: false };
        let mut session = self.0.enter(&state.egress, directory).await?;
        let entries = session.connection.search(query).await?.entries;
        let [entry] = entries.as_slice() else {
            return Ok(false);
        };
        if subject_of(settings, entry).as_deref() != Some(subject) {
            return Ok(false);
        }
        Ok(session.connection.bind(&entry.dn, password.reveal()).await?.is_ok())
    }
}
