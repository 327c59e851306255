use chrono::TimeDelta;
use ctops_fleet::hosts::MetricsConsumer;
use ctops_proto::queue::Report;
use ctops_testkit::{TestHost, a_host, a_organisation, start_time};
use prost::Message;

use super::support::{Consumer, a_report, apply, some_facts};
use crate::support::App;

/// The state a report can change: status, figures, times, facts, agent version, samples.
async fn state(app: &App, host: &TestHost) -> String {
    sqlx::query_scalar(
        "SELECT jsonb_build_array(to_jsonb(v), to_jsonb(h), (SELECT a.version FROM agents a WHERE a.host_id = h.id),
                                  (SELECT jsonb_agg(s ORDER BY s.recorded_at) FROM metric_samples s
                                   WHERE s.host_id = h.id))::text
         FROM hosts h LEFT JOIN host_vitals v ON v.host_id = h.id
         WHERE h.id = $1",
    )
    .bind(host.id)
    .fetch_one(app.pool())
    .await
    .unwrap()
}

async fn sample_count(app: &App) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM metric_samples").fetch_one(app.pool()).await.unwrap()
}

async fn cpu(app: &App, host: &TestHost) -> Option<i16> {
    sqlx::query_scalar("SELECT cpu_centi FROM host_vitals WHERE host_id = $1")
        .bind(host.id)
        .fetch_one(app.pool())
        .await
        .unwrap()
}

/// Spec: monitoring 3
#[tokio::test]
async fn reports_through_the_queue_become_samples_figures_and_facts() {
    let app = App::new().await;
    let host = a_host(app.org).never_seen().insert(app.pool()).await;
    let metrics = Consumer::start(&app, MetricsConsumer).await;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let first = Report { facts: Some(some_facts()), cpu_centi: Some(100), ..a_report(app.org, &host, at(0)) };
    let second = Report { cpu_centi: Some(200), ..a_report(app.org, &host, at(30)) };
    let delivery = Report { is_sample: false, cpu_centi: Some(999), ..a_report(app.org, &host, at(31)) };
    let payloads = [first, second, delivery].map(|report| report.encode_to_vec());
    metrics.deliver(&app, payloads.to_vec()).await;
    assert_eq!(sample_count(&app).await, 2, "one row per scheduled heartbeat");
    assert_eq!(cpu(&app, &host).await, Some(200), "a delivery of results is no measurement");
    let row: (String, String, Vec<String>, Option<String>, chrono::DateTime<chrono::Utc>) = sqlx::query_as(
        "SELECT h.os, v.arch, h.ip_addresses, a.version, v.last_seen_at
         FROM hosts h JOIN host_vitals v ON v.host_id = h.id JOIN agents a ON a.host_id = h.id",
    )
    .fetch_one(app.pool())
    .await
    .unwrap();
    let expected =
        ("alpine".into(), "aarch64".into(), vec!["192.0.2.9".into()], Some("2.1.0".into()), at(31));
    assert_eq!(row, expected, "but it is a sign of life");
}

#[tokio::test]
async fn poison_through_the_queue_is_parked_and_its_neighbours_are_applied() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let metrics = Consumer::start(&app, MetricsConsumer).await;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let good = |seconds| a_report(app.org, &host, at(seconds)).encode_to_vec();
    let too_much = Report { cpu_centi: Some(10_001), ..a_report(app.org, &host, at(1)) }.encode_to_vec();
    metrics.deliver(&app, vec![good(0), b"\xff\xff".to_vec(), too_much, good(2)]).await;
    assert_eq!(sample_count(&app).await, 2);
    let letters: Vec<(i64, String)> = sqlx::query_as(
        "SELECT \"offset\", reason FROM dead_letters WHERE group_name = 'metrics' ORDER BY \"offset\"",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters[0].1.contains("not a report") && letters[1].1.contains("cpu_centi"), "{letters:?}");
}

#[tokio::test]
async fn same_batch_twice_changes_nothing() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let batch = [
        Report { facts: Some(some_facts()), ..a_report(app.org, &host, at(0)) },
        Report { cpu_centi: None, ..a_report(app.org, &host, at(30)) },
    ];
    apply(&app, MetricsConsumer, &batch).await;
    let after_first = state(&app, &host).await;
    assert!(after_first.contains("192.0.2.9") && after_first.contains("2.1.0"), "{after_first}");
    apply(&app, MetricsConsumer, &batch).await;
    assert_eq!(state(&app, &host).await, after_first);
    let doubled = [batch.as_slice(), batch.as_slice()].concat();
    apply(&app, MetricsConsumer, &doubled).await;
    assert_eq!(state(&app, &host).await, after_first, "also twice in one batch");
}

/// Spec: monitoring 4
#[tokio::test]
async fn late_reports_become_history_and_leave_the_current_figures_alone() {
    let app = App::new().await;
    let host = a_host(app.org).never_seen().insert(app.pool()).await;
    let report = |recorded, received, cpu| Report {
        recorded_at_ms: (start_time() + TimeDelta::seconds(recorded)).timestamp_millis(),
        cpu_centi: Some(cpu),
        ..a_report(app.org, &host, start_time() + TimeDelta::seconds(received))
    };
    apply(&app, MetricsConsumer, &[report(0, 0, 1_000)]).await;
    apply(&app, MetricsConsumer, &[report(-3_600, 5, 2_000), report(-1_800, 6, 3_000)]).await;
    assert_eq!(cpu(&app, &host).await, Some(1_000));
    assert_eq!(sample_count(&app).await, 3);
    let seen: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT last_seen_at FROM host_vitals").fetch_one(app.pool()).await.unwrap();
    assert_eq!(seen, start_time() + TimeDelta::seconds(6), "they are signs of life all the same");
    apply(&app, MetricsConsumer, &[report(30, 30, 4_000), report(10, 31, 5_000)]).await;
    assert_eq!(cpu(&app, &host).await, Some(4_000));
}

/// Spec: monitoring 1, 4
#[tokio::test]
async fn absent_values_and_a_skewed_clock_show_on_the_host_until_the_next_report() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let skewed = async || -> (bool, Option<i16>, Option<i64>) {
        sqlx::query_as("SELECT clock_skewed, cpu_centi, uptime_seconds FROM host_vitals")
            .fetch_one(app.pool())
            .await
            .unwrap()
    };
    let odd = Report {
        clock_skewed: true,
        cpu_centi: None,
        uptime_seconds: None,
        ..a_report(app.org, &host, at(1))
    };
    apply(&app, MetricsConsumer, &[odd]).await;
    assert_eq!(skewed().await, (true, None, None), "a value that cannot be read is absent, never 0");
    apply(&app, MetricsConsumer, &[a_report(app.org, &host, at(2))]).await;
    assert_eq!(skewed().await, (false, Some(4_200), Some(77)));
}

#[tokio::test]
async fn reports_of_hosts_that_are_not_there_are_dropped_without_holding_up_others() {
    let app = App::new().await;
    let other = a_organisation(app.pool()).await;
    let [here, deleted] =
        [a_host(app.org).insert(app.pool()).await, a_host(app.org).insert(app.pool()).await];
    let mut tx = app.pool().begin().await.unwrap();
    ctops_fleet::hosts::soft_delete(&mut tx, deleted.id, None, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let before = state(&app, &deleted).await;
    let at = start_time() + TimeDelta::seconds(1);
    let stranger = TestHost { id: uuid::Uuid::nil(), ..here.clone() };
    let batch = [
        Report { facts: Some(some_facts()), ..a_report(app.org, &deleted, at) },
        a_report(app.org, &stranger, at),
        Report { cpu_centi: Some(1), ..a_report(other, &here, at + TimeDelta::seconds(1)) },
        a_report(app.org, &here, at),
    ];
    assert_eq!(apply(&app, MetricsConsumer, &batch).await, [], "nothing to look at for an operator");
    assert_eq!(sample_count(&app).await, 1);
    assert_eq!(cpu(&app, &here).await, Some(4_200), "another organisation's report changes nothing");
    assert_eq!(state(&app, &deleted).await.replace("2.1.0", "1.0.0"), before);
}

/// Spec: hosts 9, 13
#[tokio::test]
async fn facts_that_changed_are_found_by_search_and_empty_ones_say_nothing() {
    let app = App::new().await;
    let viewer = app.person(ctops_base::Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let facts = Report { facts: Some(some_facts()), ..a_report(app.org, &host, at(0)) };
    let silent = Report { facts: Some(Default::default()), ..a_report(app.org, &host, at(1)) };
    apply(&app, MetricsConsumer, &[facts]).await;
    apply(&app, MetricsConsumer, &[silent]).await;
    let page = app.get(&viewer, "/hosts?search=192.0.2.9&os=alpine&arch=aarch64&agent_version=2.1.0").await;
    assert_eq!(page.expect(200)["total"], 1);
    assert_eq!(app.get(&viewer, "/hosts/facets").await.expect(200)["os"][0]["value"], "alpine");
    assert_eq!(
        app.get(&viewer, "/hosts?search=10.0.0.1").await.expect(200)["total"],
        0,
        "the old address is gone"
    );
}
