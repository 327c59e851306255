//! Containers, runtimes and settings over the API.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Role;
use ctops_fleet::containers::{TelemetrySource, store_batch};
use ctops_proto::agent::{DockerContainerInventory, DockerContainerMetricSample, DockerTelemetryBatch};
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};

use crate::support::{App, Person};

fn item(id: &str, name: &str, state: &str) -> DockerContainerInventory {
    let label = |key: &str, value: &str| ctops_proto::agent::DockerContainerLabel {
        key: key.into(),
        value: value.into(),
    };
    DockerContainerInventory {
        docker_container_id: id.to_owned(),
        names: vec![name.to_owned()],
        image: format!("registry/{name}:1"),
        state: state.to_owned(),
        status: if state == "running" {
            "Up 1 minute (healthy)".into()
        } else {
            "Exited (3) 1 minute ago".into()
        },
        labels: vec![label("com.docker.compose.project", "shop")],
        ..DockerContainerInventory::default()
    }
}

/// A complete inventory, stored as ingest does.
async fn inventory(app: &App, host: &TestHost, id: &str, inventory: Vec<DockerContainerInventory>) {
    let batch = DockerTelemetryBatch {
        batch_id: id.to_owned(),
        inventory_id: id.to_owned(),
        inventory_total: u32::try_from(inventory.len()).unwrap(),
        inventory,
        ..DockerTelemetryBatch::default()
    };
    let source = TelemetrySource { host_id: host.id, org_id: app.org };
    store_batch(app.pool(), source, &batch, "", app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::seconds(30));
}

async fn names(app: &App, who: &Person, host: &TestHost, query: &str) -> String {
    let page = app.get(who, &format!("/hosts/{}/containers?{query}", host.id)).await.expect(200);
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn put(app: &App, who: &Person, path: &str, body: Value) -> crate::support::Answer {
    app.send(Some(who), "PUT", path, Some(body), [127, 0, 0, 1]).await
}

/// Spec: containers 16, 19
#[tokio::test]
async fn containers_of_a_host_are_listed_present_ones_first_and_filtered() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let all = vec![item("c1", "web", "running"), item("c2", "db", "exited"), item("c3", "old", "running")];
    inventory(&app, &host, "1", all).await;
    inventory(&app, &host, "2", vec![item("c1", "web", "running"), item("c2", "db", "exited")]).await;
    assert_eq!(names(&app, &viewer, &host, "").await, "db web old");
    assert_eq!(names(&app, &viewer, &host, "state=running").await, "web old");
    assert_eq!(names(&app, &viewer, &host, "state=running&present=true").await, "web");
    assert_eq!(names(&app, &viewer, &host, "search=REGISTRY/d").await, "db");
    assert_eq!(names(&app, &viewer, &host, "search=c3").await, "old");
    assert_eq!(names(&app, &viewer, &host, "project=shop&image=registry/web:1").await, "web");
    assert_eq!(names(&app, &viewer, &host, "sort=-name").await, "web old db");
    let db = app.get(&viewer, &format!("/hosts/{}/containers?search=db", host.id)).await.expect(200)["items"]
        [0]
    .clone();
    assert_eq!((&db["exit_code"], &db["health"], &db["is_present"]), (&json!(3), &Value::Null, &json!(true)));
    let detail = app.get(&viewer, &format!("/containers/{}", db["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(detail, db);
    for query in ["state=asleep", "sort=cpu", "present=2", "page_size=7"] {
        let path = format!("/hosts/{}/containers?{query}", host.id);
        assert_eq!(app.get(&viewer, &path).await.code(422), "validation_failed", "{query}");
    }
}

/// Spec: containers 15, 20
#[tokio::test]
async fn events_and_samples_of_a_container_are_shown_and_only_to_its_organisation() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let stranger = app.person_of(a_organisation(app.pool()).await, Role::SuperAdmin).await;
    let host = a_host(app.org).insert(app.pool()).await;
    for (id, state) in [("1", "running"), ("2", "exited"), ("3", "running")] {
        inventory(&app, &host, id, vec![item("c1", "web", state)]).await;
    }
    let sample = |at: DateTime<Utc>, rx| DockerContainerMetricSample {
        docker_container_id: "c1".into(),
        recorded_at_unix: at.timestamp(),
        cpu_percent: 180.0,
        network_rx_bytes: rx,
        ..DockerContainerMetricSample::default()
    };
    let now = app.clock.now();
    let batch = DockerTelemetryBatch {
        batch_id: "s".into(),
        samples: vec![sample(now - TimeDelta::seconds(10), 0), sample(now, 500)],
        ..DockerTelemetryBatch::default()
    };
    let source = TelemetrySource { host_id: host.id, org_id: app.org };
    store_batch(app.pool(), source, &batch, "", now).await.unwrap();

    let id = app.get(&viewer, &format!("/hosts/{}/containers", host.id)).await.expect(200)["items"][0]["id"]
        .clone();
    let path = format!("/containers/{}", id.as_str().unwrap());
    let events = app.get(&viewer, &format!("{path}/events")).await.expect(200);
    let kinds: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, &events["next_cursor"]), (vec!["started", "stopped"], &Value::Null));
    assert_eq!(events["items"][1]["exit_code"], 3);
    let samples = app.get(&viewer, &format!("{path}/samples?minutes=5")).await.expect(200);
    assert_eq!(samples["items"].as_array().unwrap().len(), 2);
    let newest = &samples["items"][1];
    assert_eq!((&newest["cpu_percent"], &newest["receive_bps"]), (&json!(180.0), &json!(50.0)));
    assert_eq!(samples["items"][0]["receive_bps"], Value::Null);

    for end in ["", "/events", "/samples"] {
        assert_eq!(app.get(&stranger, &format!("{path}{end}")).await.code(404), "not_found", "{end}");
    }
    assert_eq!(app.get(&stranger, &format!("/hosts/{}/containers", host.id)).await.code(404), "not_found");
    for bad in ["samples?minutes=0", "samples?minutes=1441", "events?cursor=x"] {
        assert_eq!(app.get(&viewer, &format!("{path}/{bad}")).await.code(422), "validation_failed", "{bad}");
    }
}

/// Spec: containers 1, 2, 3, 10
#[tokio::test]
async fn runtimes_of_a_host_show_state_age_and_lost_samples() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let path = format!("/hosts/{}/container-runtimes", host.id);
    assert_eq!(app.get(&viewer, &path).await.expect(200), json!({ "items": [] }));
    let batch = DockerTelemetryBatch {
        batch_id: "1".into(),
        dropped_sample_count: 12,
        ..DockerTelemetryBatch::default()
    };
    let source = TelemetrySource { host_id: host.id, org_id: app.org };
    store_batch(app.pool(), source, &batch, "", app.clock.now()).await.unwrap();
    let unknown = app.get(&viewer, &path).await.expect(200)["items"][0].clone();
    assert_eq!(
        (&unknown["status"], &unknown["stale"], &unknown["lost_samples"]),
        (&json!("unknown"), &json!(true), &json!(12))
    );
    sqlx::query("UPDATE container_runtimes SET status = 'unreachable', checked_at = $1, error = $2")
        .bind(app.clock.now())
        .bind("dial unix /var/run/docker.sock: connection refused")
        .execute(app.pool())
        .await
        .unwrap();
    let known = app.get(&viewer, &path).await.expect(200)["items"][0].clone();
    assert_eq!((&known["stale"], &known["error"]), (&json!(false), &json!("dial unix … connection refused")));
    app.clock.advance(TimeDelta::seconds(391));
    assert_eq!(app.get(&viewer, &path).await.expect(200)["items"][0]["stale"], true);
}

/// Spec: containers 5, 6, 11, 24
#[tokio::test]
async fn settings_are_changed_by_those_who_may_and_checked() {
    let app = App::new().await;
    let (admin, engineer) = (app.person(Role::OrgAdmin).await, app.person(Role::Engineer).await);
    let viewer = app.person(Role::ReadOnly).await;
    let mut settings = app.get(&admin, "/settings/containers").await.expect(200);
    let usual = json!({ "enabled": true, "sample_interval_seconds": 10, "inventory_interval_seconds": 30,
                        "retention_days": 30, "label_prefixes": [] });
    assert_eq!(settings, usual);
    settings["label_prefixes"] = json!(["team."]);
    settings["retention_days"] = json!(7);
    assert_eq!(put(&app, &engineer, "/settings/containers", settings.clone()).await.code(403), "forbidden");
    assert_eq!(put(&app, &admin, "/settings/containers", settings.clone()).await.expect(200), settings);
    settings["sample_interval_seconds"] = json!(1);
    assert_eq!(put(&app, &admin, "/settings/containers", settings).await.code(422), "validation_failed");

    let host = a_host(app.org).insert(app.pool()).await;
    let path = format!("/hosts/{}/settings/containers", host.id);
    assert_eq!(put(&app, &viewer, &path, json!({})).await.code(403), "forbidden");
    let own = json!({ "enabled": false, "retention_days": null });
    assert_eq!(put(&app, &engineer, &path, own.clone()).await.expect(200), own);
    assert_eq!(app.get(&engineer, &path).await.expect(200), own);
    let bad = json!({ "enabled": null, "retention_days": 366 });
    assert_eq!(put(&app, &engineer, &path, bad).await.code(422), "validation_failed");
    assert_eq!(app.audited(&host.id.to_string()).await, ["host.updated"]);
}
