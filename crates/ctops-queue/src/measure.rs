//! Names of the metrics this crate records.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const HANDLED: &str = "ctops_queue_handled_total";
pub(crate) const FAILED: &str = "ctops_queue_failed_total";
pub(crate) const PARKED: &str = "ctops_queue_parked_total";
pub(crate) const IN_FLIGHT: &str = "ctops_queue_in_flight";
pub(crate) const LAG: &str = "ctops_queue_lag_records";
pub(crate) const PUBLISHED: &str = "ctops_queue_published_total";
pub(crate) const STORE_FAILED: &str = "ctops_queue_store_failed_total";
pub(crate) const LOG_BYTES: &str = "ctops_queue_log_bytes";
pub(crate) const COMMIT_SECONDS: &str = "ctops_queue_commit_seconds";

/// Registers the help text and unit of every metric of this crate with the installed recorder.
pub fn describe_metrics() {
    describe_counter!(HANDLED, "Records applied by a consumer group");
    describe_counter!(FAILED, "Attempts of a consumer group that were rolled back");
    describe_counter!(PARKED, "Records a consumer group put aside as dead letters");
    describe_gauge!(IN_FLIGHT, "Records a consumer group is working on");
    describe_gauge!(LAG, "Records a consumer group has not applied yet");
    describe_counter!(PUBLISHED, "Records stored durably, by topic");
    describe_counter!(STORE_FAILED, "Commits of the embedded log that failed, by topic");
    describe_gauge!(LOG_BYTES, Unit::Bytes, "Disk space taken by the embedded log");
    describe_histogram!(
        COMMIT_SECONDS,
        Unit::Seconds,
        "Time to write and sync one group of records, by topic"
    );
}
