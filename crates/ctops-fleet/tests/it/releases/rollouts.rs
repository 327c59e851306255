//! Waves, their halt and their resumption.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_testkit::TestHost;
use serde_json::{Value, json};

use super::{an_agent, offered, publish, report, slice};
use crate::support::{App, Person};

struct Fleet {
    app: App,
    admin: Person,
    hosts: Vec<TestHost>,
}

impl Fleet {
    /// Twenty agents at v1.0.0.
    async fn new() -> Self {
        let app = App::new().await;
        let mut hosts = Vec::new();
        for _ in 0..20 {
            hosts.push(an_agent(&app, "v1.0.0").await.0);
        }
        let admin = app.person(Role::OrgAdmin).await;
        Self { app, admin, hosts }
    }

    async fn rollout(&self) -> Value {
        self.app.get(&self.admin, "/agent-rollouts").await.expect(200)["items"][0].clone()
    }

    /// Hosts that are offered the release now.
    async fn offered(&self) -> Vec<&TestHost> {
        let mut found = Vec::new();
        for host in &self.hosts {
            let sql = "SELECT version FROM agents WHERE id = $1";
            let version: String = self.app.value(sql, host.agent_id.as_ref().unwrap()).await;
            if offered(&self.app, host, &version).await.is_some() {
                found.push(host);
            }
        }
        found
    }

    /// Lets the given time pass and the rollout go on.
    async fn after(&self, minutes: i64) {
        self.app.clock.advance(TimeDelta::minutes(minutes));
        slice(&self.app).jobs()[0].run().await.unwrap();
    }
}

/// Spec: agents-enrolment 28, 31
#[tokio::test]
async fn agents_below_the_minimum_when_a_release_is_published_then_update_in_waves() {
    let fleet = Fleet::new().await;
    publish(&fleet.app, "v1.1.0", "v1.1.0").await;
    let rollout = fleet.rollout().await;
    assert_eq!(
        (&rollout["state"], &rollout["agents"], &rollout["waves"]),
        (&json!("running"), &json!(20), &json!([10, 50, 100]))
    );
    for (wave, size) in [(1, 2), (2, 8), (3, 10)] {
        let offered = fleet.offered().await;
        assert_eq!((fleet.rollout().await["wave"].clone(), offered.len()), (json!(wave), size));
        fleet.after(11).await;
        assert_eq!(fleet.rollout().await["wave"], json!(wave), "the wave has not updated yet");
        for host in offered {
            report(&fleet.app, host, "v1.1.0", "updated").await;
            set_version(&fleet.app, host, "v1.1.0").await;
        }
        fleet.after(1).await;
    }
    let rollout = fleet.rollout().await;
    assert_eq!(
        (&rollout["state"], &rollout["updated"], &rollout["failed"]),
        (&json!("finished"), &json!(20), &json!(0))
    );
    let (late, _) = an_agent(&fleet.app, "v1.0.0").await;
    assert_eq!(
        offered(&fleet.app, &late, "v1.0.0").await.as_deref(),
        Some("v1.1.0"),
        "it came after the rollout"
    );
}

async fn set_version(app: &App, host: &TestHost, version: &str) {
    sqlx::query("UPDATE agents SET version = $2 WHERE host_id = $1")
        .bind(host.id)
        .bind(version)
        .execute(app.pool())
        .await
        .unwrap();
}

/// Spec: agents-enrolment 31
#[tokio::test]
async fn rollout_when_an_agent_of_a_small_wave_rolls_back_then_halts_until_somebody_resumes_it() {
    let fleet = Fleet::new().await;
    publish(&fleet.app, "v1.1.0", "v0.0.0").await;
    assert_eq!(fleet.rollout().await, Value::Null, "nobody is below the minimum");
    let reader = fleet.app.person(Role::Engineer).await;
    assert_eq!(fleet.app.post(&reader, "/agent-rollouts", Some(json!({}))).await.code(403), "forbidden");
    let started = fleet.app.post(&fleet.admin, "/agent-rollouts", Some(json!({}))).await.expect(201);
    let offered = fleet.offered().await;
    report(&fleet.app, offered[0], "v1.1.0", "rolled_back").await;
    fleet.after(1).await;
    let halted = fleet.rollout().await;
    assert_eq!(halted["state"], "halted");
    assert_eq!(halted["halt_reason"], "1 of 2 agents of wave 1 rolled back, failed or went offline");
    assert_eq!(fleet.offered().await.len(), 0, "nobody is offered it now");

    let path = format!("/agent-rollouts/{}", started["id"].as_str().unwrap());
    let resumed = fleet.app.post(&fleet.admin, &format!("{path}/resume"), None).await.expect(200);
    assert_eq!((&resumed["state"], &resumed["halt_reason"]), (&json!("running"), &Value::Null));
    assert_eq!(fleet.offered().await.len(), 1, "the one that rolled back is not asked again");
    fleet.after(1).await;
    assert_eq!(fleet.rollout().await["state"], "running", "what was known does not count again");
    let answer = fleet.app.post(&fleet.admin, &format!("{path}/resume"), None).await;
    assert_eq!(answer.code(409), "wrong_state");
    fleet.app.post(&fleet.admin, &format!("{path}/halt"), None).await.expect(200);
    let stranger =
        fleet.app.person_of(ctops_testkit::a_organisation(fleet.app.pool()).await, Role::SuperAdmin).await;
    assert_eq!(fleet.app.post(&stranger, &format!("{path}/resume"), None).await.code(404), "not_found");
}

/// Spec: agents-enrolment 31
#[tokio::test]
async fn rollout_when_an_agent_goes_offline_after_its_offer_then_halts() {
    let fleet = Fleet::new().await;
    publish(&fleet.app, "v1.1.0", "v1.1.0").await;
    let gone = fleet.offered().await[0];
    sqlx::query("UPDATE host_vitals SET status = 'offline', status_changed_at = $2 WHERE host_id = $1")
        .bind(gone.id)
        .bind(fleet.app.clock.now())
        .execute(fleet.app.pool())
        .await
        .unwrap();
    fleet.after(4).await;
    assert_eq!(fleet.rollout().await["state"], "running", "a restart takes a moment");
    fleet.after(2).await;
    assert_eq!(fleet.rollout().await["state"], "halted");
}

#[tokio::test]
async fn rollout_when_another_begins_on_its_channel_then_gives_way() {
    let fleet = Fleet::new().await;
    publish(&fleet.app, "v1.1.0", "v1.1.0").await;
    publish(&fleet.app, "v1.2.0", "v1.1.0").await;
    let items = fleet.app.get(&fleet.admin, "/agent-rollouts").await.expect(200)["items"].clone();
    let states: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["running", "superseded"]);
    let host = fleet.offered().await[0];
    assert_eq!(offered(&fleet.app, host, "v1.0.0").await.as_deref(), Some("v1.2.0"));
}

#[tokio::test]
async fn settings_when_waves_do_not_grow_to_100_then_are_refused() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = "/settings/agent-updates";
    let defaults = app.get(&admin, path).await.expect(200);
    assert_eq!(defaults, json!({"waves": [10, 50, 100], "halt_percent": 5, "update_originals": false}));
    let patch = |body: Value| app.send(Some(&admin), "PATCH", path, Some(body), [127, 0, 0, 1]);
    for wrong in [json!({"waves": [50]}), json!({"waves": []}), json!({"halt_percent": 101})] {
        assert_eq!(patch(wrong).await.code(422), "validation_failed");
    }
    let changed = patch(json!({"waves": [25, 100], "halt_percent": 0})).await.expect(200);
    assert_eq!((&changed["waves"], &changed["halt_percent"]), (&json!([25, 100]), &json!(0)));
    let engineer = app.person(Role::Engineer).await;
    assert_eq!(app.get(&engineer, path).await.code(403), "forbidden");
}
