//! Metrics of this node. Labels come from closed lists.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const CONNECTIONS: &str = "ctops_ingest_connections";
pub(crate) const HANDSHAKES: &str = "ctops_ingest_handshakes_total";
pub(crate) const STREAMS: &str = "ctops_ingest_streams";
pub(crate) const STREAMS_ENDED: &str = "ctops_ingest_streams_ended_total";
pub(crate) const HEARTBEATS: &str = "ctops_ingest_heartbeats_total";
pub(crate) const CORRECTED: &str = "ctops_ingest_heartbeats_corrected_total";
pub(crate) const LATE_DROPPED: &str = "ctops_ingest_late_samples_dropped_total";
pub(crate) const ACK_SECONDS: &str = "ctops_ingest_ack_seconds";
pub(crate) const RESULTS_DROPPED: &str = "ctops_ingest_results_dropped_total";
pub(crate) const WORK_SENT: &str = "ctops_ingest_work_sent_total";
pub(crate) const WORK_FAILED: &str = "ctops_ingest_work_failed_total";
pub(crate) const REFUSED: &str = "ctops_ingest_refused_total";
pub(crate) const REGISTRATIONS: &str = "ctops_ingest_registrations_total";
pub(crate) const DOWNLOADS: &str = "ctops_ingest_release_downloads_total";
pub(crate) const RENEWALS: &str = "ctops_ingest_renewals_total";
pub(crate) const LEASE_LAPSES: &str = "ctops_ingest_node_lease_lapses_total";

pub(crate) const INVENTORIES: &str = "ctops_ingest_inventories_total";
pub(crate) const CONTAINER_BATCHES: &str = "ctops_ingest_container_batches_total";

/// Describes every metric of this crate to the recorder.
pub fn describe_metrics() {
    describe_gauge!(CONNECTIONS, Unit::Count, "open connections");
    describe_counter!(HANDSHAKES, Unit::Count, "finished TLS handshakes by outcome");
    describe_gauge!(STREAMS, Unit::Count, "open heartbeat streams");
    describe_counter!(STREAMS_ENDED, Unit::Count, "ended heartbeat streams by reason");
    describe_counter!(HEARTBEATS, Unit::Count, "heartbeats made durable and acknowledged");
    describe_counter!(CORRECTED, Unit::Count, "heartbeats of which something was cut, clamped or left out");
    describe_counter!(
        LATE_DROPPED,
        Unit::Count,
        "samples from before a stream left out for their time or number"
    );
    describe_histogram!(ACK_SECONDS, Unit::Seconds, "time from reading a heartbeat to its being durable");
    describe_counter!(RESULTS_DROPPED, Unit::Count, "results of agents left out because they make no sense");
    describe_counter!(WORK_SENT, Unit::Count, "pieces of work handed to streams, by feature");
    describe_counter!(
        WORK_FAILED,
        Unit::Count,
        "questions for work that a feature could not answer, by feature"
    );
    describe_counter!(REFUSED, Unit::Count, "calls refused before they reached their method, by reason");
    describe_counter!(REGISTRATIONS, Unit::Count, "answers to Register by status");
    describe_counter!(DOWNLOADS, Unit::Count, "calls of FetchRelease by outcome");
    describe_counter!(RENEWALS, Unit::Count, "answers to RenewCertificate by outcome");
    describe_counter!(INVENTORIES, Unit::Count, "software inventories by outcome");
    describe_counter!(CONTAINER_BATCHES, Unit::Count, "batches of container telemetry by outcome");
    describe_counter!(LEASE_LAPSES, Unit::Count, "times this node regained a lease that had run out");
}
