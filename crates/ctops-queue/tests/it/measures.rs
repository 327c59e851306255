//! What operators can measure.

use ctops_queue::{Queue, Topic, describe_metrics};
use ctops_testkit::wait_until;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::applier::{Applier, Consumer, Then, database, stored};
use crate::support::{LIMIT, open, small};

/// Spec: deployment 1
#[tokio::test]
async fn consumer_reports_handled_failed_parked_in_flight_and_lag() {
    let recorder = PrometheusBuilder::new().build_recorder();
    // The test's runtime has one thread, so its tasks report here.
    let _local = metrics::set_default_local_recorder(&recorder);
    describe_metrics();
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = open(small(directory.path(), &[Topic::METRICS_RAW])).await;
    let records = ["1", "2", "poison", "park", "5"].map(|payload| ("key".into(), payload.into()));
    log.publish_many(Topic::METRICS_RAW, records.to_vec()).await.unwrap();
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    wait_until(LIMIT, || async { stored(db.pool()).await.is_some_and(|(_, next)| next == 5) }).await;
    consumer.stop().await;
    let text = recorder.handle().render();
    let value = |name: &str| {
        let start = format!("{name}{{group=\"metrics\",topic=\"metrics.raw\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    assert_eq!(value("ctops_queue_handled_total"), "3");
    assert_eq!(value("ctops_queue_parked_total"), "2");
    // All five, then the last three, then "poison" by itself.
    assert_eq!(value("ctops_queue_failed_total"), "3");
    assert_eq!(value("ctops_queue_in_flight"), "0");
    assert_eq!(value("ctops_queue_lag_records"), "0");
    assert!(text.contains("# HELP ctops_queue_lag_records Records a consumer group has not applied yet"));
}
