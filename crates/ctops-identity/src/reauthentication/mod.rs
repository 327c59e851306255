//! Confirming that it is still the same person who sits there, before something that a stolen session must not do
//! (auth 17).
//!
//! A sign-in counts as confirmation; after five minutes the person is asked again: for the password of a local account,
//! for the password of the directory through a [`Reauthenticate`], for a passkey, or for another round trip to the
//! identity provider, which starts a new session. Owns no table: the moment is written by [`crate::sessions`].
//! Operations that need it call [`Actor::confirmed_within`](ctops_slice::Actor::confirmed_within) with [`STEP_UP`].

mod http;
mod service;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Extension;
use ctops_base::Problem;
use ctops_slice::{Access, Actor, AppState, SignInMethod, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::passwords::{Passwords, Secret};

pub(crate) use service::by_password;
pub use service::{confirmed, session_only};

/// How long a confirmation counts (auth 17).
pub const STEP_UP: Duration = Duration::from_secs(5 * 60);

/// How an account outside this program confirms that it is still the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its password is checked here ([`Reauthenticate::check`]).
    Password,
    /// The browser goes to this local path and comes back signed in anew.
    Redirect(String),
}

/// Accounts that are kept elsewhere: in a directory or at an identity provider.
#[async_trait]
pub trait Reauthenticate: Send + Sync {
    /// Sessions started with this method are confirmed by it.
    fn method(&self) -> SignInMethod;

    /// How this person confirms; none when they have no account there (any more).
    ///
    /// # Errors
    /// `internal` when the database cannot be asked.
    async fn way(&self, state: &AppState, actor: &Actor) -> Result<Option<Way>, Problem>;

    /// Whether `password` is theirs. Not asked when the way is a redirect.
    ///
    /// # Errors
    /// `unavailable` when the other side does not answer.
    async fn check(&self, state: &AppState, actor: &Actor, password: &Secret) -> Result<bool, Problem>;
}

/// What confirming needs besides the state of all handlers.
#[derive(Clone)]
pub(crate) struct ReauthenticationDeps {
    pub(crate) passwords: Passwords,
    pub(crate) external: Arc<[Arc<dyn Reauthenticate>]>,
}

pub(crate) fn slice(deps: ReauthenticationDeps) -> Slice {
    Slice::new("reauthentication")
        .operation(Access::OwnAccount, routes!(http::get_reauthentication).layer(Extension(deps.clone())))
        .operation(Access::OwnAccount, routes!(http::reauthenticate).layer(Extension(deps)))
}
