//! Runs: claiming, results, cancelling, and an end for every run.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::tasks::{CreatedRun, NewRun, SOFTWARE_INVENTORY, SweepTasks, TaskEvents, TaskWork};
use ctops_fleet::tasks::{create_run, task_of_agent};
use ctops_proto::agent::HeartbeatResponse;
use ctops_proto::queue::{AgentEvent, TaskProgress, TaskResult};
use ctops_slice::{AgentEvents, AgentWork, Capabilities, ConnectedAgent, Job};
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::App;

/// The hosts of a test with their run.
struct Stage {
    app: App,
    hosts: Vec<TestHost>,
}

impl Stage {
    async fn new(hosts: usize) -> Self {
        let app = App::new().await;
        let mut all = Vec::new();
        for _ in 0..hosts {
            all.push(a_host(app.org).insert(app.pool()).await);
        }
        Self { app, hosts: all }
    }

    async fn run(&self, kind: &str, max_parallel: u8) -> CreatedRun {
        let new = NewRun {
            org_id: self.app.org,
            kind: kind.to_owned(),
            host_ids: self.hosts.iter().map(|host| host.id).collect(),
            config_json: r#"{"deep":true}"#.to_owned(),
            max_parallel,
            created_by: None,
        };
        let mut tx = self.app.pool().begin().await.unwrap();
        let created = create_run(&mut tx, &new, self.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        created
    }

    fn agent(&self, host: usize, capabilities: Capabilities) -> ConnectedAgent {
        let host = &self.hosts[host];
        ConnectedAgent {
            host_id: host.id,
            org_id: self.app.org,
            agent_id: host.agent_id.clone().unwrap(),
            version: String::new(),
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            capabilities,
            config_revision: 0,
            pinned_certificate: String::new(),
        }
    }

    /// What is sent to these hosts' agents.
    async fn sent_to(&self, hosts: &[usize], capabilities: Capabilities) -> Vec<(Uuid, HeartbeatResponse)> {
        let agents: Vec<_> = hosts.iter().map(|host| self.agent(*host, capabilities)).collect();
        TaskWork::new(self.app.pool().clone(), self.app.clock.clone()).pending(&agents).await.unwrap()
    }

    async fn sent(&self, hosts: &[usize]) -> Vec<Uuid> {
        self.sent_to(hosts, Capabilities::TASKS).await.into_iter().map(|(host, _)| host).collect()
    }

    async fn says(&self, host: usize, change: impl FnOnce(&mut AgentEvent)) {
        let host = &self.hosts[host];
        let mut event = AgentEvent {
            host_id: host.id.to_string(),
            org_id: self.app.org.to_string(),
            agent_id: host.agent_id.clone().unwrap(),
            received_at_ms: self.app.clock.now_ms(),
            ..AgentEvent::default()
        };
        change(&mut event);
        let mut tx = self.app.pool().begin().await.unwrap();
        TaskEvents.apply(&mut tx, &[event]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn finishes(&self, host: usize, run: &CreatedRun, exit_code: i32) {
        self.says(host, |event| event.task_results = vec![result(run.targets[host].1, exit_code)]).await;
    }

    async fn sweep(&self, later: TimeDelta) {
        self.app.clock.advance(later);
        SweepTasks::new(self.app.pool().clone(), self.app.clock.clone()).run().await.unwrap();
    }

    /// The run as people see it.
    async fn shown(&self, run: &CreatedRun) -> Value {
        let reader = self.app.person(Role::ReadOnly).await;
        self.app.get(&reader, &format!("/task-runs/{}", run.run_id)).await.expect(200)
    }

    async fn statuses(&self, run: &CreatedRun) -> (String, Vec<String>) {
        let shown = self.shown(run).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let hosts = shown["hosts"].as_array().unwrap().iter().map(|host| text(&host["status"]));
        (text(&shown["status"]), hosts.collect())
    }
}

fn result(task_id: Uuid, exit_code: i32) -> TaskResult {
    TaskResult {
        task_id: task_id.to_string(),
        task_type: SOFTWARE_INVENTORY.to_owned(),
        exit_code,
        result_json: r#"{"package_count":3}"#.to_owned(),
        error: String::new(),
    }
}

fn words(run: &str, hosts: &[&str]) -> (String, Vec<String>) {
    (run.to_owned(), hosts.iter().map(|&word| word.to_owned()).collect())
}

/// Spec: tasks 2, 3, 5
#[tokio::test]
async fn run_when_its_hosts_answer_ends_with_their_results() {
    let stage = Stage::new(2).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    assert_eq!(stage.statuses(&run).await, words("pending", &["pending", "pending"]));
    let sent = stage.sent_to(&[0, 1], Capabilities::default()).await;
    let task =
        sent.iter().find(|(host, _)| *host == stage.hosts[0].id).unwrap().1.pending_task.clone().unwrap();
    assert_eq!((task.task_id, task.task_type.as_str()), (run.targets[0].1.to_string(), SOFTWARE_INVENTORY));
    assert_eq!(task.config_json, r#"{"deep":true}"#);
    assert_eq!(stage.statuses(&run).await, words("running", &["running", "running"]));
    assert_eq!(stage.sent(&[0]).await.len(), 1, "sent again until the result arrives");
    stage.finishes(0, &run, 0).await;
    assert_eq!(stage.sent(&[0]).await.len(), 0);
    stage.finishes(1, &run, 3).await;
    assert_eq!(stage.statuses(&run).await, words("failed", &["success", "failed"]));
    let shown = stage.shown(&run).await;
    assert_eq!(shown["hosts"][0]["result"], json!({"package_count": 3}));
    assert_eq!((&shown["hosts"][1]["exit_code"], &shown["origin"]), (&json!(3), &json!("automated")));
    stage.finishes(1, &run, 0).await;
    assert_eq!(stage.statuses(&run).await.0, "failed", "the first result counts");
}

/// Spec: tasks 6
#[tokio::test]
async fn run_when_it_is_bounded_never_has_more_hosts_running_and_goes_on_when_one_ends() {
    let stage = Stage::new(4).await;
    let run = stage.run(SOFTWARE_INVENTORY, 2).await;
    let (one, two) = tokio::join!(stage.sent(&[0, 2]), stage.sent(&[1, 3]));
    assert_eq!(one.len() + two.len(), 2, "two nodes together keep the bound");
    assert_eq!(stage.sent(&[0, 1, 2, 3]).await.len(), 2);
    let running = stage.statuses(&run).await.1.iter().position(|status| status == "running").unwrap();
    stage.finishes(running, &run, 0).await;
    assert_eq!(stage.sent(&[0, 1, 2, 3]).await.len(), 2, "the next one takes its turn");
}

/// Spec: tasks 8
#[tokio::test]
async fn host_with_many_tasks_gets_four_at_a_time() {
    let stage = Stage::new(1).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(stage.run(SOFTWARE_INVENTORY, 0).await);
    }
    assert_eq!(stage.sent(&[0]).await.len(), 4);
    stage.finishes(0, &runs[0], 0).await;
    assert_eq!(stage.sent(&[0]).await.len(), 4);
}

/// Trap 10 of the wire contract, appendix B.1: agents of the original product refuse everything but inventories.
#[tokio::test]
async fn original_agent_is_sent_only_software_inventories() {
    let stage = Stage::new(1).await;
    let (script, inventory) = (stage.run("custom_script", 0).await, stage.run(SOFTWARE_INVENTORY, 0).await);
    let sent = stage.sent_to(&[0], Capabilities::default()).await;
    let kinds: Vec<_> =
        sent.into_iter().map(|(_, response)| response.pending_task.unwrap().task_type).collect();
    assert_eq!(kinds, [SOFTWARE_INVENTORY]);
    assert_eq!(stage.statuses(&script).await, words("completed", &["skipped"]));
    let reason = stage.shown(&script).await["hosts"][0]["skip_reason"].clone();
    assert_eq!(reason, "the agent does not support this task");
    assert_eq!(stage.statuses(&inventory).await.0, "running");
    let ours = stage.run("custom_script", 0).await;
    let sent = stage.sent_to(&[0], Capabilities::TASKS).await;
    assert_eq!(sent.len(), 2);
    assert_eq!(stage.statuses(&ours).await.0, "running");
}

#[tokio::test]
async fn results_and_output_of_another_host_or_an_unknown_task_change_nothing() {
    let stage = Stage::new(2).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    stage.sent(&[0, 1]).await;
    let task_id = run.targets[0].1;
    let chunk = |task_id: &str| TaskProgress { task_id: task_id.to_owned(), output_chunk: "forged".into() };
    stage
        .says(1, |event| {
            event.task_results = vec![result(task_id, 0), result(Uuid::from_u128(9), 0)];
            event.task_progress = vec![chunk(&task_id.to_string()), chunk("not an id")];
        })
        .await;
    assert_eq!(stage.statuses(&run).await, words("running", &["running", "running"]));
    assert_eq!(stage.shown(&run).await["hosts"][0]["output_bytes"], 0);
    let own = stage.hosts[0].agent_id.clone().unwrap();
    let other = stage.hosts[1].agent_id.clone().unwrap();
    let task = task_of_agent(stage.app.pool(), task_id, &own).await.unwrap().unwrap();
    assert_eq!(
        (task.host_id, task.kind.as_str(), task.is_open),
        (stage.hosts[0].id, SOFTWARE_INVENTORY, true)
    );
    assert_eq!(task_of_agent(stage.app.pool(), task_id, &other).await.unwrap(), None);
}

/// Spec: tasks 9
#[tokio::test]
async fn output_is_kept_in_order_up_to_its_limit() {
    let stage = Stage::new(1).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    stage.sent(&[0]).await;
    let task_id = run.targets[0].1.to_string();
    let says = |text: String| {
        let task_id = task_id.clone();
        stage.says(0, move |event| {
            let (a, b) = text.split_at(text.len() / 2);
            let chunk = |text: &str| TaskProgress { task_id: task_id.clone(), output_chunk: text.to_owned() };
            event.task_progress = vec![chunk(a), chunk(b)];
        })
    };
    says("first\nsecond\n".to_owned()).await;
    says("third\n".to_owned()).await;
    let reader = stage.app.person(Role::ReadOnly).await;
    let path = format!("/task-runs/{}/hosts/{}/output", run.run_id, stage.hosts[0].id);
    let shown = stage.app.get(&reader, &path).await.expect(200);
    assert_eq!(shown, json!({"output": "first\nsecond\nthird\n", "truncated": false}));
    says("x".repeat(1024 * 1024)).await;
    says("too much".to_owned()).await;
    let shown = stage.app.get(&reader, &path).await.expect(200);
    assert_eq!(shown["truncated"], true);
    assert!(!shown["output"].as_str().unwrap().contains("too much"));
}

/// Spec: tasks 11
#[tokio::test]
async fn cancel_ends_waiting_hosts_at_once_and_running_ones_by_their_answer_or_after_two_minutes() {
    let stage = Stage::new(3).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    stage.sent(&[0, 1]).await;
    let engineer = stage.app.person(Role::Engineer).await;
    let path = format!("/task-runs/{}/cancel", run.run_id);
    assert_eq!(
        stage.app.post(&engineer, &path, None).await.code(403),
        "forbidden",
        "not the engineer's own run"
    );
    let admin = stage.app.person(Role::OrgAdmin).await;
    stage.app.post(&admin, &path, None).await.expect(200);
    assert_eq!(stage.statuses(&run).await, words("cancelling", &["cancelling", "cancelling", "cancelled"]));
    let sent = stage.sent_to(&[0, 1, 2], Capabilities::TASKS).await;
    let ids: Vec<_> = sent.iter().flat_map(|(_, response)| response.cancel_task_ids.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert!(sent.iter().all(|(_, response)| response.pending_task.is_none()));
    stage.finishes(0, &run, 0).await;
    stage.sweep(TimeDelta::seconds(119)).await;
    assert_eq!(stage.statuses(&run).await, words("cancelling", &["cancelled", "cancelling", "cancelled"]));
    stage.sweep(TimeDelta::seconds(2)).await;
    assert_eq!(stage.statuses(&run).await, words("cancelled", &["cancelled", "cancelled", "cancelled"]));
    assert_eq!(stage.shown(&run).await["hosts"][1]["error"], "agent unreachable");
    assert_eq!(stage.app.post(&admin, &path, None).await.code(409), "wrong_state");
    assert_eq!(stage.app.audited(&run.run_id.to_string()).await, ["task.cancelled"]);
}

/// Spec: tasks 7, 10
#[tokio::test]
async fn sweep_ends_targets_that_never_started_or_never_answered() {
    let stage = Stage::new(2).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    stage.app.clock.advance(TimeDelta::seconds(60));
    stage.sent(&[0]).await;
    stage.sweep(TimeDelta::minutes(58)).await;
    assert_eq!(stage.statuses(&run).await, words("running", &["running", "pending"]));
    stage.sweep(TimeDelta::minutes(1) + TimeDelta::seconds(30)).await;
    assert_eq!(stage.statuses(&run).await, words("running", &["running", "skipped"]));
    stage.sweep(TimeDelta::minutes(1)).await;
    assert_eq!(stage.statuses(&run).await, words("failed", &["failed", "skipped"]));
    let shown = stage.shown(&run).await;
    assert_eq!(
        (&shown["hosts"][0]["exit_code"], &shown["hosts"][1]["skip_reason"]),
        (&json!(-1), &json!("agent offline"))
    );
    stage.sweep(TimeDelta::days(366)).await;
    let reader = stage.app.person(Role::ReadOnly).await;
    stage.app.get(&reader, &format!("/task-runs/{}", run.run_id)).await.code(404);
}

#[tokio::test]
async fn runs_are_seen_by_their_organisation_only_and_a_run_without_hosts_ends_at_once() {
    let stage = Stage::new(1).await;
    let run = stage.run(SOFTWARE_INVENTORY, 0).await;
    let elsewhere = a_organisation(stage.app.pool()).await;
    let stranger = stage.app.person_of(elsewhere, Role::SuperAdmin).await;
    for path in [
        format!("/task-runs/{}", run.run_id),
        format!("/hosts/{}/task-runs", stage.hosts[0].id),
        format!("/task-runs/{}/hosts/{}/output", run.run_id, stage.hosts[0].id),
    ] {
        stage.app.get(&stranger, &path).await.code(404);
    }
    stage.app.post(&stranger, &format!("/task-runs/{}/cancel", run.run_id), None).await.code(404);
    let new = NewRun {
        org_id: elsewhere,
        kind: SOFTWARE_INVENTORY.to_owned(),
        host_ids: vec![stage.hosts[0].id],
        config_json: "{}".to_owned(),
        max_parallel: 0,
        created_by: None,
    };
    let mut tx = stage.app.pool().begin().await.unwrap();
    let created = create_run(&mut tx, &new, stage.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(created.targets.is_empty(), "the host belongs to another organisation");
    let shown = stage.app.get(&stranger, &format!("/task-runs/{}", created.run_id)).await.expect(200);
    assert_eq!(shown["status"], "completed");
}

/// Spec: tasks 13
#[tokio::test]
async fn runs_of_a_host_are_listed_newest_first_in_parts() {
    let stage = Stage::new(1).await;
    let (first, second) = (stage.run("a", 0).await, stage.run("b", 0).await);
    let reader = stage.app.person(Role::ReadOnly).await;
    let path = format!("/hosts/{}/task-runs", stage.hosts[0].id);
    let page = stage.app.get(&reader, &format!("{path}?limit=1")).await.expect(200);
    assert_eq!(
        (&page["items"][0]["id"], page["items"].as_array().unwrap().len()),
        (&json!(second.run_id), 1)
    );
    let next = format!("{path}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = stage.app.get(&reader, &next).await.expect(200);
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&json!(first.run_id), &Value::Null));
    stage.app.get(&reader, &format!("{path}?limit=0")).await.code(422);
    stage.app.get(&reader, &format!("{path}?cursor=x")).await.code(422);
}
