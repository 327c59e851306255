//! What a team consists of, and whether a change widens what somebody sees.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ctops_base::text::{clean, is_hostile};
use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_slice::HostScope;
use uuid::Uuid;

/// Teams of one organisation (users-teams-rbac, limits).
pub(super) const MAX_TEAMS: i64 = 200;
/// Host groups one team owns at most.
pub(super) const MAX_GROUPS: usize = 100;
/// People added by one request at most.
pub(super) const MAX_ADDED: usize = 200;
/// Longest search text, characters (api-conventions 12).
pub(super) const MAX_SEARCH_CHARS: usize = 200;
const MAX_NAME_CHARS: usize = 100;
const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// A person or a host group by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// A team in a list.
#[derive(Clone, Debug)]
pub(super) struct Team {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) scoping: bool,
    pub(super) lead: Option<Named>,
    pub(super) members: i64,
    pub(super) host_groups: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// A member of a team.
#[derive(Clone, Debug)]
pub(super) struct TeamMember {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) added_at: DateTime<Utc>,
}

/// A team with everything it has.
#[derive(Clone, Debug)]
pub(super) struct TeamDetail {
    pub(super) team: Team,
    pub(super) members: Vec<TeamMember>,
    pub(super) host_groups: Vec<Named>,
}

/// What a team is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct TeamPatch {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) scoping: Option<bool>,
    /// The inner none takes the lead away.
    pub(super) lead_id: Option<Option<Uuid>>,
}

impl TeamPatch {
    /// Cleans and checks what is given.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(mut self) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        if let Some(name) = &mut self.name {
            *name = name.trim().to_owned();
            let chars = name.chars().count();
            if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(is_hostile) {
                problems
                    .push(problem("name", format!("has {chars} characters, needs 1 to {MAX_NAME_CHARS}")));
            }
        }
        if let Some(description) = &mut self.description {
            let chars = description.chars().count();
            if chars > MAX_DESCRIPTION_CHARS {
                let message = format!("has {chars} characters, at most {MAX_DESCRIPTION_CHARS}");
                problems.push(problem("description", message));
            }
            *description = clean(description, MAX_DESCRIPTION_CHARS);
        }
        if problems.is_empty() { Ok(self) } else { Err(Problem::invalid(problems)) }
    }
}

fn problem(path: &str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message }
}

/// Scopes of people who can be scoped, by user. Administrators are not in it.
pub(super) type Scopes = BTreeMap<Uuid, HostScope>;

/// Whether `after` reaches a set of hosts that `before` does not name.
pub(super) fn widens(before: &HostScope, after: &HostScope) -> bool {
    match (before.ids(), after.ids()) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => !after.iter().all(|set| before.contains(set)),
    }
}

/// People whose scope is wider afterwards. Who is only in one of the two was not or is not scoped at all; that is
/// decided by roles, not by teams.
pub(super) fn widened(before: &Scopes, after: &Scopes) -> Vec<Uuid> {
    let wider = |(user_id, after): (&Uuid, &HostScope)| {
        before.get(user_id).is_some_and(|before| widens(before, after)).then_some(*user_id)
    };
    after.iter().filter_map(wider).collect()
}

/// Refuses a widening that nobody confirmed, and one of oneself always.
///
/// # Errors
/// `cannot_change_self`, `scope_widens`.
pub(super) fn judge_widening(actor_id: Uuid, widened: &[Uuid], confirmed: bool) -> Result<(), Problem> {
    if widened.contains(&actor_id) {
        let detail = "nobody can widen the scope of their own access; ask another administrator";
        return Err(Problem::new(ProblemKind::Conflict, "cannot_change_self", detail));
    }
    if widened.is_empty() || confirmed {
        return Ok(());
    }
    let detail = format!("{} people would see hosts they do not see now; confirm to go on", widened.len());
    Err(Problem::new(ProblemKind::Conflict, "scope_widens", detail))
}

/// What joining or leaving would do to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// Scopes count for this person at all; they never do for administrators.
    pub(super) scoped: bool,
    /// Sees everything now.
    pub(super) sees_all_before: bool,
    /// Sees everything afterwards.
    pub(super) sees_all_after: bool,
    /// Hosts seen afterwards and not now.
    pub(super) gained: i64,
    /// Hosts seen now and not afterwards.
    pub(super) lost: i64,
    /// The change must be confirmed.
    pub(super) widens: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sets(ids: &[u128]) -> HostScope {
        HostScope::limited(ids.iter().copied().map(Uuid::from_u128))
    }

    /// Spec: users-teams-rbac 12, 13
    #[test]
    fn scope_widens_with_a_new_group_or_with_the_last_one_gone() {
        assert!(widens(&sets(&[1]), &sets(&[1, 2])));
        assert!(widens(&sets(&[1]), &sets(&[2])));
        assert!(widens(&sets(&[1]), &HostScope::All), "no group at all is the whole organisation");
        assert!(!widens(&sets(&[1, 2]), &sets(&[2])));
        assert!(!widens(&HostScope::All, &sets(&[1])), "narrower");
        assert!(!widens(&HostScope::All, &HostScope::All));
    }

    /// Spec: users-teams-rbac 13
    #[test]
    fn widening_needs_a_word_and_nobody_gives_it_for_themselves() {
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let code = |widened: &[Uuid], confirmed| {
            judge_widening(me, widened, confirmed).map_err(|problem| problem.code())
        };
        assert_eq!(code(&[], false), Ok(()));
        assert_eq!(code(&[other], false), Err("scope_widens"));
        assert_eq!(code(&[other], true), Ok(()));
        assert_eq!(code(&[other, me], true), Err("cannot_change_self"));
    }

    #[test]
    fn people_who_became_scoped_by_their_role_are_not_widened_by_the_team() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let before = Scopes::from([(a, sets(&[1]))]);
        let after = Scopes::from([(a, sets(&[1, 2])), (b, HostScope::All)]);
        assert_eq!(widened(&before, &after), [a]);
    }

    /// Spec: users-teams-rbac 9
    #[test]
    fn team_names_have_one_to_a_hundred_characters() {
        let named = |name: &str| TeamPatch { name: Some(name.to_owned()), ..TeamPatch::default() }.check();
        assert_eq!(named(" x ").unwrap().name.as_deref(), Some("x"));
        assert!(named(&"é".repeat(100)).is_ok());
        for bad in ["", "  ", &"x".repeat(101), "a\u{202e}b"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
        let long = TeamPatch { description: Some("x".repeat(1001)), ..TeamPatch::default() };
        assert_eq!(long.check().unwrap_err().fields()[0].path, "description");
    }
}
