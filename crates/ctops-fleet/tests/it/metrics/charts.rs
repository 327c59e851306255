use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::metrics::NewSample;
use ctops_testkit::{a_host, a_organisation};
use serde_json::{Value, json};

use super::support::{a_sample, at, keep, roll, write};
use crate::support::{App, Person};

async fn chart(app: &App, who: &Person, host: uuid::Uuid, query: &str) -> Value {
    app.get(who, &format!("/hosts/{host}/metrics?{query}")).await.expect(200)
}

/// Spec: monitoring 6, 8, 9
#[tokio::test]
async fn every_metric_is_drawn_with_its_unit_and_labels() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(-60), 4_256)], true).await;
    let all = "cpu,memory,disk,swap,load1,load5,load15,processes,mount_disk,network_receive,network_transmit,\
               network_receive_errors,network_transmit_errors";
    let answer = chart(&app, &viewer, host.id, &format!("range=1h&metrics={all}")).await;
    assert_eq!(
        (&answer["bucket_seconds"], &answer["source"], &answer["clipped"]),
        (&json!(null), &json!("raw"), &json!(false))
    );
    let figures: Vec<(String, Value, f64)> = answer["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            (
                s["metric"].as_str().unwrap().to_owned(),
                s["labels"].clone(),
                s["points"][0][1].as_f64().unwrap(),
            )
        })
        .collect();
    let eth = json!({"interface": "eth0"});
    let expected = [
        ("cpu", json!({}), 42.56),
        ("memory", json!({}), 50.0),
        ("swap", json!({}), 21.28),
        ("load1", json!({}), 127.68),
        ("load5", json!({}), 0.2),
        ("processes", json!({}), 300.0),
        ("mount_disk", json!({"mount_point": "/"}), 25.0),
        ("network_receive", eth.clone(), 4_256_000.0),
        ("network_transmit", eth.clone(), 5.0),
        ("network_receive_errors", eth.clone(), 0.0),
        ("network_transmit_errors", eth, 2.5),
    ];
    assert_eq!(
        figures,
        expected.map(|(name, labels, figure)| (name.to_owned(), labels, figure)),
        "absent ones are absent"
    );
    assert_eq!(answer["series"][0]["points"][0][0], "2026-06-03T11:59:00.000Z");
}

/// Spec: monitoring 7, 8, 9
#[tokio::test]
async fn short_peaks_stay_visible_in_every_range_and_the_answer_names_its_source() {
    let app = App::new().await;
    keep(&app).await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let day: Vec<NewSample> =
        (0..2_880).map(|n| a_sample(&host, at(n * 30), if n == 2_800 { 9_900 } else { 1_000 })).collect();
    write(app.pool(), &day, true).await;
    app.clock.advance(TimeDelta::days(1));
    roll(&app).await;
    let ranges = [
        ("1h", None, "raw"),
        ("6h", Some(120), "1m"),
        ("24h", Some(300), "1m"),
        ("7d", Some(3_600), "1h"),
        ("30d", Some(14_400), "1h"),
    ];
    for (range, bucket, source) in ranges {
        let answer = chart(&app, &viewer, host.id, &format!("range={range}&metrics=cpu")).await;
        assert_eq!(
            (&answer["bucket_seconds"], &answer["source"]),
            (&json!(bucket), &json!(source)),
            "{range}"
        );
        let points = answer["series"][0]["points"].as_array().unwrap();
        assert!(points.len() <= 300 && points.len() > 5, "{range}: {}", points.len());
        let highest = points.iter().filter_map(|point| point[3].as_f64()).fold(0.0, f64::max);
        assert_eq!(highest, 99.0, "{range}");
        assert!(bucket.is_none() || points.iter().all(|point| point[2] == 10.0), "{range}");
    }
}

/// Spec: monitoring 9
#[tokio::test]
async fn silence_is_a_gap_in_the_line() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let samples: Vec<NewSample> =
        [0, 30, 60, 600, 630].map(|second| a_sample(&host, at(second), 1_000)).to_vec();
    write(app.pool(), &samples, true).await;
    app.clock.advance(TimeDelta::minutes(20));
    for range in ["1h", "6h"] {
        let answer = chart(&app, &viewer, host.id, &format!("range={range}&metrics=cpu")).await;
        let points = answer["series"][0]["points"].as_array().unwrap();
        let gaps = points.iter().filter(|point| point[1].is_null()).count();
        assert_eq!(gaps, 1, "{range}: {points:?}");
    }
}

/// Spec: monitoring 7
#[tokio::test]
async fn zoomed_windows_are_drawn_at_their_own_bucket() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    write(app.pool(), &[a_sample(&host, at(0), 1_000)], true).await;
    app.clock.advance(TimeDelta::days(3));
    roll(&app).await;
    let zoom = "from=2026-06-03T11:30:00Z&to=2026-06-03T12:30:00Z&bucket=auto&metrics=cpu";
    let answer = chart(&app, &viewer, host.id, zoom).await;
    assert_eq!((&answer["source"], &answer["to"]), (&json!("raw"), &json!("2026-06-03T12:30:00.000Z")));
    assert_eq!(answer["series"][0]["points"].as_array().unwrap().len(), 1);
    let wide = "from=2026-06-03T01:00:00Z&to=2026-06-04T01:00:00Z&metrics=cpu";
    assert_eq!(chart(&app, &viewer, host.id, wide).await["bucket_seconds"], 300);
}

/// Spec: monitoring 12
#[tokio::test]
async fn heartbeat_gaps_are_those_between_consecutive_heartbeats_and_the_largest_of_a_bucket() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let mut seconds: Vec<i64> = (0..40).map(|n| n * 30).collect();
    seconds.retain(|second| !(301..900).contains(second));
    let samples: Vec<NewSample> = seconds.iter().map(|second| a_sample(&host, at(*second), 1)).collect();
    write(app.pool(), &samples, true).await;
    app.clock.advance(TimeDelta::minutes(25));
    let path = |range: &str| format!("/hosts/{}/metrics/heartbeat-gaps?range={range}", host.id);
    let every = app.get(&viewer, &path("1h")).await.expect(200);
    assert_eq!((&every["source"], &every["bucket_seconds"]), (&json!("raw"), &json!(null)));
    assert_eq!(every["points"].as_array().unwrap().len(), seconds.len() - 1);
    assert!(every["points"].as_array().unwrap().contains(&json!(["2026-06-03T12:15:00.000Z", 600.0])));
    for rolled in [false, true] {
        if rolled {
            roll(&app).await;
        }
        let wide = app.get(&viewer, &path("24h")).await.expect(200);
        assert_eq!((&wide["source"], &wide["bucket_seconds"]), (&json!("1m"), &json!(300)));
        let points = wide["points"].as_array().unwrap();
        assert_eq!(points.iter().filter(|point| point[1] == 600.0).count(), 1, "{points:?}");
        assert!(
            points.contains(&json!(["2026-06-03T12:15:00.000Z", 600.0])),
            "in the bucket in which it ended"
        );
    }
}

/// Spec: monitoring 11
#[tokio::test]
async fn offline_periods_come_from_the_agents_history() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let history = [
        ("active", -90_000),
        ("offline", -89_000),
        ("active", -80_000),
        ("offline", -600),
        ("active", -300),
        ("offline", -60),
    ];
    for (status, second) in history {
        sqlx::query(
            "INSERT INTO agent_status_history (agent_id, status, reason, at) VALUES ($1, $2, 'silent', $3)",
        )
        .bind(host.agent_id.as_deref())
        .bind(status)
        .bind(at(second))
        .execute(app.pool())
        .await
        .unwrap();
    }
    let periods =
        app.get(&viewer, &format!("/hosts/{}/offline-periods?range=24h", host.id)).await.expect(200);
    let times: Vec<(String, Value)> = periods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["from"].as_str().unwrap().to_owned(), item["to"].clone()))
        .collect();
    let text = |second| at(second).format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let expected =
        [(text(-89_000), json!(text(-80_000))), (text(-600), json!(text(-300))), (text(-60), json!(null))];
    assert_eq!(times, expected, "one that began before the window and reaches into it counts");
}

#[tokio::test]
async fn charts_of_other_organisations_hosts_are_not_found_and_bad_questions_refused() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let stranger = app.person_of(a_organisation(app.pool()).await, Role::SuperAdmin).await;
    let host = a_host(app.org).insert(app.pool()).await;
    for path in ["metrics", "metrics/heartbeat-gaps", "offline-periods"] {
        let path = format!("/hosts/{}/{path}", host.id);
        app.get(&viewer, &path).await.expect(200);
        assert_eq!(app.get(&stranger, &path).await.expect(404)["code"], "not_found");
        app.get(&viewer, &format!("{path}?range=2h")).await.expect(422);
        app.get(&viewer, &format!("{path}?from=2026-06-02T00:00:00Z&to=2026-06-01T00:00:00Z"))
            .await
            .expect(422);
    }
    assert_eq!(
        app.get(&viewer, &format!("/hosts/{}/metrics?metrics=gpu", host.id)).await.expect(422)["code"],
        "validation_failed"
    );
    app.get(&viewer, &format!("/hosts/{}/metrics", uuid::Uuid::nil())).await.expect(404);
}

#[tokio::test]
async fn windows_before_retention_are_clipped() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let answer = chart(&app, &viewer, host.id, "from=2025-07-01T00:00:00Z&to=2026-06-01T00:00:00Z").await;
    assert_eq!((&answer["clipped"], &answer["source"]), (&json!(true), &json!("1d")));
    assert_eq!(answer["from"], "2025-12-05T00:00:00.000Z");
    assert_eq!(answer["series"], json!([]));
}
