//! Runs, targets and their limits.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The one kind of task that agents of the original product carry out; they refuse every other (wire contract 6.2).
pub const SOFTWARE_INVENTORY: &str = "software_inventory";

/// Tasks that one agent has at a time; further ones wait here (tasks 8).
pub(super) const TASKS_PER_AGENT: i64 = 4;
/// Output kept of one task, bytes. What crosses the limit is kept to the end of its batch, later output is dropped.
pub(super) const MAX_OUTPUT_BYTES: i64 = 1024 * 1024;
/// How long a run waits for hosts that are away (tasks 7).
pub(super) const START_WITHIN: TimeDelta = TimeDelta::hours(1);
/// A target without a result for so long has failed (wire contract 5.4).
pub(super) const STUCK_AFTER: TimeDelta = TimeDelta::minutes(60);
/// A cancellation without an answer for so long has succeeded (tasks 11).
pub(super) const CANCEL_WITHIN: TimeDelta = TimeDelta::minutes(2);
/// Output is kept for so long after the end of its run, the run itself for [`KEEP_RUNS`] (tasks 12).
pub(super) const KEEP_OUTPUT: TimeDelta = TimeDelta::days(90);
pub(super) const KEEP_RUNS: TimeDelta = TimeDelta::days(365);

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Organisation; hosts of others are left out.
    pub org_id: Uuid,
    /// Task type as agents know it.
    pub kind: String,
    /// Hosts, in the order in which they take their turns.
    pub host_ids: Vec<Uuid>,
    /// Configuration, a JSON object.
    pub config_json: String,
    /// Hosts at a time, 0 to 100; 0 means all.
    pub max_parallel: u8,
    /// Who started it; none means the system.
    pub created_by: Option<Uuid>,
}

/// A run that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedRun {
    /// The run.
    pub run_id: Uuid,
    /// Host and task id of each target.
    pub targets: Vec<(Uuid, Uuid)>,
}

/// A task as far as other slices need it to judge what an agent sends about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// The host it runs on.
    pub host_id: Uuid,
    /// The host's organisation.
    pub org_id: Uuid,
    /// Task type.
    pub kind: String,
    /// It was sent and has no result yet.
    pub is_open: bool,
}

/// A target that has not ended, with what its agent must know.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct OpenTarget {
    pub(super) id: Uuid,
    pub(super) run_id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) status: String,
    pub(super) kind: String,
    pub(super) config_json: String,
}

/// A run as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Run {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) max_parallel: i32,
    pub(super) creator_id: Option<Uuid>,
    pub(super) creator_name: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

/// One host of a run as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Target {
    pub(super) id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) hostname: String,
    pub(super) status: String,
    pub(super) skip_reason: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) result_json: Option<String>,
    pub(super) error: String,
    pub(super) output_bytes: i64,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}
