//! Who asks, and the proof that they may.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind, Role};
use uuid::Uuid;

use crate::http::ApiError;
use crate::licence::Feature;
use crate::scope::HostScope;

/// A right, declared by the slice that checks it.
#[derive(Debug)]
pub struct Permission {
    /// `slice.verb`, as the API, the documentation and the UI name it.
    pub name: &'static str,
    /// Roles that hold it.
    pub roles: &'static [Role],
    /// One sentence for the reference.
    pub about: &'static str,
}

/// What an operation demands of the caller; every operation names one.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Anyone, signed in or not.
    Public,
    /// Any signed-in member in good standing.
    SignedIn,
    /// Any signed-in person, also one who waits for approval or has to enrol a second factor first (auth 5, 18): what
    /// concerns nothing but their own account.
    OwnAccount,
    /// Members who hold the permission.
    Needs(&'static Permission),
    /// Members who hold the permission, in organisations whose licence opens the feature (licensing 15).
    Licensed(&'static Permission, Feature),
}

impl Access {
    /// The name in the API document and the permission matrix.
    pub fn name(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::SignedIn => "signed_in",
            Access::OwnAccount => "own_account",
            Access::Needs(permission) | Access::Licensed(permission, _) => permission.name,
        }
    }

    /// Whether a member in good standing with these built-in roles, and no custom ones, passes.
    pub fn allows(self, roles: &BTreeSet<Role>) -> bool {
        match self {
            Access::Public | Access::SignedIn | Access::OwnAccount => true,
            Access::Needs(permission) | Access::Licensed(permission, _) => permission.held_by(roles),
        }
    }

    /// The feature an organisation needs as well.
    pub fn feature(self) -> Option<Feature> {
        match self {
            Access::Licensed(_, feature) => Some(feature),
            _ => None,
        }
    }

    /// Lets `actor` pass or says why not. Whether the licence opens [`Access::feature`] is asked after this.
    ///
    /// # Errors
    /// `unauthenticated`, `membership_pending`, `mfa_enrolment_required`, `email_required` or `forbidden`.
    pub fn admit(self, actor: Option<&Actor>) -> Result<(), Problem> {
        if matches!(self, Access::Public) {
            return Ok(());
        }
        let actor = actor.ok_or_else(Problem::unauthenticated)?;
        match self {
            Access::Public | Access::OwnAccount => Ok(()),
            Access::SignedIn => actor.in_good_standing(),
            Access::Needs(permission) | Access::Licensed(permission, _) => actor.grant(permission).map(drop),
        }
    }
}

impl Permission {
    /// Whether one of these built-in roles holds it.
    pub fn held_by(&self, roles: &BTreeSet<Role>) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }
}

/// How somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignInMethod {
    /// E-mail address and password of a local account.
    Password,
    /// A directory.
    Ldap,
    /// An OpenID Connect provider.
    Oidc,
    /// A SAML provider.
    Saml,
    /// A passkey (WebAuthn).
    Passkey,
}

impl SignInMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Password, Self::Ldap, Self::Oidc, Self::Saml, Self::Passkey];

    /// The name used in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Ldap => "ldap",
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::Passkey => "passkey",
        }
    }

    /// The method the database names so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// What a request proved who it is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A session cookie.
    Session {
        /// The session.
        id: Uuid,
        /// When it ends at the latest.
        expires_at: DateTime<Utc>,
        /// How it was started.
        method: SignInMethod,
        /// Whether a second factor was shown, here or to the identity provider.
        second_factor: bool,
        /// When the person last proved who they are (auth 17).
        confirmed_at: DateTime<Utc>,
    },
    /// A key of a person or a service (auth 20).
    ApiKey {
        /// The key.
        id: Uuid,
    },
}

impl Credential {
    /// A session started with a password alone, confirmed at no time that counts.
    pub fn session(id: Uuid, expires_at: DateTime<Utc>) -> Self {
        let confirmed_at = DateTime::UNIX_EPOCH;
        Self::Session { id, expires_at, method: SignInMethod::Password, second_factor: false, confirmed_at }
    }
}

/// What a member may use at all, whatever their rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything their rights allow.
    Active,
    /// Their account only: an administrator has not let them in yet (auth 5).
    Pending,
    /// Their account only, until they enrol a second factor (auth 18).
    MustEnrol,
    /// Their account only, until they enter and verify an e-mail address: the provider knows none (auth 32).
    MustGiveAddress,
}

impl Standing {
    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::MustEnrol => "must_enrol",
            Self::MustGiveAddress => "must_give_address",
        }
    }
}

/// A custom role somebody holds (users-teams-rbac 17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRights {
    /// The role.
    pub role_id: Uuid,
    /// Names of the permissions it gives.
    pub permissions: BTreeSet<String>,
    /// The hosts it gives them on.
    pub scope: HostScope,
}

/// Everything somebody may do; the union of all roles (users-teams-rbac 4, 19).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Built-in roles.
    pub roles: BTreeSet<Role>,
    /// Custom roles.
    pub custom: Arc<[CustomRights]>,
    /// Of an API key: names of the only permissions it may use.
    pub limit: Option<Arc<BTreeSet<String>>>,
}

impl Rights {
    /// The rights of built-in roles alone.
    pub fn of(roles: BTreeSet<Role>) -> Self {
        Self { roles, ..Self::default() }
    }

    /// Whether `permission` is held, on any host.
    pub fn hold(&self, permission: &Permission) -> bool {
        self.within_limit(permission)
            && (permission.held_by(&self.roles)
                || self.custom.iter().any(|role| role.permissions.contains(permission.name)))
    }

    /// The hosts `permission` is held on, when the built-in roles reach `base`; none when it is not held.
    pub fn scope_of(&self, permission: &Permission, base: &HostScope) -> Option<HostScope> {
        if !self.within_limit(permission) {
            return None;
        }
        let built_in = permission.held_by(&self.roles).then(|| base.clone());
        let custom = self.custom.iter().filter(|role| role.permissions.contains(permission.name));
        let scopes = built_in.into_iter().chain(custom.map(|role| role.scope.clone()));
        scopes.reduce(|all, one| all.union(&one))
    }

    fn within_limit(&self, permission: &Permission) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.contains(permission.name))
    }
}

/// A signed-in person, or a key, inside one organisation. Made by the authenticator only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user_id: Uuid,
    /// The organisation they act in; everything they read or write belongs to it.
    pub org_id: Uuid,
    /// Their name.
    pub name: Arc<str>,
    /// What they proved it by.
    pub credential: Credential,
    /// Whether they are let in.
    pub standing: Standing,
    /// What they may do.
    pub rights: Rights,
    /// The hosts their built-in roles reach. Ask a [`Grant`] for those of one permission.
    pub scope: HostScope,
    /// Where the request came from.
    pub ip: IpAddr,
}

impl Actor {
    /// Somebody in good standing with built-in roles over the whole organisation.
    pub fn with_roles(
        (user_id, org_id): (Uuid, Uuid),
        credential: Credential,
        roles: impl IntoIterator<Item = Role>,
        ip: IpAddr,
    ) -> Self {
        Self {
            user_id,
            org_id,
            name: Arc::from(""),
            credential,
            standing: Standing::Active,
            rights: Rights::of(roles.into_iter().collect()),
            scope: HostScope::All,
            ip,
        }
    }

    /// The session, when it was a session that spoke.
    pub fn session_id(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session { id, .. } => Some(id),
            Credential::ApiKey { .. } => None,
        }
    }

    /// Built-in roles.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.rights.roles
    }

    /// The proof that this actor holds `permission`, with the hosts it reaches.
    ///
    /// # Errors
    /// `forbidden` when no role gives it; `membership_pending`, `mfa_enrolment_required` and `email_required`
    /// whatever the roles.
    pub fn grant(&self, permission: &'static Permission) -> Result<Grant, Problem> {
        self.in_good_standing()?;
        let scope = self.rights.scope_of(permission, &self.scope).ok_or_else(Problem::forbidden)?;
        Ok(Grant { org_id: self.org_id, permission, scope })
    }

    /// Refuses those who wait for something.
    ///
    /// # Errors
    /// `membership_pending`, `mfa_enrolment_required` or `email_required`.
    pub fn in_good_standing(&self) -> Result<(), Problem> {
        let refused = |code, detail| Err(Problem::new(ProblemKind::Forbidden, code, detail));
        match self.standing {
            Standing::Active => Ok(()),
            Standing::Pending => {
                refused("membership_pending", "an administrator has to approve your account first")
            }
            Standing::MustEnrol => refused("mfa_enrolment_required", "enrol a second factor to continue"),
            Standing::MustGiveAddress => {
                refused("email_required", "enter and verify your e-mail address to continue")
            }
        }
    }

    /// Demands that the person proved who they are not longer than `age` ago (auth 17).
    ///
    /// # Errors
    /// `reauthentication_required`; `forbidden` for API keys, behind which nobody sits.
    pub fn confirmed_within(&self, age: Duration, now: DateTime<Utc>) -> Result<(), Problem> {
        match self.credential {
            Credential::ApiKey { .. } => {
                Err(Problem::new(ProblemKind::Forbidden, "forbidden", "API keys may not do this"))
            }
            Credential::Session { confirmed_at, .. } => {
                let since = now.signed_duration_since(confirmed_at).to_std().unwrap_or_default();
                if since <= age {
                    return Ok(());
                }
                let detail = "confirm that it is you to continue";
                Err(Problem::new(ProblemKind::Forbidden, "reauthentication_required", detail))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Actor>().cloned().ok_or_else(|| Problem::unauthenticated().into())
    }
}

/// Proof that a permission was checked, for which organisation and on which hosts. Store functions that serve people
/// ask for one, so that forgetting the check does not compile.
#[derive(Clone, Debug)]
pub struct Grant {
    org_id: Uuid,
    permission: &'static Permission,
    scope: HostScope,
}

impl Grant {
    /// The grant of the operator on the server's own machine, who could change the database directly as well. Only the
    /// operator's command line may call this.
    pub fn of_operator(org_id: Uuid, permission: &'static Permission) -> Self {
        Self { org_id, permission, scope: HostScope::All }
    }

    /// The organisation that may be read or written.
    pub fn org_id(&self) -> Uuid {
        self.org_id
    }

    /// Name of the permission that was checked.
    pub fn permission(&self) -> &'static str {
        self.permission.name
    }

    /// The hosts it reaches.
    pub fn scope(&self) -> &HostScope {
        &self.scope
    }

    /// The same grant on hosts that `other` reaches as well, for what needs two permissions. A host that each reaches by
    /// another set is left out.
    #[must_use]
    pub fn and(mut self, other: &Grant) -> Self {
        if let Some(sets) = other.scope.ids() {
            self.scope = self.scope.narrowed_to(sets);
        }
        self
    }

    /// The parameter of [`in_scope!`](crate::in_scope).
    pub fn scope_ids(&self) -> Option<&[Uuid]> {
        self.scope.ids()
    }
}

/// Turns what a request shows into an [`Actor`]; implemented by the area that owns sessions and keys.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The actor behind a session token, or none when it is unknown, expired or ended.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn by_session(&self, token: &str, ip: IpAddr) -> Result<Option<Actor>, Problem>;

    /// The actor behind an API key (`Authorization: Bearer`), or none when it is unknown, expired, revoked or not to be
    /// used from `ip`.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn by_api_key(&self, secret: &str, ip: IpAddr) -> Result<Option<Actor>, Problem>;

    /// Whether the credential still speaks for the same person with the same rights; asked by long-lived streams, which
    /// end otherwise and are opened again with the rights of that moment.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn is_alive(&self, actor: &Actor) -> Result<bool, Problem>;
}

#[cfg(test)]
mod tests;
