//! Which hosts somebody reaches: everything of the organisation, or the members of some sets of hosts.
//!
//! A set is a host group or the selector of a custom role; the view `scope_hosts` says which host is in which. Every
//! statement that reads hosts or what hangs off them takes one parameter more, [`HostScope::ids`], and one condition
//! more, [`in_scope!`](crate::in_scope), so that there is one place that knows what "in scope" means.

use std::sync::Arc;

use uuid::Uuid;

/// The hosts somebody reaches inside their organisation (host-groups 15, users-teams-rbac 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostScope {
    /// Every host.
    All,
    /// Hosts that are in at least one of these sets. Sorted, each once; none at all means no host.
    Limited(Arc<[Uuid]>),
}

impl HostScope {
    /// The scope over these sets.
    pub fn limited(sets: impl IntoIterator<Item = Uuid>) -> Self {
        let mut sets: Vec<Uuid> = sets.into_iter().collect();
        sets.sort_unstable();
        sets.dedup();
        Self::Limited(sets.into())
    }

    /// The sets, for the parameter of [`in_scope!`](crate::in_scope); `None` is everything.
    pub fn ids(&self) -> Option<&[Uuid]> {
        match self {
            HostScope::All => None,
            HostScope::Limited(sets) => Some(sets),
        }
    }

    /// Whether every host is reached.
    pub fn is_all(&self) -> bool {
        matches!(self, HostScope::All)
    }

    /// What either reaches.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self.ids(), other.ids()) {
            (Some(ours), Some(theirs)) => Self::limited(ours.iter().chain(theirs).copied()),
            _ => Self::All,
        }
    }

    /// What is left when only `sets` are to be reached: the part of them this scope names itself. A host that is both
    /// in one of `sets` and, by another set, in this scope is left out, which errs towards less (users-teams-rbac 15).
    #[must_use]
    pub fn narrowed_to(&self, sets: &[Uuid]) -> Self {
        match self.ids() {
            None => Self::limited(sets.iter().copied()),
            Some(ours) => Self::limited(sets.iter().copied().filter(|set| ours.contains(set))),
        }
    }
}

/// SQL: whether the host with the id `$host` (an expression) is within the scope bound to the parameter `$ids`
/// ([`HostScope::ids`], `uuid[]`). Null means everything, and then the planner leaves the whole condition out.
#[macro_export]
macro_rules! in_scope {
    ($host:expr, $ids:expr) => {
        concat!(
            "(",
            $ids,
            "::uuid[] IS NULL OR EXISTS (SELECT 1 FROM scope_hosts sc WHERE sc.host_id = ",
            $host,
            " AND sc.scope_id = ANY(",
            $ids,
            "::uuid[])))"
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn a_union_with_everything_is_everything_and_sets_are_kept_once() {
        let narrow = HostScope::limited([set(2), set(1), set(2)]);
        assert_eq!(narrow.ids(), Some(&[set(1), set(2)][..]));
        assert_eq!(narrow.union(&HostScope::All), HostScope::All);
        assert_eq!(narrow.union(&HostScope::limited([set(3), set(1)])).ids().map(<[Uuid]>::len), Some(3));
    }

    /// Spec: users-teams-rbac 15
    #[test]
    fn narrowing_never_reaches_more_than_the_owner() {
        assert_eq!(HostScope::All.narrowed_to(&[set(1)]), HostScope::limited([set(1)]));
        let owner = HostScope::limited([set(1), set(2)]);
        assert_eq!(owner.narrowed_to(&[set(2), set(3)]), HostScope::limited([set(2)]));
        assert_eq!(owner.narrowed_to(&[set(3)]).ids(), Some(&[][..]), "nothing, not everything");
    }
}
