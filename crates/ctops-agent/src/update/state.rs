//! What is remembered about updates over restarts: `state.json` in the directory of the updated programs.
//!
//! The file is replaced as a whole ([`files::replace`]), so it is always the state before or after a step. It decides
//! which program runs; the programs themselves are written before it names them and removed after it has forgotten them.

use std::io;
use std::path::PathBuf;

use ctops_proto::agent::UpdateOutcome;
use ctops_proto::release::Version;
use serde::{Deserialize, Serialize};

/// Versions remembered as rejected; older ones are forgotten.
const MAX_REJECTED: usize = 32;
/// Longest detail of an outcome, bytes (`UpdateOutcome.detail`).
const MAX_DETAIL_BYTES: usize = 512;

/// Everything there is to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct UpdateState {
    /// The program that the service manager starts, as it found itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) installed_program: Option<PathBuf>,
    /// The updated program in use, after it has proved itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Entry>,
    /// The one in use before, kept until the next update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Entry>,
    /// The program that is to prove itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trial: Option<Trial>,
    /// How the last update ended, until the server has stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    /// Versions that were rolled back and are not tried again (agents-enrolment 29).
    pub(super) rejected: Vec<Version>,
}

/// An updated program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Entry {
    /// Its version; its directory has this name.
    pub(super) version: Version,
    /// An administrator pinned it, so it is used although the installed program may be newer.
    pub(super) pinned: bool,
    /// Version of the installed program when it was taken over. Installing another program by hand ends the update.
    pub(super) installed_version: Version,
}

/// A program on trial.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Trial {
    /// The program.
    pub(super) entry: Entry,
    /// How often it was started.
    pub(super) starts: u32,
    /// Seconds since the machine started at its first start.
    pub(super) began_uptime: Option<u64>,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Outcome {
    pub(super) version: String,
    pub(super) outcome: Ended,
    pub(super) detail: String,
}

/// The ways an update can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Updated,
    RolledBack,
    Refused,
    Failed,
}

impl Ended {
    fn name(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::RolledBack => "rolled_back",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Outcome {
    pub(super) fn new(version: String, outcome: Ended, mut detail: String) -> Self {
        let mut end = detail.len().min(MAX_DETAIL_BYTES);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
        Self { version, outcome, detail }
    }

    pub(super) fn message(&self) -> UpdateOutcome {
        UpdateOutcome {
            version: self.version.clone(),
            outcome: self.outcome.name().to_owned(),
            detail: self.detail.clone(),
        }
    }
}

impl UpdateState {
    /// Reads the state of JSON.
    pub(super) fn parse(text: &str) -> io::Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// Gives up the program on trial and remembers why.
    pub(super) fn roll_back(&mut self, detail: &str) {
        let Some(trial) = self.trial.take() else { return };
        let version = trial.entry.version;
        if !self.rejected.contains(&version) {
            self.rejected.push(version);
        }
        let surplus = self.rejected.len().saturating_sub(MAX_REJECTED);
        self.rejected.drain(..surplus);
        self.outcome = Some(Outcome::new(version.to_string(), Ended::RolledBack, detail.to_owned()));
    }

    /// Takes the program on trial into use.
    pub(super) fn confirm(&mut self) {
        let Some(trial) = self.trial.take() else { return };
        let version = trial.entry.version.to_string();
        self.previous = self.current.take();
        self.current = Some(trial.entry);
        self.outcome = Some(Outcome::new(version, Ended::Updated, String::new()));
    }

    /// Versions whose programs are still needed.
    pub(super) fn kept(&self) -> Vec<Version> {
        let entries = self.current.iter().chain(&self.previous).chain(self.trial.as_ref().map(|t| &t.entry));
        entries.map(|entry| entry.version).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn on_trial(version: &str) -> Option<Trial> {
        let entry = Entry {
            version: version.parse().unwrap(),
            pinned: false,
            installed_version: "v1.0.0".parse().unwrap(),
        };
        Some(Trial { entry, starts: 1, began_uptime: Some(7) })
    }

    #[test]
    fn confirmed_programs_follow_each_other_and_two_are_kept() {
        let mut state = UpdateState::default();
        for version in ["v1.1.0", "v1.2.0", "v1.3.0"] {
            state.trial = on_trial(version);
            state.confirm();
        }
        let kept: Vec<String> = state.kept().iter().map(Version::to_string).collect();
        assert_eq!(kept, ["v1.3.0", "v1.2.0"]);
        assert_eq!(state.outcome.as_ref().unwrap().message().outcome, "updated");
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(UpdateState::parse(&text).unwrap(), state);
        assert!(UpdateState::parse("{").is_err());
    }

    /// Spec: agents-enrolment 29
    #[test]
    fn rolled_back_version_is_remembered_and_the_current_one_stays() {
        let mut state = UpdateState { trial: on_trial("v1.1.0"), ..UpdateState::default() };
        state.confirm();
        for patch in 0..40 {
            state.trial = on_trial(&format!("v1.2.{patch}"));
            state.roll_back("no heartbeat");
        }
        assert_eq!(state.current.as_ref().unwrap().version.to_string(), "v1.1.0");
        assert_eq!(state.rejected.len(), MAX_REJECTED);
        assert_eq!(state.rejected.last().unwrap().to_string(), "v1.2.39");
        let message = state.outcome.unwrap().message();
        assert_eq!((message.outcome.as_str(), message.detail.as_str()), ("rolled_back", "no heartbeat"));
    }

    #[test]
    fn detail_is_cut_at_a_character() {
        let outcome = Outcome::new("v1.0.0".into(), Ended::Failed, "ü".repeat(400));
        assert_eq!(outcome.message().detail.len(), MAX_DETAIL_BYTES);
        assert_eq!(
            Outcome::new(String::new(), Ended::Failed, format!("x{}", "ü".repeat(400))).detail.len(),
            511
        );
    }
}
