//! What hosts collect, over the API and towards agents.

use ctops_base::Role;
use ctops_fleet::host_defaults::ConfigWork;
use ctops_proto::agent::AgentConfig;
use ctops_slice::agents::Capabilities;
use ctops_slice::{AgentWork, ConnectedAgent};
use ctops_testkit::a_organisation;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, Person};

const PATH: &str = "/settings/host-defaults";

async fn put(app: &App, who: &Person, body: Value) -> Answer {
    app.send(Some(who), "PUT", PATH, Some(body), [127, 0, 0, 1]).await
}

fn agent(org_id: Uuid, capabilities: Capabilities, config_revision: u64) -> ConnectedAgent {
    ConnectedAgent {
        host_id: Uuid::from_u128(u128::from(config_revision)),
        org_id,
        agent_id: "a".repeat(24),
        version: String::new(),
        os: String::new(),
        arch: String::new(),
        capabilities,
        config_revision,
        pinned_certificate: String::new(),
    }
}

/// What agents with these revisions are told, by revision reported.
async fn told(app: &App, agents: &[ConnectedAgent]) -> Vec<(u128, AgentConfig)> {
    let work = ConfigWork::new(app.pool().clone());
    let pending = work.pending(agents).await.unwrap();
    pending.into_iter().map(|(host, response)| (host.as_u128(), response.config.unwrap())).collect()
}

fn usual() -> Value {
    json!({ "heartbeat_interval_seconds": null, "collect_cpu": true, "collect_memory": true, "collect_disk": true,
            "collect_network": true, "collect_containers": true })
}

/// Spec: agents-enrolment 32
#[tokio::test]
async fn defaults_when_changed_reach_agents_that_work_with_another_revision() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let config = Capabilities::CONFIG;
    assert_eq!(app.get(&admin, PATH).await.expect(200), usual());
    assert!(told(&app, &[agent(app.org, config, 0)]).await.is_empty(), "both work with the defaults");

    let mut wanted = usual();
    wanted["heartbeat_interval_seconds"] = json!(60);
    wanted["collect_network"] = json!(false);
    assert_eq!(put(&app, &admin, wanted.clone()).await.expect(200), wanted);
    assert_eq!(app.get(&admin, PATH).await.expect(200), wanted);
    let other = a_organisation(app.pool()).await;
    let agents = [
        agent(app.org, config, 0),
        agent(app.org, Capabilities::default(), 1),
        agent(other, config, 0),
        agent(app.org, config, 3),
    ];
    let first = told(&app, &agents).await;
    let revision = first[0].1.revision;
    let expected = AgentConfig {
        revision,
        interval_seconds: 60,
        collect_cpu: true,
        collect_memory: true,
        collect_disk: true,
        collect_network: false,
        collect_containers: true,
    };
    assert_eq!(
        first,
        [(0, expected), (3, expected)],
        "neither those of the original nor other organisations"
    );
    assert!(told(&app, &[agent(app.org, config, revision)]).await.is_empty(), "it works with it already");

    // The clock stands still; the revision grows all the same.
    put(&app, &admin, usual()).await.expect(200);
    let second = told(&app, &[agent(app.org, config, revision)]).await;
    assert!(second[0].1.revision > revision && second[0].1.collect_network);
    let audited = app.audited(&app.org.to_string()).await;
    assert_eq!(audited, ["settings.host_defaults.changed", "settings.host_defaults.changed"]);
    put(&app, &admin, usual()).await.expect(200);
    assert!(
        told(&app, &[agent(app.org, config, second[0].1.revision)]).await.is_empty(),
        "saving the same changes nothing"
    );
    assert_eq!(app.audited(&app.org.to_string()).await.len(), 2);
}

/// Spec: agents-enrolment 26, 32
#[tokio::test]
async fn defaults_are_for_administrators_and_checked() {
    let app = App::new().await;
    let (admin, engineer) = (app.person(Role::OrgAdmin).await, app.person(Role::Engineer).await);
    assert_eq!(app.get(&engineer, PATH).await.code(403), "forbidden");
    assert_eq!(put(&app, &engineer, usual()).await.code(403), "forbidden");
    for seconds in [4, 301, -1] {
        let mut body = usual();
        body["heartbeat_interval_seconds"] = json!(seconds);
        assert_eq!(put(&app, &admin, body).await.code(422), "validation_failed", "{seconds}");
    }
    let mut body = usual();
    body["collect_secrets"] = json!(true);
    assert_eq!(put(&app, &admin, body).await.code(422), "unknown_field");
    assert_eq!(app.get(&admin, PATH).await.expect(200), usual());
}
