//! Names of the metrics this crate records.

use std::sync::Arc;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::handler::Handler;

pub(crate) const HANDLED: &str = "ctops_queue_handled_total";
pub(crate) const FAILED: &str = "ctops_queue_failed_total";
pub(crate) const PARKED: &str = "ctops_queue_parked_total";
pub(crate) const REPLAYED: &str = "ctops_queue_replayed_total";
pub(crate) const DEAD_LETTERS: &str = "ctops_queue_dead_letters";
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
    describe_counter!(REPLAYED, "Dead letters that were applied after all");
    describe_gauge!(
        DEAD_LETTERS,
        "Dead letters that were not replayed yet; told by the process that runs the periodic jobs"
    );
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

/// Tells how many dead letters each consumer has, as [`crate::dead_letters::count_waiting`] counted them.
pub fn report_dead_letters(handlers: &[Arc<dyn Handler>], counts: &[(String, String, i64)]) {
    for handler in handlers {
        let (group, topic) = (handler.group(), handler.topic().name());
        let count =
            counts.iter().find(|(of, on, _)| of == group && on == topic).map_or(0, |(_, _, count)| *count);
        gauge!(DEAD_LETTERS, "group" => group, "topic" => topic).set(count as f64);
    }
}
