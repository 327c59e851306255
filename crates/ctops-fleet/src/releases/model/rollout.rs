//! Rollouts: who is in which wave, and when the next one begins (agents-enrolment 31). Pure.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_crypto::secret::sha256;
use ctops_proto::release::Version;
use uuid::Uuid;

/// A wave lasts at least this long, so that agents which fail late are seen before the next one begins.
pub(in crate::releases) const WAVE_REST: TimeDelta = TimeDelta::minutes(10);
/// Most waves of a rollout.
const MAX_WAVES: usize = 10;

/// How far a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Agents of the open waves are offered the release.
    Running,
    /// Nobody is offered it until somebody resumes the rollout.
    Halted,
    /// All waves are done.
    Finished,
    /// A rollout of another release took its place.
    Superseded,
}

impl RolloutState {
    /// Name in API and database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Halted => "halted",
            Self::Finished => "finished",
            Self::Superseded => "superseded",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Halted, Self::Finished, Self::Superseded]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A rollout, for people.
#[derive(Clone, Debug)]
pub(in crate::releases) struct Rollout {
    pub(in crate::releases) id: Uuid,
    pub(in crate::releases) channel: String,
    pub(in crate::releases) version: String,
    pub(in crate::releases) waves: Vec<i32>,
    pub(in crate::releases) halt_percent: i32,
    /// From 0.
    pub(in crate::releases) wave: i32,
    pub(in crate::releases) state: RolloutState,
    pub(in crate::releases) halt_reason: String,
    pub(in crate::releases) began_at: DateTime<Utc>,
    pub(in crate::releases) members: i64,
    pub(in crate::releases) offered: i64,
    pub(in crate::releases) updated: i64,
    pub(in crate::releases) failed: i64,
}

/// How an organisation wants its agents updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::releases) struct UpdateSettings {
    /// Growing percentages, the last one 100.
    pub(in crate::releases) waves: Vec<i32>,
    /// A wave of which more than this share fails halts the rollout.
    pub(in crate::releases) halt_percent: i32,
    /// Tell agents of the original product to download the newest release.
    pub(in crate::releases) update_originals: bool,
}

impl Default for UpdateSettings {
    fn default() -> Self {
        Self { waves: vec![10, 50, 100], halt_percent: 5, update_originals: false }
    }
}

/// An agent of a new rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::releases) struct NewMember {
    pub(in crate::releases) agent_id: String,
    pub(in crate::releases) host_id: Uuid,
    pub(in crate::releases) wave: i32,
}

/// Where a running rollout stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::releases) struct Count {
    /// From 0.
    pub(in crate::releases) wave: i32,
    pub(in crate::releases) waves: i32,
    pub(in crate::releases) halt_percent: i32,
    pub(in crate::releases) wave_began_at: DateTime<Utc>,
    /// Agents of the wave.
    pub(in crate::releases) size: i64,
    /// Of these, rolled back, failed or gone offline.
    pub(in crate::releases) bad: i64,
    /// Agents of this and earlier waves that are online and still have to update.
    pub(in crate::releases) open: i64,
}

/// What happens to a rollout now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::releases) enum Step {
    Wait,
    Next,
    Finish,
    Halt(String),
}

/// Checks percentages: growing, ending with 100.
pub(in crate::releases) fn check_waves(waves: &[i32]) -> Result<(), Problem> {
    let grows =
        waves.windows(2).all(|pair| pair[0] < pair[1]) && waves.first().is_some_and(|first| *first > 0);
    if grows && waves.last() == Some(&100) && waves.len() <= MAX_WAVES {
        return Ok(());
    }
    let message = format!("must be 1 to {MAX_WAVES} growing percentages that end with 100");
    Err(Problem::invalid_field("waves", "invalid", message))
}

/// Puts agents into waves, in an order that is different for every release, so that it is not always the same hosts that
/// go first. Each wave that has a share gets at least one agent as long as there are any.
pub(in crate::releases) fn assign(
    release_id: Uuid,
    agents: impl IntoIterator<Item = (String, Uuid, Version)>,
    waves: &[i32],
) -> Vec<NewMember> {
    let mut agents: Vec<_> = agents
        .into_iter()
        .map(|(agent_id, host_id, _)| {
            (sha256(format!("{release_id} {agent_id}").as_bytes()), agent_id, host_id)
        })
        .collect();
    agents.sort();
    let total = agents.len();
    let wave_of = |index: usize| {
        let holds = |percent: &i32| index < (total * usize::try_from(*percent).unwrap_or(0)).div_ceil(100);
        waves.iter().position(holds).unwrap_or(waves.len().saturating_sub(1))
    };
    let member = |(index, (_, agent_id, host_id))| NewMember {
        agent_id,
        host_id,
        wave: i32::try_from(wave_of(index)).unwrap_or(i32::MAX),
    };
    agents.into_iter().enumerate().map(member).collect()
}

/// What happens to a running rollout at `now`.
pub(in crate::releases) fn step(count: &Count, now: DateTime<Utc>) -> Step {
    if count.bad * 100 > i64::from(count.halt_percent) * count.size {
        let number = count.wave + 1;
        let Count { bad, size, .. } = count;
        return Step::Halt(format!(
            "{bad} of {size} agents of wave {number} rolled back, failed or went offline"
        ));
    }
    let rested = count.size == 0 || now - count.wave_began_at >= WAVE_REST;
    if count.open > 0 || !rested {
        return Step::Wait;
    }
    if count.wave + 1 < count.waves { Step::Next } else { Step::Finish }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sizes(agents: u32, waves: &[i32]) -> Vec<usize> {
        let agents =
            (0..agents).map(|number| (format!("{number:024}"), Uuid::nil(), "v1.0.0".parse().unwrap()));
        let members = assign(Uuid::from_u128(1), agents, waves);
        (0..waves.len()).map(|wave| members.iter().filter(|m| m.wave == wave as i32).count()).collect()
    }

    /// Spec: agents-enrolment 31
    #[test]
    fn agents_when_assigned_then_fill_waves_by_percentage() {
        assert_eq!(sizes(100, &[10, 50, 100]), [10, 40, 50]);
        assert_eq!(sizes(3, &[10, 50, 100]), [1, 1, 1]);
        assert_eq!(sizes(1, &[10, 50, 100]), [1, 0, 0]);
        assert_eq!(sizes(0, &[10, 50, 100]), [0, 0, 0]);
        assert_eq!(sizes(7, &[100]), [7]);
    }

    #[test]
    fn waves_when_they_do_not_grow_to_100_then_are_refused() {
        assert!(check_waves(&[10, 50, 100]).is_ok() && check_waves(&[100]).is_ok());
        for bad in [&[][..], &[10, 50], &[50, 10, 100], &[0, 100], &[10, 10, 100], &[10, 100, 200]] {
            assert!(check_waves(bad).is_err(), "{bad:?}");
        }
    }

    fn stepped(size: i64, bad: i64, open: i64, wave: i32, minutes: i64) -> Step {
        let began = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let count = Count { wave, waves: 3, halt_percent: 5, wave_began_at: began, size, bad, open };
        step(&count, began + TimeDelta::minutes(minutes))
    }

    /// Spec: agents-enrolment 31
    #[test]
    fn rollout_when_more_than_5_percent_of_a_wave_fail_then_halts() {
        assert_eq!(stepped(100, 5, 0, 0, 10), Step::Next, "exactly 5 % is allowed");
        let Step::Halt(reason) = stepped(100, 6, 94, 0, 1) else { panic!("halts at once") };
        assert_eq!(reason, "6 of 100 agents of wave 1 rolled back, failed or went offline");
        assert!(matches!(stepped(1, 1, 0, 2, 1), Step::Halt(_)));
    }

    /// Spec: agents-enrolment 31
    #[test]
    fn rollout_when_a_wave_is_done_and_has_rested_then_goes_on_to_the_end() {
        assert_eq!(stepped(10, 0, 1, 0, 60), Step::Wait, "one still has to update");
        assert_eq!(stepped(10, 0, 0, 0, 9), Step::Wait);
        assert_eq!(stepped(10, 0, 0, 1, 10), Step::Next);
        assert_eq!(stepped(0, 0, 0, 1, 0), Step::Next, "nobody to wait for");
        assert_eq!(stepped(10, 0, 0, 2, 10), Step::Finish);
    }
}
