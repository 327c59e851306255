//! What a custom role is.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem, Role};
use ctops_slice::Actor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::sessions::DeclaredPermissions;

/// Custom roles per organisation.
pub(super) const MAX_ROLES: i64 = 100;
/// Terms of a selector.
const MAX_TERMS: usize = 20;
/// Host groups of a term.
const MAX_GROUPS_OF_TERM: usize = 50;
const MAX_NAME_CHARS: usize = 100;
const MAX_DESCRIPTION_CHARS: usize = 1000;

/// One condition of a selector; a host is selected when it meets all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleTerm)]
pub(super) struct Term {
    /// The host is in one of these host groups; 1 to 50.
    pub(super) host_groups: Vec<Uuid>,
    /// The host is in none of them instead.
    #[serde(default)]
    pub(super) negated: bool,
}

/// A role to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) base: Option<Role>,
    pub(super) permissions: Vec<String>,
    pub(super) selector: Vec<Term>,
}

/// A role as it stands.
#[derive(Clone, Debug)]
pub(super) struct CustomRole {
    pub(super) id: Uuid,
    pub(super) draft: Draft,
    pub(super) version: i32,
    /// How often it is given to somebody or a team.
    pub(super) assignments: i64,
    pub(super) updated_at: DateTime<Utc>,
}

/// A role given to a person or a team.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Assignment {
    pub(super) id: Uuid,
    pub(super) role_id: Uuid,
    pub(super) role_name: String,
    pub(super) user_id: Option<Uuid>,
    pub(super) team_id: Option<Uuid>,
    pub(super) subject_name: String,
    pub(super) assigned_at: DateTime<Utc>,
}

/// Who is given a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    User(Uuid),
    Team(Uuid),
}

impl Draft {
    /// Checks everything that does not need the database.
    pub(super) fn check(mut self, declared: &DeclaredPermissions, actor: &Actor) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            wrong.push(FieldProblem { path: path.to_owned(), code, message });
        };
        self.name = self.name.trim().to_owned();
        self.description = self.description.trim().to_owned();
        let chars = self.name.chars().count();
        if !(1..=MAX_NAME_CHARS).contains(&chars) || self.name.chars().any(is_hostile) {
            refuse(
                "name",
                "invalid",
                format!("must have 1 to {MAX_NAME_CHARS} characters, no control characters"),
            );
        }
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS || self.description.contains('\0') {
            refuse(
                "description",
                "too_long",
                format!("must have at most {MAX_DESCRIPTION_CHARS} characters"),
            );
        }
        if self.base == Some(Role::SuperAdmin) {
            refuse("base", "invalid", "must be read_only, engineer or org_admin".to_owned());
        }
        let names: BTreeSet<String> = self.permissions.iter().cloned().collect();
        if names.is_empty() {
            refuse("permissions", "too_short", "names nothing".to_owned());
        }
        let limit = BTreeSet::from([Role::OrgAdmin]);
        let is_administrator =
            actor.roles().contains(&Role::OrgAdmin) || actor.roles().contains(&Role::SuperAdmin);
        for name in &names {
            match declared.find(name) {
                None => refuse("permissions", "unknown", format!("there is no permission {name:?}")),
                Some(permission) if !permission.held_by(&limit) => {
                    refuse("permissions", "not_allowed", format!("{name} is for super administrators only"));
                }
                Some(permission) => {
                    let holds_it = actor.grant(permission).is_ok_and(|grant| grant.scope().is_all());
                    if !is_administrator && !holds_it {
                        refuse("permissions", "not_allowed", format!("you do not hold {name} on all hosts"));
                    }
                }
            }
        }
        self.permissions = names.into_iter().collect();
        if self.selector.len() > MAX_TERMS {
            refuse("selector", "too_long", format!("has at most {MAX_TERMS} terms"));
        }
        for (number, term) in self.selector.iter_mut().enumerate() {
            term.host_groups.sort_unstable();
            term.host_groups.dedup();
            if !(1..=MAX_GROUPS_OF_TERM).contains(&term.host_groups.len()) {
                let path = format!("selector.{number}.host_groups");
                refuse(&path, "invalid", format!("must name 1 to {MAX_GROUPS_OF_TERM} host groups"));
            }
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }

    /// The host groups of all terms, each once.
    pub(super) fn groups(&self) -> Vec<Uuid> {
        let all: BTreeSet<Uuid> =
            self.selector.iter().flat_map(|term| term.host_groups.iter().copied()).collect();
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::IpAddr;

    use ctops_slice::{Credential, Permission};

    use super::*;

    static READ: Permission = Permission { name: "things.read", roles: &Role::ALL, about: "" };
    static WRITE: Permission =
        Permission { name: "things.write", roles: &[Role::OrgAdmin, Role::SuperAdmin], about: "" };
    static PURGE: Permission = Permission { name: "things.purge", roles: &[Role::SuperAdmin], about: "" };

    fn declared() -> DeclaredPermissions {
        DeclaredPermissions::new(vec![&READ, &WRITE, &PURGE])
    }

    fn actor(role: Role) -> Actor {
        let credential = Credential::session(Uuid::nil(), DateTime::UNIX_EPOCH);
        Actor::with_roles((Uuid::nil(), Uuid::nil()), credential, [role], IpAddr::from([127, 0, 0, 1]))
    }

    fn draft(permissions: &[&str]) -> Draft {
        Draft {
            name: " Auditor ".into(),
            description: String::new(),
            base: None,
            permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
            selector: vec![],
        }
    }

    /// Spec: users-teams-rbac 17
    #[test]
    fn a_role_never_exceeds_org_admin_nor_whoever_makes_it() {
        let check = |role, names: &[&str]| {
            draft(names).check(&declared(), &actor(role)).map(|draft| draft.permissions)
        };
        assert_eq!(
            check(Role::OrgAdmin, &["things.write", "things.read", "things.read"]).unwrap(),
            ["things.read", "things.write"]
        );
        for (role, names) in [
            (Role::SuperAdmin, &["things.purge"][..]),
            (Role::OrgAdmin, &["things.unheard_of"]),
            (Role::OrgAdmin, &[]),
            (Role::Engineer, &["things.write"]),
        ] {
            assert_eq!(check(role, names).unwrap_err().fields()[0].path, "permissions", "{names:?}");
        }
        assert!(check(Role::Engineer, &["things.read"]).is_ok());
    }

    #[test]
    fn selectors_are_bounded() {
        let check = |selector: Vec<Term>| {
            Draft { selector, ..draft(&["things.read"]) }.check(&declared(), &actor(Role::OrgAdmin))
        };
        let term = |count| Term { host_groups: (0..count).map(Uuid::from_u128).collect(), negated: false };
        assert!(check(vec![term(50); 20]).is_ok());
        assert!(check(vec![term(1); 21]).is_err());
        assert!(check(vec![term(0)]).is_err());
        assert!(check(vec![term(51)]).is_err());
    }
}
