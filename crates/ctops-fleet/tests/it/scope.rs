//! What somebody limited to host groups reaches: every route with a host in scope, out of scope, and of another
//! organisation.

use std::collections::BTreeSet;

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_slice::HostScope;
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hosts::support::Stream;
use crate::support::{App, Person};

/// An organisation with a host in a group, one in none, and somebody limited to the group; and another organisation.
struct Fixture {
    app: App,
    group: Uuid,
    inside: TestHost,
    outside: TestHost,
    foreign: TestHost,
    limited: Person,
    admin: Person,
}

impl Fixture {
    async fn new(role: Role) -> Self {
        let app = App::new().await;
        let inside = a_host(app.org).named("inside").insert(app.pool()).await;
        let outside = a_host(app.org).named("outside").insert(app.pool()).await;
        let other = a_organisation(app.pool()).await;
        let foreign = a_host(other).named("foreign").insert(app.pool()).await;
        let admin = app.person(Role::SuperAdmin).await;
        let group = app.post(&admin, "/host-groups", Some(json!({"name": "ours"}))).await.expect(201);
        let group: Uuid = group["id"].as_str().unwrap().parse().unwrap();
        let members = json!({"host_ids": [inside.id]});
        app.post(&admin, &format!("/host-groups/{group}/members"), Some(members)).await.expect(200);
        let limited = app.person_limited_to(role, HostScope::limited([group])).await;
        Self { app, group, inside, outside, foreign, limited, admin }
    }

    async fn status(&self, who: &Person, method: &str, path: &str, body: Option<&Value>) -> u16 {
        let answer = self.app.send(Some(who), method, path, body.cloned(), [127, 0, 0, 1]).await;
        answer.status.as_u16()
    }

    /// A container, a query and a task run of a host.
    async fn belongings(&self, host: &TestHost, org: Uuid) -> (Uuid, Uuid, Uuid) {
        let (container, query, run) = (new_id(), new_id(), new_id());
        let mut tx = self.app.pool().begin().await.unwrap();
        for statement in [
            "INSERT INTO containers (id, org_id, host_id, runtime, container_id, primary_name, names, image, image_id,
                                     state, status, restart_count, first_seen_at, last_seen_at, is_present)
             SELECT $1, $4, $5, 'docker', repeat('a', 64), 'web', '{web}', 'nginx', '', 'running', '', 0, now(), now(), true
             WHERE $2 IS NOT NULL AND $3 IS NOT NULL",
            "INSERT INTO agent_queries (id, org_id, host_id, kind, requested_by, created_at, expires_at)
             SELECT $2, $4, $5, 'list_ports', (SELECT id FROM users LIMIT 1), now(), now() + interval '1 day'
             WHERE $1 IS NOT NULL AND $3 IS NOT NULL",
            "INSERT INTO task_runs (id, org_id, kind, status, max_parallel, config_json, created_at, start_by)
             SELECT $3, $4, 'software_inventory', 'pending', 1, '{}', now(), now() + interval '1 day'
             WHERE $1 IS NOT NULL AND $2 IS NOT NULL AND $5 IS NOT NULL",
            "INSERT INTO task_targets (id, run_id, org_id, host_id, position, status)
             SELECT gen_random_uuid(), $3, $4, $5, 0, 'pending'
             WHERE $1 IS NOT NULL AND $2 IS NOT NULL",
        ] {
            let query = sqlx::query(statement).bind(container).bind(query).bind(run).bind(org).bind(host.id);
            query.execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        (container, query, run)
    }
}

/// Every operation about one host, with a body where it wants one.
fn operations(
    host: &TestHost,
    (container, query, run): (Uuid, Uuid, Uuid),
) -> Vec<(&'static str, String, Option<Value>)> {
    let (host_id, agent) = (host.id, host.agent_id.clone().unwrap());
    let metrics = "range=1h&metrics=cpu";
    let mut all: Vec<(&'static str, String, Option<Value>)> = [
        format!("/hosts/{host_id}"),
        format!("/hosts/{host_id}/samples"),
        format!("/hosts/{host_id}/metrics?{metrics}"),
        format!("/hosts/{host_id}/metrics/heartbeat-gaps?range=1h"),
        format!("/hosts/{host_id}/offline-periods?range=1h"),
        format!("/hosts/{host_id}/containers"),
        format!("/hosts/{host_id}/container-runtimes"),
        format!("/hosts/{host_id}/settings/containers"),
        format!("/hosts/{host_id}/packages"),
        format!("/hosts/{host_id}/scans"),
        format!("/hosts/{host_id}/task-runs"),
        format!("/hosts/{host_id}/ssh-host-keys"),
        format!("/hosts/{host_id}/groups"),
        format!("/hosts/{host_id}/queries/{query}"),
        format!("/containers/{container}"),
        format!("/containers/{container}/events"),
        format!("/containers/{container}/samples"),
        format!("/task-runs/{run}"),
        format!("/task-runs/{run}/hosts/{host_id}/output"),
        format!("/agents/{agent}"),
        format!("/agents/{agent}/history"),
        format!("/agents/{agent}/update"),
    ]
    .into_iter()
    .map(|path| ("GET", path, None))
    .collect();
    let queried = json!({"kind": "list_ports"});
    all.push(("POST", format!("/hosts/{host_id}/queries"), Some(queried)));
    all.push(("POST", format!("/hosts/{host_id}/scans"), None));
    all.push((
        "PUT",
        format!("/hosts/{host_id}/settings/containers"),
        Some(json!({"enabled": null, "retention_days": null})),
    ));
    all
}

/// Spec: host-groups 15, 16
/// Spec: users-teams-rbac 1, 12, 15
#[tokio::test]
async fn every_route_of_a_host_answers_in_scope_and_is_not_found_beyond() {
    let f = Fixture::new(Role::Engineer).await;
    let foreign_org: Uuid =
        f.app.value("SELECT org_id FROM hosts WHERE id = $1::uuid", &f.foreign.id.to_string()).await;
    let mut wrong = Vec::new();
    for (host, org) in [(&f.inside, f.app.org), (&f.outside, f.app.org), (&f.foreign, foreign_org)] {
        let belongings = f.belongings(host, org).await;
        for (method, path, body) in operations(host, belongings) {
            let sees = |expected: bool, status: u16| (status != 404 && status < 500) == expected;
            let limited = f.status(&f.limited, method, &path, body.as_ref()).await;
            // Writes that only administrators may do say so before they look for the host.
            let right = sees(host.id == f.inside.id, limited) || (limited == 403 && method != "GET");
            let admin = f.status(&f.admin, method, &path, body.as_ref()).await;
            if !right || !sees(org == f.app.org, admin) {
                wrong.push(format!(
                    "{} {method} {path}: limited {limited}, administrator {admin}",
                    host.hostname
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Spec: host-groups 16
/// Spec: users-teams-rbac 12, 16
#[tokio::test]
async fn lists_and_counts_hold_hosts_in_scope_only() {
    let f = Fixture::new(Role::ReadOnly).await;
    let names = async |who: &Person, path: &str| -> BTreeSet<String> {
        let body = f.app.get(who, path).await.expect(200);
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["hostname"].as_str().unwrap().to_owned())
            .collect()
    };
    for path in ["/hosts", "/hosts?search=side", "/hosts?sort=-cpu", "/agents"] {
        assert_eq!(names(&f.limited, path).await, BTreeSet::from(["inside".to_owned()]), "{path}");
        let all = BTreeSet::from(["inside".to_owned(), "outside".to_owned()]);
        assert_eq!(names(&f.admin, path).await, all, "{path}");
    }
    for (who, count) in [(&f.limited, 1), (&f.admin, 2)] {
        assert_eq!(f.app.get(who, "/hosts").await.expect(200)["total"], count);
        assert_eq!(f.app.get(who, "/agents").await.expect(200)["total"], count);
        assert_eq!(f.app.get(who, "/hosts/summary").await.expect(200)["total"], count);
        let facets = f.app.get(who, "/hosts/facets").await.expect(200);
        let counted: i64 =
            facets["os"].as_array().unwrap().iter().map(|os| os["count"].as_i64().unwrap()).sum();
        assert_eq!(counted, count);
    }
    let nothing = f.app.person_limited_to(Role::ReadOnly, HostScope::limited([])).await;
    assert_eq!(
        f.app.get(&nothing, "/hosts").await.expect(200)["total"],
        0,
        "no set is no host, not every host"
    );
}

/// Spec: host-groups 17
#[tokio::test]
async fn a_run_with_hosts_beyond_the_scope_shows_the_others_and_cannot_be_cancelled() {
    let f = Fixture::new(Role::Engineer).await;
    let (_, _, run) = f.belongings(&f.inside, f.app.org).await;
    sqlx::query(
        "INSERT INTO task_targets (id, run_id, org_id, host_id, position, status)
         VALUES (gen_random_uuid(), $1, $2, $3, 1, 'pending')",
    )
    .bind(run)
    .bind(f.app.org)
    .bind(f.outside.id)
    .execute(f.app.pool())
    .await
    .unwrap();
    sqlx::query("UPDATE task_runs SET created_by = $1")
        .bind(f.limited.actor.user_id)
        .execute(f.app.pool())
        .await
        .unwrap();
    let shown = f.app.get(&f.limited, &format!("/task-runs/{run}")).await.expect(200);
    assert_eq!(shown["hosts"].as_array().unwrap().len(), 1);
    let path = format!("/task-runs/{run}/cancel");
    assert_eq!(f.app.post(&f.limited, &path, None).await.code(403), "out_of_scope");
    f.app.post(&f.admin, &path, None).await.expect(200);
}

/// Spec: host-groups 18
/// Spec: users-teams-rbac 14
#[tokio::test]
async fn an_open_stream_ends_within_ten_seconds_when_the_host_leaves_the_scope_or_the_scope_changes() {
    let f = Fixture::new(Role::ReadOnly).await;
    let path = format!("/hosts/{}/events", f.inside.id);
    let mut stream = Stream::open(&f.app, &f.limited, &path, None).await;
    assert_eq!(stream.status, 200);
    let beyond = Stream::open(&f.app, &f.limited, &format!("/hosts/{}/events", f.outside.id), None).await;
    assert_eq!(beyond.status, 404);
    let mut fleet = Stream::open(&f.app, &f.limited, "/events?topics=fleet", None).await;
    let members = format!("/host-groups/{}/members", f.group);
    let body = Some(json!({"host_ids": [f.inside.id]}));
    f.app.send(Some(&f.admin), "DELETE", &members, body, [127, 0, 0, 1]).await.expect(200);
    let begun = std::time::Instant::now();
    assert!(stream.next().await.is_none(), "the stream of the host ends");
    f.app.change_scope(&f.limited, HostScope::limited([new_id()]));
    assert!(fleet.next().await.is_none(), "the stream of the fleet ends, to be opened with the new scope");
    assert!(begun.elapsed().as_secs() < 10);
}
