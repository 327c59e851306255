//! Who asks, and the proof that they may.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use chrono::{DateTime, Utc};
use ctops_base::{Problem, Role};
use uuid::Uuid;

use crate::http::ApiError;

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
    /// Any signed-in member.
    SignedIn,
    /// Members whose roles hold the permission.
    Needs(&'static Permission),
}

impl Access {
    /// The name in the API document and the permission matrix.
    pub fn name(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::SignedIn => "signed_in",
            Access::Needs(permission) => permission.name,
        }
    }

    /// Whether a member with `roles` passes.
    pub fn allows(self, roles: &BTreeSet<Role>) -> bool {
        match self {
            Access::Public | Access::SignedIn => true,
            Access::Needs(permission) => permission.roles.iter().any(|role| roles.contains(role)),
        }
    }
}

/// A signed-in person inside one organisation. Made by the authenticator only.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user.
    pub user_id: Uuid,
    /// The organisation they act in; everything they read or write belongs to it.
    pub org_id: Uuid,
    /// Their session.
    pub session_id: Uuid,
    /// When the session ends at the latest.
    pub session_expires_at: DateTime<Utc>,
    /// All their roles; rights are the union.
    pub roles: BTreeSet<Role>,
    /// Where the request came from.
    pub ip: IpAddr,
}

impl Actor {
    /// The proof that this actor holds `permission`.
    ///
    /// # Errors
    /// `forbidden` when none of the roles holds it.
    pub fn grant(&self, permission: &'static Permission) -> Result<Grant, Problem> {
        if Access::Needs(permission).allows(&self.roles) {
            Ok(Grant { org_id: self.org_id, permission })
        } else {
            Err(Problem::forbidden())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Actor>().cloned().ok_or_else(|| Problem::unauthenticated().into())
    }
}

/// Proof that a permission was checked, and for which organisation. Store functions that serve people ask for one,
/// so that forgetting the check does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    org_id: Uuid,
    permission: &'static Permission,
}

impl Grant {
    /// The grant of the operator on the server's own machine, who could change the database directly as well. Only the
    /// operator's command line may call this.
    pub fn of_operator(org_id: Uuid, permission: &'static Permission) -> Self {
        Self { org_id, permission }
    }

    /// The organisation that may be read or written.
    pub fn org_id(&self) -> Uuid {
        self.org_id
    }

    /// Name of the permission that was checked.
    pub fn permission(&self) -> &'static str {
        self.permission.name
    }
}

/// Turns a session cookie into an [`Actor`]; implemented by the area that owns sessions.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The actor behind a session token, or none when it is unknown, expired or ended.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn by_session(&self, token: &str, ip: IpAddr) -> Result<Option<Actor>, Problem>;

    /// Whether a session is still alive; asked by long-lived streams.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn is_alive(&self, session_id: Uuid) -> Result<bool, Problem>;
}

#[cfg(test)]
mod tests {
    use super::*;

    static READ: Permission = Permission { name: "things.read", roles: &Role::ALL, about: "See things." };
    static ADMIN: Permission = Permission {
        name: "things.admin",
        roles: &[Role::OrgAdmin, Role::SuperAdmin],
        about: "Change things.",
    };

    fn actor(roles: &[Role]) -> Actor {
        Actor {
            user_id: Uuid::nil(),
            org_id: Uuid::from_u128(7),
            session_id: Uuid::nil(),
            session_expires_at: DateTime::UNIX_EPOCH,
            roles: roles.iter().copied().collect(),
            ip: IpAddr::from([127, 0, 0, 1]),
        }
    }

    #[test]
    fn rights_are_the_union_of_all_roles() {
        let both = actor(&[Role::ReadOnly, Role::OrgAdmin]);
        assert_eq!(both.grant(&ADMIN).map(|g| g.org_id()).ok(), Some(Uuid::from_u128(7)));
        assert!(actor(&[Role::Engineer]).grant(&ADMIN).is_err());
        assert!(actor(&[Role::Engineer]).grant(&READ).is_ok());
    }

    #[test]
    fn a_member_without_roles_holds_nothing() {
        assert!(actor(&[]).grant(&READ).is_err());
    }
}
