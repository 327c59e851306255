//! The figures of the whole fleet.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Values one facet lists at most; agents name these values, so there is no other bound.
const MAX_FACET_VALUES: usize = 500;

/// The figures of the fleet overview (hosts 7, 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct FleetSummary {
    /// Hosts.
    pub total: i64,
    /// Hosts that are online.
    pub online: i64,
    /// Hosts that are offline.
    pub offline: i64,
    /// Hosts never heard from.
    pub unknown: i64,
    /// Hosts last seen never, or too long ago.
    pub stale: i64,
    /// Agents that wait for approval.
    pub pending_approval: i64,
    /// Online hosts whose CPU is hot.
    pub hot_cpu: i64,
    /// Online hosts whose memory is hot.
    pub hot_memory: i64,
    /// Online hosts whose root file system is hot.
    pub hot_disk: i64,
}

impl FleetSummary {
    /// Whole-number share of online hosts; none for an empty fleet (hosts 7).
    pub fn online_percent(&self) -> Option<i64> {
        share(self.online, self.total)
    }
}

/// How many hosts share one value; `None` is "not known".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    /// The value.
    pub value: Option<String>,
    /// Hosts that have it.
    pub count: i64,
    /// Their whole-number share.
    pub percent: i64,
}

/// What the list can be narrowed by, largest groups first (hosts 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Operating systems.
    pub os: Vec<FacetValue>,
    /// Architectures.
    pub arch: Vec<FacetValue>,
    /// Versions of the agent.
    pub agent_version: Vec<FacetValue>,
}

/// How many hosts share one combination of values.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::hosts) struct FacetGroup {
    /// Operating system.
    pub os: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Version of the agent.
    pub agent_version: Option<String>,
    /// Hosts.
    pub hosts: i64,
}

impl Facets {
    /// Adds up the groups: the largest value first, equals by name, "not known" after its equals.
    pub(in crate::hosts) fn of(groups: &[FacetGroup]) -> Self {
        let total = groups.iter().map(|group| group.hosts).sum();
        let of = |value: fn(&FacetGroup) -> &Option<String>| {
            let mut counts = BTreeMap::<(bool, &Option<String>), i64>::new();
            for group in groups {
                let value = value(group);
                *counts.entry((value.is_none(), value)).or_default() += group.hosts;
            }
            let mut values: Vec<FacetValue> = counts
                .into_iter()
                .map(|((_, value), count)| FacetValue {
                    value: value.clone(),
                    count,
                    percent: share(count, total).unwrap_or(0),
                })
                .collect();
            // The map gave them by name, and this sort keeps the order of equals.
            values.sort_by_key(|value| Reverse(value.count));
            values.truncate(MAX_FACET_VALUES);
            values
        };
        Self {
            os: of(|group| &group.os),
            arch: of(|group| &group.arch),
            agent_version: of(|group| &group.agent_version),
        }
    }
}

/// Whole-number share of `part` in `total`, halves rounded up; none when `total` is 0.
fn share(part: i64, total: i64) -> Option<i64> {
    (total > 0).then(|| (part * 200 + total) / (total * 2))
}
