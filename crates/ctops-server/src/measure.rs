//! Metrics of the process itself.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const LEADER: &str = "ctops_server_leader";
pub(crate) const LEADER_CHANGES: &str = "ctops_server_leader_changes_total";
pub(crate) const JOB_RUNS: &str = "ctops_server_job_runs_total";
pub(crate) const JOB_SECONDS: &str = "ctops_server_job_seconds";
pub(crate) const CERTIFICATE_ENDS: &str = "ctops_server_certificate_not_after_seconds";
pub(crate) const CERTIFICATE_CHANGES: &str = "ctops_server_certificate_changes_total";

/// Describes every metric of this crate to the recorder.
pub fn describe_metrics() {
    describe_gauge!(LEADER, Unit::Count, "1 while this process runs the periodic jobs of the installation");
    describe_counter!(LEADER_CHANGES, Unit::Count, "times this process became or ceased to be the leader");
    describe_counter!(JOB_RUNS, Unit::Count, "runs of periodic jobs by job and outcome");
    describe_histogram!(JOB_SECONDS, Unit::Seconds, "time a run of a periodic job took, by job");
    describe_gauge!(
        CERTIFICATE_ENDS,
        Unit::Seconds,
        "end of the certificate that is shown, as Unix time, by listener (web, ingest)"
    );
    describe_counter!(
        CERTIFICATE_CHANGES,
        Unit::Count,
        "certificates exchanged while running, by listener and outcome (used, refused)"
    );
}
