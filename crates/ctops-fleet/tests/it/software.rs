//! Packages, scans and settings over the API.

use ctops_base::Role;
use ctops_fleet::software::{Package, begin_upload, finish_upload, stage_packages};
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Person};

fn a_package(name: &str, version: &str, publisher: Option<&str>) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".into(),
        publisher: publisher.map(str::to_owned),
        ..Package::default()
    }
}

/// Starts a scan through the API and uploads `packages` as its agent.
async fn scan(app: &App, who: &Person, host: &TestHost, source: &str, packages: &[Package]) {
    let started = app.post(who, &format!("/hosts/{}/scans", host.id), None).await.expect(202);
    let (pool, now) = (app.pool(), app.clock.now());
    let agent = host.agent_id.as_ref().unwrap();
    let upload = begin_upload(pool, agent, started["scan_id"].as_str().unwrap(), now).await.unwrap();
    stage_packages(pool, &upload, source, packages, now).await.unwrap();
    finish_upload(pool, &upload, &[source.to_owned()], now).await.unwrap();
    app.clock.advance(chrono::TimeDelta::hours(1));
}

async fn names(app: &App, who: &Person, host: &TestHost, query: &str) -> String {
    let page = app.get(who, &format!("/hosts/{}/packages?{query}", host.id)).await.expect(200);
    let items = page["items"].as_array().unwrap().clone();
    let name =
        |item: &Value| format!("{}={}", item["name"].as_str().unwrap(), item["version"].as_str().unwrap());
    items.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Spec: software-inventory 9
#[tokio::test]
async fn rescan_starts_one_scan_at_a_time_for_engineers_and_shows_its_state() {
    let app = App::new().await;
    let (engineer, viewer) = (app.person(Role::Engineer).await, app.person(Role::ReadOnly).await);
    let host = a_host(app.org).insert(app.pool()).await;
    let path = format!("/hosts/{}/scans", host.id);
    assert_eq!(app.post(&viewer, &path, None).await.code(403), "forbidden");
    let started = app.post(&engineer, &path, None).await.expect(202);
    assert_eq!(app.post(&engineer, &path, None).await.code(409), "wrong_state");
    let scans = app.get(&viewer, &path).await.expect(200);
    let newest = &scans["items"][0];
    assert_eq!((&newest["id"], &newest["task_run_id"]), (&started["scan_id"], &started["task_run_id"]));
    assert_eq!((&newest["status"], &newest["origin"]), (&json!("pending"), &json!("user")));
    assert_eq!(app.audited(&host.id.to_string()).await, ["software_scan.started"]);
    let task: String = app
        .value("SELECT kind FROM task_runs WHERE id = $1::uuid", started["task_run_id"].as_str().unwrap())
        .await;
    assert_eq!(task, "software_inventory");
}

/// Spec: software-inventory 9
#[tokio::test]
async fn rescan_is_limited_per_person_and_refused_for_hosts_that_cannot_answer() {
    let app = App::new().await;
    let engineer = app.person(Role::Engineer).await;
    let silent = a_host(app.org).without_agent().insert(app.pool()).await;
    let elsewhere = a_host(a_organisation(app.pool()).await).insert(app.pool()).await;
    let post = async |id: Uuid| app.post(&engineer, &format!("/hosts/{id}/scans"), None).await;
    assert_eq!(post(silent.id).await.code(409), "wrong_state");
    assert_eq!(post(elsewhere.id).await.code(404), "not_found");
    for _ in 0..4 {
        let host = a_host(app.org).insert(app.pool()).await;
        post(host.id).await.expect(202);
    }
    let host = a_host(app.org).insert(app.pool()).await;
    assert_eq!(post(host.id).await.code(429), "rate_limited");
    app.clock.advance(chrono::TimeDelta::seconds(61));
    post(host.id).await.expect(202);
}

/// Spec: software-inventory 7, 11
#[tokio::test]
async fn packages_of_a_host_are_searched_filtered_sorted_and_paged() {
    let app = App::new().await;
    let (engineer, viewer) = (app.person(Role::Engineer).await, app.person(Role::ReadOnly).await);
    let host = a_host(app.org).insert(app.pool()).await;
    let first = [
        a_package("bash", "5.1", Some("Debian")),
        a_package("Curl", "7.8", None),
        a_package("100%_real", "1", Some("Acme")),
    ];
    scan(&app, &engineer, &host, "dpkg", &first).await;
    scan(&app, &engineer, &host, "snap", &[a_package("core", "20", None)]).await;
    let second = [a_package("bash", "5.2", Some("Debian")), first[1].clone(), first[2].clone()];
    scan(&app, &engineer, &host, "dpkg", &second).await;

    assert_eq!(names(&app, &viewer, &host, "").await, "100%_real=1 bash=5.2 core=20 Curl=7.8");
    assert_eq!(names(&app, &viewer, &host, "search=DEB").await, "bash=5.2", "publisher, whatever its case");
    assert_eq!(names(&app, &viewer, &host, "search=%25_r").await, "100%_real=1", "literally");
    assert_eq!(names(&app, &viewer, &host, "search=7.8").await, "Curl=7.8");
    assert_eq!(names(&app, &viewer, &host, "source=snap").await, "core=20");
    let removed = "include_removed=true&search=bash&sort=version";
    assert_eq!(names(&app, &viewer, &host, removed).await, "bash=5.1 bash=5.2");
    assert_eq!(names(&app, &viewer, &host, "sort=-publisher").await, "bash=5.2 100%_real=1 core=20 Curl=7.8");
    assert_eq!(
        names(&app, &viewer, &host, "sort=-first_seen&page_size=25").await,
        "bash=5.2 core=20 100%_real=1 Curl=7.8"
    );

    let page = app.get(&viewer, &format!("/hosts/{}/packages?{removed}", host.id)).await.expect(200);
    assert_eq!((&page["total"], &page["page_size"]), (&json!(2), &json!(100)));
    let gone = &page["items"][0];
    assert_eq!(gone["replaced_by_version"], "5.2");
    assert_eq!(
        (&gone["removed_at"], &gone["first_seen_at"]),
        (&json!("2026-06-03T14:00:00.000Z"), &json!("2026-06-03T12:00:00.000Z"))
    );
    let scans = app.get(&viewer, &format!("/hosts/{}/scans", host.id)).await.expect(200);
    let newest = &scans["items"][0];
    assert_eq!(
        (&newest["added"], &newest["removed"], &newest["unchanged"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!(newest["sources"], json!([{ "source": "dpkg", "count": 3, "ok": true, "error": null }]));
}

/// Spec: software-inventory 11
#[tokio::test]
async fn packages_of_a_host_elsewhere_or_with_bad_parameters_are_refused() {
    let app = App::new().await;
    let viewer = app.person(Role::ReadOnly).await;
    let host = a_host(app.org).insert(app.pool()).await;
    let elsewhere = a_host(a_organisation(app.pool()).await).insert(app.pool()).await;
    for path in ["packages", "scans"] {
        assert_eq!(app.get(&viewer, &format!("/hosts/{}/{path}", elsewhere.id)).await.code(404), "not_found");
    }
    for query in ["sort=size", "include_removed=1", "source=a%20b", "page=0"] {
        let path = format!("/hosts/{}/packages?{query}", host.id);
        assert_eq!(app.get(&viewer, &path).await.code(422), "validation_failed", "{query}");
    }
}

/// Spec: software-inventory 3
#[tokio::test]
async fn settings_are_off_until_an_administrator_switches_them_on() {
    let app = App::new().await;
    let (admin, engineer) = (app.person(Role::OrgAdmin).await, app.person(Role::Engineer).await);
    let path = "/settings/software-inventory";
    let mut settings = app.get(&admin, path).await.expect(200);
    assert_eq!((&settings["enabled"], &settings["interval_hours"]), (&json!(false), &json!(24)));
    settings["enabled"] = json!(true);
    settings["interval_hours"] = json!(720);
    settings["include_flatpak"] = json!(true);
    let put =
        async |who: &Person, body: Value| app.send(Some(who), "PUT", path, Some(body), [127, 0, 0, 1]).await;
    assert_eq!(put(&engineer, settings.clone()).await.code(403), "forbidden");
    assert_eq!(put(&admin, settings.clone()).await.expect(200), settings);
    assert_eq!(app.get(&admin, path).await.expect(200), settings);
    settings["interval_hours"] = json!(721);
    assert_eq!(put(&admin, settings).await.code(422), "validation_failed");
    assert_eq!(app.audited(&app.org.to_string()).await, ["settings.software.changed"]);
}
