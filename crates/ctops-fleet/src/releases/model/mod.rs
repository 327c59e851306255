//! Releases, what is known of an agent's updates, and what an agent is offered.

mod rollout;

use chrono::{DateTime, Utc};
use ctops_proto::release::{Artifact, Version};
use uuid::Uuid;

pub use rollout::RolloutState;
pub(super) use rollout::{
    Count, NewMember, Rollout, Step, UpdateSettings, WAVE_REST, assign, check_waves, step,
};

/// A published release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Id.
    pub id: Uuid,
    /// Who it is for.
    pub channel: String,
    /// What it is.
    pub version: Version,
    /// Agents below are updated without being told to.
    pub minimum_version: Version,
    /// When it was signed.
    pub released_at: DateTime<Utc>,
    /// Its programs.
    pub artifacts: Vec<Artifact>,
    /// When it entered the store.
    pub published_at: DateTime<Utc>,
    /// Who published it; none when the operator did on the server's machine.
    pub published_by: Option<(Uuid, String)>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// The newest release of a channel, as far as offers are decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) channel: String,
    pub(super) version: Version,
    pub(super) minimum_version: Version,
}

/// What is known of an agent's updates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) channel: String,
    pub(super) pinned: Option<Version>,
    pub(super) requested: Option<Version>,
    /// When a person last decided about this agent.
    pub(super) requested_at: Option<DateTime<Utc>>,
    pub(super) last: Option<Last>,
    /// The agent waits to hear that its outcome is stored.
    pub(super) unconfirmed: bool,
    /// Agents of the original product are to be updated.
    pub(super) update_originals: bool,
    /// The rollout whose open waves it is in, and the rollout's version.
    pub(super) rollout: Option<(Uuid, Version)>,
    /// A rollout is under way or halted on its channel, so that being below the minimum version is not enough.
    pub(super) held: bool,
}

/// How the agent's last update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    /// Version that was to be installed, as the agent named it.
    pub(super) version: String,
    /// `updated`, `rolled_back`, `refused` or `failed`.
    pub(super) outcome: String,
    /// Why it did not succeed.
    pub(super) detail: String,
    /// When this was reported.
    pub(super) at: DateTime<Utc>,
}

/// An agent's updates, for people.
#[derive(Clone, Debug)]
pub(super) struct AgentUpdate {
    pub(super) channel: String,
    pub(super) pinned: Option<String>,
    pub(super) requested: Option<String>,
    pub(super) last: Option<Last>,
}

/// A version to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) version: Version,
    pub(super) pinned: bool,
    /// The rollout it is offered for.
    pub(super) rollout: Option<Uuid>,
}

/// What an agent at version `own` is to be offered (agents-enrolment 28 to 31). A version that ended badly is offered again
/// only after a person decided anew.
pub(super) fn target(wish: &Wish, newest: &[Newest], own: Version) -> Option<Target> {
    let newest = newest.iter().find(|newest| newest.channel == wish.channel);
    let below =
        newest.filter(|newest| !wish.held && own < newest.minimum_version).map(|newest| newest.version);
    let (version, pinned, rollout) = if let Some(pinned) = wish.pinned {
        (pinned, true, None)
    } else if let Some(requested) = wish.requested.filter(|requested| *requested > own) {
        (requested, false, None)
    } else if let Some((id, version)) = wish.rollout.filter(|(_, version)| *version > own) {
        (version, false, Some(id))
    } else {
        (below.filter(|version| *version > own)?, false, None)
    };
    let ended_badly =
        wish.last.as_ref().filter(|last| last.outcome != "updated" && last.version == version.to_string());
    let decided_anew = ended_badly.is_none_or(|last| wish.requested_at.is_some_and(|at| at > last.at));
    (version != own && decided_anew).then_some(Target { version, pinned, rollout })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + second, 0).unwrap()
    }

    fn offered(change: impl FnOnce(&mut Wish), own: &str) -> Option<String> {
        let mut wish = Wish { channel: "stable".into(), ..Wish::default() };
        change(&mut wish);
        let newest = Newest {
            channel: "stable".into(),
            version: version("v2.0.0"),
            minimum_version: version("v1.5.0"),
        };
        target(&wish, &[newest], version(own)).map(|target| target.version.to_string())
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn agent_when_below_the_minimum_or_told_to_then_is_offered_the_release() {
        assert_eq!(offered(|_| (), "v1.4.9").as_deref(), Some("v2.0.0"));
        assert_eq!(offered(|_| (), "v1.5.0"), None, "the minimum is enough");
        assert_eq!(offered(|wish| wish.channel = "beta".into(), "v1.0.0"), None);
        assert_eq!(
            offered(|wish| wish.requested = Some(version("v1.7.0")), "v1.6.0").as_deref(),
            Some("v1.7.0")
        );
        let rollout = |wish: &mut Wish| wish.rollout = Some((Uuid::nil(), version("v2.0.0")));
        assert_eq!(offered(rollout, "v1.9.0").as_deref(), Some("v2.0.0"));
        assert_eq!(offered(rollout, "v2.0.0"), None);
        assert_eq!(offered(|wish| wish.held = true, "v1.0.0"), None, "it waits for its wave");
    }

    /// Spec: agents-enrolment 30
    #[test]
    fn agent_when_newer_then_is_offered_an_older_version_only_if_pinned() {
        assert_eq!(offered(|wish| wish.requested = Some(version("v1.0.0")), "v1.6.0"), None);
        assert_eq!(offered(|_| (), "v3.0.0"), None);
        let pinned = |wish: &mut Wish| wish.pinned = Some(version("v1.0.0"));
        assert_eq!(offered(pinned, "v1.6.0").as_deref(), Some("v1.0.0"));
        assert_eq!(offered(pinned, "v1.0.0"), None);
    }

    /// Spec: agents-enrolment 29
    #[test]
    fn version_that_was_rolled_back_when_nobody_decided_anew_then_is_not_offered_again() {
        let last = |outcome: &str| {
            Some(Last {
                version: "v2.0.0".into(),
                outcome: outcome.into(),
                detail: String::new(),
                at: at(10),
            })
        };
        for outcome in ["rolled_back", "refused", "failed"] {
            assert_eq!(offered(|wish| wish.last = last(outcome), "v1.0.0"), None, "{outcome}");
            let again = |wish: &mut Wish| {
                (wish.last, wish.requested) = (last(outcome), Some(version("v2.0.0")));
                wish.requested_at = Some(at(11));
            };
            assert_eq!(offered(again, "v1.0.0").as_deref(), Some("v2.0.0"), "{outcome}");
        }
        assert_eq!(offered(|wish| wish.last = last("updated"), "v1.0.0").as_deref(), Some("v2.0.0"));
    }
}
