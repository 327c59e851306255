use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::hosts::{MetricsConsumer, StatusConsumer};
use ctops_testkit::{TestHost, a_host, a_organisation, start_time};
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{a_beginning, a_report, apply, some_facts};
use crate::support::{App, Person};

async fn names(app: &App, who: &Person, query: &str) -> String {
    let page = app.get(who, &format!("/hosts?{query}")).await.expect(200);
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["hostname"].as_str().unwrap()).collect()
}

/// Spec: hosts 11, 12
#[tokio::test]
async fn list_hosts_without_parameters_shows_the_first_fifty_by_name() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org)
        .named("web-1")
        .displayed_as("Shop")
        .with_vitals(1_234, 7_996, 5)
        .insert(app.pool())
        .await;
    let page = app.get(&viewer, "/hosts").await.expect(200);
    let expected = json!({
        "items": [{
            "id": host.id,
            "hostname": "web-1",
            "display_name": "Shop",
            "os": "debian",
            "os_version": null,
            "arch": "x86_64",
            "ip_addresses": ["10.0.0.1"],
            "status": "online",
            "stale": false,
            "cpu_percent": 12.3,
            "memory_percent": 80.0,
            "disk_percent": 0.1,
            "last_seen_at": "2026-06-03T11:59:50.000Z",
            "agent": { "id": host.agent_id, "version": "1.0.0" },
        }],
        "page": 1,
        "page_size": 50,
        "total": 1,
    });
    assert_eq!(page, expected);
}

/// Spec: hosts 1, 5
#[tokio::test]
async fn list_hosts_tells_stale_apart_from_offline_at_the_exact_second() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let seen = |seconds| start_time() - TimeDelta::seconds(seconds);
    a_host(app.org).named("a").seen_at(seen(900)).with_status("offline").insert(app.pool()).await;
    a_host(app.org).named("b").seen_at(seen(901)).insert(app.pool()).await;
    a_host(app.org).named("c").never_seen().with_status("unknown").without_agent().insert(app.pool()).await;
    assert_eq!(names(&app, &viewer, "stale=true").await, "bc");
    assert_eq!(names(&app, &viewer, "stale=false").await, "abc");
    let page = app.get(&viewer, "/hosts").await.expect(200);
    let stale: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["stale"].clone()).collect();
    assert_eq!(stale, [json!(false), json!(true), json!(true)]);
    assert_eq!(page["items"][2]["cpu_percent"], Value::Null, "missing is null and not 0");
    assert_eq!(page["items"][2]["agent"], Value::Null);
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(names(&app, &viewer, "stale=true").await, "abc");
}

/// Spec: hosts 12, 16, 18
#[tokio::test]
async fn list_hosts_beyond_the_end_is_empty_with_the_true_total() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    for n in 10..70 {
        a_host(app.org).named(&format!("h{n}")).insert(app.pool()).await;
    }
    let mut seen = Vec::new();
    for page in 1..=3 {
        let body = app.get(&viewer, &format!("/hosts?sort=cpu&page_size=25&page={page}")).await.expect(200);
        assert_eq!(
            (&body["total"], &body["page"], &body["page_size"]),
            (&json!(60), &json!(page), &json!(25))
        );
        let items = body["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["hostname"].as_str().unwrap().to_owned()));
    }
    let all: Vec<String> = (10..70).map(|n| format!("h{n}")).collect();
    assert_eq!(seen, all, "equal figures are ordered by name over all pages");
    for page in ["4", "4294967295"] {
        let body = app.get(&viewer, &format!("/hosts?page_size=25&page={page}")).await.expect(200);
        assert_eq!((&body["items"], &body["total"]), (&json!([]), &json!(60)));
    }
}

/// Spec: hosts 15
#[tokio::test]
async fn list_hosts_sorted_puts_absent_values_last_in_both_directions() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    a_host(app.org).named("B").with_vitals(100, 0, 0).insert(app.pool()).await;
    a_host(app.org).named("a").with_vitals(200, 0, 0).insert(app.pool()).await;
    a_host(app.org).named("c").never_seen().insert(app.pool()).await;
    for (sort, expected) in [("cpu", "Bac"), ("-cpu", "aBc"), ("hostname", "aBc"), ("-hostname", "cBa")] {
        assert_eq!(names(&app, &viewer, &format!("sort={sort}")).await, expected, "{sort}");
    }
}

/// Spec: hosts 13, 14, 17
#[tokio::test]
async fn list_hosts_narrowed_finds_text_literally_and_by_every_filter() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    a_host(app.org).named("a").displayed_as("100%").with_addresses(&["10.1.2.3"]).insert(app.pool()).await;
    a_host(app.org).named("b_1").on(None, None).with_status("offline").insert(app.pool()).await;
    a_host(app.org).named("b-1").with_vitals(0, 8_000, 0).with_agent_version("9.9").insert(app.pool()).await;
    for (query, expected) in [
        ("search=%25", "a"),
        ("search=B_", "b_1"),
        ("search=%20%20b-%20", "b-1"),
        ("search=1.2.3", "a"),
        ("search=%5C", ""),
        ("status=offline", "b_1"),
        ("status=offline&search=a", ""),
        ("os=unknown", "b_1"),
        ("os=debian", "ab-1"),
        ("arch=unknown", "b_1"),
        ("agent_version=9.9", "b-1"),
        ("hot=memory", "b-1"),
        ("search=&os=&status=&sort=-hostname", "b_1b-1a"),
    ] {
        assert_eq!(names(&app, &viewer, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn list_hosts_with_bad_parameters_names_each() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let long = "x".repeat(201);
    for (query, field) in [
        ("sort=ip", "sort"),
        ("status=ONLINE", "status"),
        ("hot=swap", "hot"),
        ("stale=1", "stale"),
        ("page=0", "page"),
        ("page_size=51", "page_size"),
        (&format!("search={long}"), "search"),
    ] {
        let answer = app.get(&viewer, &format!("/hosts?{query}")).await;
        assert_eq!(answer.code(422), "validation_failed", "{query}");
        assert_eq!(answer.json()["fields"][0]["path"], field, "{query}");
    }
    let unknown = app.get(&viewer, "/hosts?org_id=1").await;
    assert_eq!(unknown.code(422), "unknown_field");
    assert_eq!(unknown.json()["fields"][0]["path"], "org_id");
    for malformed in ["page=1&page=2", "search=a%00b"] {
        assert_eq!(app.get(&viewer, &format!("/hosts?{malformed}")).await.code(400), "malformed_query");
    }
}

#[tokio::test]
async fn hosts_without_sign_in_are_refused_and_every_role_reads_them() {
    let app = App::new().await;
    let host = a_host(app.org).insert(app.pool()).await.id;
    let paths = [
        "/hosts".to_owned(),
        "/hosts/summary".into(),
        "/hosts/facets".into(),
        format!("/hosts/{host}"),
        format!("/hosts/{host}/samples"),
        format!("/hosts/{host}/events"),
        "/events?topics=fleet".into(),
    ];
    for path in &paths {
        assert_eq!(
            app.send(None, "GET", path, None, [127, 0, 0, 1]).await.code(401),
            "unauthenticated",
            "{path}"
        );
    }
    for role in Role::ALL {
        let person = app.person(role).await;
        for path in &paths[..5] {
            app.get(&person, path).await.expect(200);
        }
    }
}

#[tokio::test]
async fn hosts_of_another_organisation_and_deleted_ones_are_not_there() {
    let app = App::new().await;
    let viewer = app.person(Role::SuperAdmin).await;
    let other = a_organisation(app.pool()).await;
    let foreign = a_host(other).named("foreign").insert(app.pool()).await.id;
    let deleted = a_host(app.org).named("deleted").insert(app.pool()).await.id;
    let mut tx = app.pool().begin().await.unwrap();
    assert!(ctops_fleet::hosts::soft_delete(&mut tx, deleted, None, start_time()).await.unwrap());
    tx.commit().await.unwrap();
    for id in [foreign.to_string(), deleted.to_string(), Uuid::nil().to_string(), "web-1".into()] {
        for rest in ["", "/samples", "/events"] {
            assert_eq!(
                app.get(&viewer, &format!("/hosts/{id}{rest}")).await.code(404),
                "not_found",
                "{id}{rest}"
            );
        }
    }
    assert_eq!(names(&app, &viewer, "").await, "");
    assert_eq!(app.get(&viewer, "/hosts/summary").await.expect(200)["total"], 0);
    assert_eq!(app.get(&viewer, "/hosts/facets").await.expect(200)["os"], json!([]));
}

/// Spec: hosts 7, 8
#[tokio::test]
async fn host_summary_counts_cards_and_hotspots() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let empty = app.get(&viewer, "/hosts/summary").await.expect(200);
    assert_eq!(empty["online_percent"], Value::Null, "no percentage of nothing");
    a_host(app.org).with_vitals(8_000, 7_999, 10_000).insert(app.pool()).await;
    a_host(app.org).with_vitals(1, 8_001, 0).insert(app.pool()).await;
    a_host(app.org).with_vitals(9_999, 9_999, 9_999).with_status("offline").insert(app.pool()).await;
    let new = a_host(app.org).never_seen().with_status("pending").with_agent("pending");
    new.insert(app.pool()).await;
    let summary = app.get(&viewer, "/hosts/summary").await.expect(200);
    let expected = json!({
        "total": 4,
        "online": 2,
        "online_percent": 50,
        "offline": 1,
        "unknown": 0,
        "stale": 1,
        "pending_approval": 1,
        "hotspots": { "cpu": 1, "memory": 1, "disk": 1 },
    });
    assert_eq!(summary, expected);
}

/// Spec: hosts 9
#[tokio::test]
async fn host_facets_list_the_largest_groups_first_and_unknown_as_null() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    for (os, count) in [(Some("debian"), 3), (Some("alpine"), 2), (None, 2), (Some("windows"), 1)] {
        for _ in 0..count {
            a_host(app.org).on(os, Some("amd64")).insert(app.pool()).await;
        }
    }
    let facets = app.get(&viewer, "/hosts/facets").await.expect(200);
    let expected = json!({
        "os": [
            { "value": "debian", "count": 3, "percent": 38 },
            { "value": "alpine", "count": 2, "percent": 25 },
            { "value": null, "count": 2, "percent": 25 },
            { "value": "windows", "count": 1, "percent": 13 },
        ],
        "arch": [{ "value": "amd64", "count": 8, "percent": 100 }],
        "agent_version": [{ "value": "1.0.0", "count": 8, "percent": 100 }],
    });
    assert_eq!(facets, expected);
}

async fn a_known_host(app: &App) -> TestHost {
    let host = a_host(app.org).named("web-1").insert(app.pool()).await;
    let admin = app.person(Role::OrgAdmin).await.actor.user_id;
    sqlx::query(
        "UPDATE agents SET approved_by = $2, client_cert_serial = 'abc1', client_cert_not_after = $3 WHERE id = $1",
    )
    .bind(&host.agent_id)
    .bind(admin)
    .bind(start_time() + TimeDelta::days(90))
    .execute(app.pool())
    .await
    .unwrap();
    let at = start_time() + TimeDelta::milliseconds(1_500);
    let report = ctops_proto::queue::Report { facts: Some(some_facts()), ..a_report(app.org, &host, at) };
    apply(app, MetricsConsumer, &[report]).await;
    apply(app, StatusConsumer, &[a_beginning(app.org, &host, Uuid::now_v7())]).await;
    host
}

/// Spec: hosts 26
#[tokio::test]
async fn get_host_shows_facts_figures_and_the_agent() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_known_host(&app).await;
    let mut body = app.get(&viewer, &format!("/hosts/{}", host.id)).await.expect(200);
    let agent = body["agent"].take();
    let expected = json!({
        "id": host.id,
        "hostname": "web-1",
        "display_name": "",
        "os": "alpine",
        "os_version": "3.20",
        "arch": "aarch64",
        "ip_addresses": ["192.0.2.9"],
        "status": "online",
        "stale": false,
        "cpu_percent": 42.0,
        "memory_percent": 50.0,
        "disk_percent": 60.0,
        "last_seen_at": "2026-06-03T12:00:01.500Z",
        "first_seen_at": "2026-06-03T12:00:00.000Z",
        "uptime_seconds": 77,
        "clock_skewed": false,
        "recorded_at": "2026-06-03T12:00:01.500Z",
        "disks": [{
            "mount_point": "/", "device": "/dev/vda1", "fs_type": "ext4",
            "total_bytes": 100, "used_bytes": 25, "free_bytes": 75, "percent_used": 25.0,
        }],
        "interfaces": [{
            "name": "eth0", "ip_addresses": ["192.0.2.9", "fe80::1"],
            "mac_address": "02:00:00:00:00:09", "is_up": true,
        }],
        "agent": null,
    });
    assert_eq!(body, expected);
    assert_eq!(agent["id"], json!(host.agent_id));
    assert_eq!((&agent["version"], &agent["status"]), (&json!("2.1.0"), &json!("active")));
    assert_eq!(agent["approved_by"]["name"], "Test User");
    assert!(agent["key_fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    let certificate = json!({ "serial": "abc1", "not_after": "2026-09-01T12:00:00.000Z" });
    assert_eq!(agent["certificate"], certificate);
    assert_eq!(agent["last_heartbeat_at"], "2026-06-03T12:00:01.500Z");
    assert_eq!(agent["heartbeat_interval_seconds"], 30);
}

#[tokio::test]
async fn get_host_without_agent_or_facts_leaves_them_out() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).without_agent().never_seen().insert(app.pool()).await.id;
    let body = app.get(&viewer, &format!("/hosts/{host}")).await.expect(200);
    assert_eq!(
        (&body["agent"], &body["disks"], &body["recorded_at"]),
        (&Value::Null, &json!([]), &Value::Null)
    );
}

/// Spec: monitoring 1, 3
#[tokio::test]
async fn host_samples_are_those_of_the_minutes_asked_for_oldest_first() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let reports: Vec<_> = [90, 59, 30]
        .map(|minutes| a_report(app.org, &host, start_time() - TimeDelta::minutes(minutes)))
        .into_iter()
        .map(|report| ctops_proto::queue::Report { memory_centi: None, ..report })
        .collect();
    apply(&app, MetricsConsumer, &reports).await;
    let path = format!("/hosts/{}/samples", host.id);
    let body = app.get(&viewer, &path).await.expect(200);
    let sample =
        |at: &str| json!({ "at": at, "cpu_percent": 42.0, "memory_percent": null, "disk_percent": 60.0 });
    let expected = [sample("2026-06-03T11:01:00.000Z"), sample("2026-06-03T11:30:00.000Z")];
    assert_eq!(body["items"], json!(expected));
    assert_eq!(
        app.get(&viewer, &format!("{path}?minutes=120")).await.expect(200)["items"].as_array().unwrap().len(),
        3
    );
    for bad in ["minutes=0", "minutes=1441", "minutes=x"] {
        assert_eq!(app.get(&viewer, &format!("{path}?{bad}")).await.code(422), "validation_failed", "{bad}");
    }
    assert_eq!(app.get(&viewer, &format!("{path}?hours=1")).await.code(422), "unknown_field");
}
