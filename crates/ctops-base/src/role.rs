//! The four built-in roles (api-conventions, Roles).

use std::fmt;
use std::str::FromStr;

/// A role inside one organisation. A user may hold several; rights are their union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Reads; no change of any kind.
    ReadOnly,
    /// Operates hosts, writes operational data.
    Engineer,
    /// Administers one organisation.
    OrgAdmin,
    /// Everything, including licence and irreversible removal.
    SuperAdmin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Role; 4] = [Role::ReadOnly, Role::Engineer, Role::OrgAdmin, Role::SuperAdmin];

    /// The name used in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::ReadOnly => "read_only",
            Role::Engineer => "engineer",
            Role::OrgAdmin => "org_admin",
            Role::SuperAdmin => "super_admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a role")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("admin".parse::<Role>().is_err());
        assert!("Super_Admin".parse::<Role>().is_err());
    }
}
