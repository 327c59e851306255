use ctops_fleet::hosts::MetricsConsumer;
use ctops_proto::queue::{DiskUse, LateSample, Measurements, NetworkRate, Report};
use ctops_testkit::a_host;

use super::support::{a_late_sample, a_sample, at, count, write};
use crate::hosts::support::{a_report, apply};
use crate::support::App;

fn measured() -> Measurements {
    Measurements {
        load1_centi: Some(150),
        swap_centi: Some(100),
        process_count: Some(300),
        disks: vec![DiskUse { mount_point: "/".into(), total_bytes: 10, used_bytes: 5, used_centi: 5_000 }],
        network: ["eth0", "eth1"]
            .map(|name| NetworkRate { name: name.into(), receive_bytes: 9, ..NetworkRate::default() })
            .to_vec(),
        ..Measurements::default()
    }
}

/// Spec: monitoring 2, 3
#[tokio::test]
async fn measurements_of_a_report_become_one_row_per_host_mount_point_and_interface() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let full = Report { measurements: Some(measured()), ..a_report(app.org, &host, at(0)) };
    let plain = a_report(app.org, &host, at(30));
    let delivery =
        Report { is_sample: false, measurements: Some(measured()), ..a_report(app.org, &host, at(31)) };
    assert_eq!(apply(&app, MetricsConsumer, &[full, plain, delivery]).await, []);
    let tables = ["metric_samples", "host_disk_samples", "host_network_samples"];
    let mut counts = Vec::new();
    for table in tables {
        counts.push(count(app.pool(), table).await);
    }
    assert_eq!(counts, [2, 1, 2]);
    let row: (Option<i32>, Option<i32>, Option<i16>, Option<i32>) = sqlx::query_as(
        "SELECT load1_centi, load5_centi, swap_centi, process_count FROM metric_samples ORDER BY recorded_at LIMIT 1",
    )
    .fetch_one(app.pool())
    .await
    .unwrap();
    assert_eq!(row, (Some(150), None, Some(100), Some(300)), "what was not measured is absent");
}

/// Spec: monitoring 4
#[tokio::test]
async fn samples_from_before_the_stream_become_history_and_no_current_figures() {
    let app = App::new().await;
    let host = a_host(app.org).never_seen().insert(app.pool()).await;
    let late = |seconds: i64| LateSample {
        recorded_at_ms: at(seconds).timestamp_millis(),
        cpu_centi: Some(9_000),
        measurements: Some(measured()),
        ..LateSample::default()
    };
    let report = Report {
        late_samples: vec![late(-3_600), late(-3_570), late(-30)],
        ..a_report(app.org, &host, at(0))
    };
    apply(&app, MetricsConsumer, &[report]).await;
    assert_eq!(count(app.pool(), "metric_samples").await, 4);
    assert_eq!(count(app.pool(), "host_network_samples").await, 6);
    let cpu: Option<i16> =
        sqlx::query_scalar("SELECT cpu_centi FROM host_vitals").fetch_one(app.pool()).await.unwrap();
    assert_eq!(cpu, Some(4_200));
}

/// Spec: monitoring 4
#[tokio::test]
async fn late_samples_that_were_delivered_before_are_kept_once() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let live = a_sample(&host, at(0), 100);
    write(app.pool(), std::slice::from_ref(&live), true).await;
    // Stored, but the stream ended before it was acknowledged: the agent sends it again as a late one, and that again.
    let again = |arrival| a_late_sample(&host, at(0), at(arrival), 100);
    let older = |arrival| a_late_sample(&host, at(-60), at(arrival), 100);
    write(app.pool(), &[again(60), older(60), older(61)], true).await;
    write(app.pool(), &[again(90), older(90)], true).await;
    assert_eq!(count(app.pool(), "metric_samples").await, 2);
    assert_eq!(count(app.pool(), "host_disk_samples").await, 2);
}

/// An agent's clock that was set back repeats seconds; its reports are still different ones.
#[tokio::test]
async fn two_reports_of_one_second_are_two_samples_and_a_replayed_one_is_not() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let first = a_sample(&host, at(0), 100);
    let mut second = a_sample(&host, at(0), 200);
    second.received_at = at(1);
    let batch = [first, second];
    write(app.pool(), &batch, true).await;
    write(app.pool(), &batch, true).await;
    write(app.pool(), &[batch.clone(), batch].concat(), true).await;
    assert_eq!(count(app.pool(), "metric_samples").await, 2);
}
