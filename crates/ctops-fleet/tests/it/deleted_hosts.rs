//! Display names, deletion and purge: what goes, what stays, who may, and what the audit trail says.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_fleet::agents::RegisterStatus;
use ctops_fleet::tasks::{NewRun, SOFTWARE_INVENTORY, create_run};
use ctops_slice::{HostScope, Job};
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

use crate::support::{App, Key, Person};

async fn delete(app: &App, who: &Person, id: Uuid) -> u16 {
    let answer = app.send(Some(who), "DELETE", &format!("/hosts/{id}"), None, [127, 0, 0, 1]).await;
    answer.status.as_u16()
}

async fn rename(app: &App, who: &Person, id: Uuid, body: Value) -> crate::support::Answer {
    app.send(Some(who), "PATCH", &format!("/hosts/{id}"), Some(body), [127, 0, 0, 1]).await
}

async fn purge(app: &App, who: &Person, id: Uuid) -> crate::support::Answer {
    app.post(who, &format!("/hosts/{id}/purge"), None).await
}

/// The job of the slice that purges.
fn purging(app: &App) -> Arc<dyn Job> {
    let slices = ctops_fleet::slices(&app.deps);
    let mut jobs = slices.iter().flat_map(|slice| slice.jobs().iter());
    jobs.find(|job| job.name() == "purge_deleted_hosts").unwrap().clone()
}

async fn hosts_left(app: &App) -> Vec<String> {
    sqlx::query_scalar("SELECT hostname FROM hosts ORDER BY hostname").fetch_all(app.pool()).await.unwrap()
}

/// Spec: hosts 33
#[tokio::test]
async fn display_name_when_changed_is_shown_found_and_audited_and_the_host_name_stays() {
    let app = App::new().await;
    let engineer = app.person(Role::Engineer).await;
    let host = a_host(app.org).named("web-1").insert(app.pool()).await.id;
    let shown = rename(&app, &engineer, host, json!({"display_name": "  Shop front "})).await.expect(200);
    assert_eq!((&shown["display_name"], &shown["hostname"]), (&json!("Shop front"), &json!("web-1")));
    let found = app.get(&engineer, "/hosts?search=shop%20fr").await.expect(200);
    assert_eq!((&found["total"], &found["items"][0]["id"]), (&json!(1), &json!(host)));
    assert_eq!(app.audited(&host.to_string()).await, ["host.updated"]);
    rename(&app, &engineer, host, json!({"display_name": "Shop front"})).await.expect(200);
    assert_eq!(app.audited(&host.to_string()).await.len(), 1, "nothing changed, nothing to write down");
    rename(&app, &engineer, host, json!({"display_name": ""})).await.expect(200);
    assert_eq!(app.get(&engineer, "/hosts?search=shop").await.expect(200)["total"], 0);

    let name = "x".repeat(101);
    for (body, path) in [
        (json!({"display_name": name}), "display_name"),
        (json!({"display_name": "a\u{202e}b"}), "display_name"),
        (json!({"display_name": "a\nb"}), "display_name"),
        (json!({"display_name": "x", "hostname": "other"}), "hostname"),
        (json!({}), "display_name"),
    ] {
        let problem = rename(&app, &engineer, host, body.clone()).await.expect(422);
        assert!(problem.to_string().contains(path), "{body}: {problem}");
    }
    let reader = app.person(Role::ReadOnly).await;
    assert_eq!(rename(&app, &reader, host, json!({"display_name": "x"})).await.code(403), "forbidden");
    assert_eq!(rename(&app, &engineer, new_id(), json!({"display_name": "x"})).await.code(404), "not_found");
}

/// Spec: hosts 29
#[tokio::test]
async fn deleted_host_leaves_lists_and_its_agent_is_revoked_for_good() {
    let app = App::new().await;
    let administrator = app.person(Role::OrgAdmin).await;
    let token = app
        .token(|new| {
            new.auto_approve = true;
            new.max_uses = None;
        })
        .await;
    let key = Key::new();
    let agent = app.register(&token, &key, "web-1").await.unwrap();
    let host: Uuid = app.value::<Uuid>("SELECT host_id FROM agents WHERE id = $1", &agent.agent_id).await;
    assert_eq!(delete(&app, &administrator, host).await, 204);

    assert_eq!(app.get(&administrator, &format!("/hosts/{host}")).await.code(404), "not_found");
    assert_eq!(app.get(&administrator, "/hosts").await.expect(200)["total"], 0);
    assert_eq!(app.get(&administrator, "/hosts/summary").await.expect(200)["total"], 0);
    assert_eq!(
        app.value::<String>("SELECT status FROM agents WHERE id = $1", &agent.agent_id).await,
        "revoked"
    );
    let revoked: i64 =
        app.value("SELECT count(*) FROM revoked_certificates WHERE reason = $1", "host_deleted").await;
    assert_eq!(revoked, 1);
    assert_eq!(app.history(&agent.agent_id).await.last().unwrap().1, "host_deleted");
    assert_eq!(app.audited(&host.to_string()).await, ["host.deleted"]);
    assert_eq!(delete(&app, &administrator, host).await, 404, "it is gone already");

    // The machine cannot come back with its key; with another one it is a new host of the same name.
    let refused = app.register(&token, &key, "web-1").await.unwrap();
    assert_eq!((refused.status, refused.certificate.is_some()), (RegisterStatus::Revoked, false));
    let again = app.register(&token, &Key::new(), "web-1").await.unwrap();
    assert_ne!(app.value::<Uuid>("SELECT host_id FROM agents WHERE id = $1", &again.agent_id).await, host);
}

/// Spec: hosts 29
#[tokio::test]
async fn tasks_of_a_deleted_host_are_cancelled_and_those_of_others_go_on() {
    let app = App::new().await;
    let administrator = app.person(Role::OrgAdmin).await;
    let (gone, other) = (a_host(app.org).insert(app.pool()).await, a_host(app.org).insert(app.pool()).await);
    let run_on = async |hosts: &[&TestHost]| {
        let new = NewRun {
            org_id: app.org,
            kind: SOFTWARE_INVENTORY.to_owned(),
            host_ids: hosts.iter().map(|host| host.id).collect(),
            config_json: "{}".to_owned(),
            max_parallel: 0,
            created_by: None,
        };
        let mut tx = app.pool().begin().await.unwrap();
        let created = create_run(&mut tx, &new, app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        created.run_id
    };
    let (only, both) = (run_on(&[&gone]).await, run_on(&[&gone, &other]).await);
    assert_eq!(delete(&app, &administrator, gone.id).await, 204);
    let status = async |run: Uuid| {
        let targets: Vec<(Uuid, String)> =
            sqlx::query_as("SELECT host_id, status FROM task_targets WHERE run_id = $1 ORDER BY position")
                .bind(run)
                .fetch_all(app.pool())
                .await
                .unwrap();
        let run: String = sqlx::query_scalar("SELECT status FROM task_runs WHERE id = $1")
            .bind(run)
            .fetch_one(app.pool())
            .await
            .unwrap();
        (run, targets)
    };
    assert_eq!(status(only).await, ("cancelled".to_owned(), vec![(gone.id, "cancelled".to_owned())]));
    let (run, targets) = status(both).await;
    assert_eq!(run, "pending", "the other host has not begun");
    assert_eq!(targets, [(gone.id, "cancelled".to_owned()), (other.id, "pending".to_owned())]);
}

/// Spec: hosts 29
#[tokio::test]
async fn deleted_hosts_are_listed_with_who_when_and_until_when_for_administrators() {
    let app = App::new().await;
    let administrator = app.person(Role::OrgAdmin).await;
    for name in ["db-1", "web-1", "web-2"] {
        let host = a_host(app.org).named(name).insert(app.pool()).await.id;
        app.clock.advance(TimeDelta::minutes(1));
        assert_eq!(delete(&app, &administrator, host).await, 204);
    }
    a_host(app.org).named("web-3").insert(app.pool()).await;
    let page = app.get(&administrator, "/hosts/deleted?search=WEB&page_size=10").await.expect(200);
    assert_eq!(page["total"], 2);
    let names: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|host| host["hostname"].as_str().unwrap()).collect();
    assert_eq!(names, ["web-2", "web-1"], "the last deleted first");
    let first = &page["items"][0];
    assert_eq!(first["deleted_by"]["id"], json!(administrator.actor.user_id));
    let time =
        |name: &str| -> chrono::DateTime<chrono::Utc> { first[name].as_str().unwrap().parse().unwrap() };
    assert_eq!(time("purge_at") - time("deleted_at"), TimeDelta::days(90));
    assert_eq!(app.get(&administrator, "/hosts/deleted?search=%25").await.expect(200)["total"], 0);
    let long = format!("/hosts/deleted?search={}", "x".repeat(201));
    assert_eq!(app.get(&administrator, &long).await.code(422), "validation_failed");

    for role in [Role::ReadOnly, Role::Engineer] {
        let person = app.person(role).await;
        assert_eq!(app.get(&person, "/hosts/deleted").await.code(403), "forbidden", "{role:?}");
    }
    let stranger = app.person_of(a_organisation(app.pool()).await, Role::SuperAdmin).await;
    assert_eq!(app.get(&stranger, "/hosts/deleted").await.expect(200)["total"], 0);
}

/// Spec: hosts 29; host-groups 16
#[tokio::test]
async fn people_limited_to_some_hosts_delete_and_see_deleted_only_those() {
    let app = App::new().await;
    let root = app.person(Role::SuperAdmin).await;
    let group = app.post(&root, "/host-groups", Some(json!({"name": "ours"}))).await.expect(201);
    let group: Uuid = group["id"].as_str().unwrap().parse().unwrap();
    let (inside, outside) = (
        a_host(app.org).named("inside").insert(app.pool()).await.id,
        a_host(app.org).named("outside").insert(app.pool()).await.id,
    );
    app.post(&root, &format!("/host-groups/{group}/members"), Some(json!({"host_ids": [inside]})))
        .await
        .expect(200);
    let limited = app.person_limited_to(Role::OrgAdmin, HostScope::limited([group])).await;
    assert_eq!(rename(&app, &limited, outside, json!({"display_name": "x"})).await.code(404), "not_found");
    assert_eq!(delete(&app, &limited, outside).await, 404);
    assert_eq!(delete(&app, &limited, inside).await, 204);
    assert_eq!(delete(&app, &root, outside).await, 204);
    let seen = app.get(&limited, "/hosts/deleted").await.expect(200);
    assert_eq!((&seen["total"], &seen["items"][0]["hostname"]), (&json!(1), &json!("inside")));
}

/// Spec: hosts 32
#[tokio::test]
async fn purge_removes_a_deleted_host_with_its_history_and_nothing_else() {
    let app = App::new().await;
    let root = app.person(Role::SuperAdmin).await;
    let (gone, kept) = (
        a_host(app.org).named("gone").insert(app.pool()).await,
        a_host(app.org).named("kept").insert(app.pool()).await,
    );
    for host in [gone.id, kept.id] {
        sqlx::query("INSERT INTO metric_samples (host_id, recorded_at, received_at, cpu_centi) VALUES ($1, $2, $2, 1)")
            .bind(host)
            .bind(app.clock.now())
            .execute(app.pool())
            .await
            .unwrap();
    }
    assert_eq!(purge(&app, &root, gone.id).await.code(409), "wrong_state", "it is alive");
    let administrator = app.person(Role::OrgAdmin).await;
    assert_eq!(delete(&app, &administrator, gone.id).await, 204);
    assert_eq!(purge(&app, &administrator, gone.id).await.code(403), "forbidden");
    assert_eq!(purge(&app, &root, gone.id).await.status.as_u16(), 204);
    assert_eq!(purge(&app, &root, gone.id).await.code(404), "not_found");
    assert_eq!(hosts_left(&app).await, ["kept"]);
    let samples: Vec<Uuid> =
        sqlx::query_scalar("SELECT host_id FROM metric_samples").fetch_all(app.pool()).await.unwrap();
    let agents: i64 =
        app.value("SELECT count(*) FROM agents WHERE host_id::text = $1", &gone.id.to_string()).await;
    assert_eq!((samples, agents), (vec![kept.id], 0));
    assert_eq!(app.audited(&gone.id.to_string()).await, ["host.deleted", "host.purged"]);
}

/// Spec: hosts 32
#[tokio::test]
async fn hosts_deleted_long_ago_are_purged_by_themselves_after_the_days_of_their_organisation() {
    let app = App::new().await;
    let root = app.person(Role::SuperAdmin).await;
    let job = purging(&app);
    let patient = a_organisation(app.pool()).await;
    let other = app.person_of(patient, Role::SuperAdmin).await;
    sqlx::query(
        "INSERT INTO settings (org_id, page, document, version, updated_at)
         VALUES ($1, 'deleted-hosts', jsonb_build_object('purge_after_days', 365), 1, $2)",
    )
    .bind(patient)
    .bind(app.clock.now())
    .execute(app.pool())
    .await
    .unwrap();
    let ours = a_host(app.org).named("ours").insert(app.pool()).await.id;
    let theirs = a_host(patient).named("theirs").insert(app.pool()).await.id;
    a_host(app.org).named("alive").insert(app.pool()).await;
    assert_eq!((delete(&app, &root, ours).await, delete(&app, &other, theirs).await), (204, 204));
    app.clock.advance(TimeDelta::days(90));
    job.run().await.unwrap();
    assert_eq!(hosts_left(&app).await, ["alive", "ours", "theirs"], "on the last day");
    app.clock.advance(TimeDelta::seconds(1));
    job.run().await.unwrap();
    assert_eq!(hosts_left(&app).await, ["alive", "theirs"]);
    app.clock.advance(TimeDelta::days(275));
    job.run().await.unwrap();
    assert_eq!(hosts_left(&app).await, ["alive"]);
    let by_system: i64 = app
        .value("SELECT count(*) FROM audit_events WHERE action = 'host.purged' AND actor_kind = $1", "system")
        .await;
    assert_eq!(by_system, 2);
}
