//! Payloads of the channel `ctops_changes`: a comma list of what browsers show differently now, optionally followed by
//! `:` and the one organisation that it concerns.

use uuid::Uuid;

/// A set of kinds of change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

/// Figures of hosts.
pub(super) const VITALS: Kinds = Kinds(1);
/// Statuses of hosts.
pub(super) const STATUS: Kinds = Kinds(2);
/// Agents: registration, approval, revocation, leases.
pub(super) const AGENTS: Kinds = Kinds(4);
/// Hosts that appeared, disappeared or changed their facts.
pub(super) const HOSTS: Kinds = Kinds(8);
/// Anything may have changed.
pub(super) const EVERYTHING: Kinds = Kinds(15);

const NAMES: [(Kinds, &str); 4] =
    [(VITALS, "vitals"), (STATUS, "status"), (AGENTS, "agents"), (HOSTS, "hosts")];

impl Kinds {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there are none.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names, always in the same order.
    pub(super) fn names(self) -> Vec<&'static str> {
        NAMES.into_iter().filter(|(kind, _)| self.0 & kind.0 != 0).map(|(_, name)| name).collect()
    }
}

/// The text to send.
pub(super) fn payload(kinds: Kinds, org: Option<Uuid>) -> String {
    let names = kinds.names().join(",");
    org.map_or_else(|| names.clone(), |org| format!("{names}:{org}"))
}

/// Reads a payload. Unknown kinds are skipped, and an organisation that cannot be read means all of them, so that a
/// node of another version is understood as far as possible.
pub(super) fn parse(payload: &str) -> (Kinds, Option<Uuid>) {
    let (names, org) =
        payload.split_once(':').map_or((payload, None), |(names, org)| (names, org.parse().ok()));
    let kinds = names
        .split(',')
        .filter_map(|name| NAMES.iter().find(|(_, known)| *known == name.trim()))
        .fold(Kinds::default(), |all, (kind, _)| all.and(*kind));
    (kinds, org)
}

/// The one organisation that all of these are, if they are.
pub(super) fn only(orgs: impl IntoIterator<Item = Uuid>) -> Option<Uuid> {
    let mut orgs = orgs.into_iter();
    let first = orgs.next()?;
    orgs.all(|org| org == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_and_parse_are_each_others_inverse() {
        let org = Some(Uuid::from_u128(7));
        for kinds in (0..=15).map(Kinds) {
            assert_eq!(parse(&payload(kinds, org)), (kinds, org));
            assert_eq!(parse(&payload(kinds, None)), (kinds, None));
        }
        assert_eq!(payload(HOSTS.and(VITALS), None), "vitals,hosts");
    }

    #[test]
    fn parse_of_what_another_version_says_keeps_what_it_knows() {
        assert_eq!(parse("status,alerts:nonsense"), (STATUS, None));
        assert!(parse("alerts").0.is_empty());
        assert!(parse("").0.is_empty());
    }

    #[test]
    fn only_of_several_organisations_is_none() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(only([one, one]), Some(one));
        assert_eq!(only([one, other]), None);
        assert_eq!(only([]), None);
    }
}
