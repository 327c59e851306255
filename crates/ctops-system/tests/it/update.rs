//! Updates of the agent: real versions, real releases, a service manager, and programs that go wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctops_testkit::{wait_for, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Fleet, Server, Supervised, program};

/// For an update with everything around it, on a busy machine.
const UPDATE_LIMIT: Duration = Duration::from_secs(90);

/// A step of an update, and whether it has been reached.
type Step<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>);

/// A server that trusts a key of its own, and an agent of version v1.0.0.
struct Installation {
    agent: Supervised,
    fleet: Fleet,
    api: Api,
    agent_id: String,
    key: PathBuf,
    server: Server,
}

impl Installation {
    async fn new(settings: &str) -> Self {
        let server = Server::new();
        let keys = server.path("keys");
        let made = server.command(&["release", "keygen", "--out", keys.to_str().unwrap()]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let public = fs::read_to_string(keys.join("release.pub")).unwrap().trim().to_owned();
        let mut server = server.with("CT_OPS_RELEASE_PUBLIC_KEY", &public);
        server.start().await;
        let api = server.set_up().await;
        let settings = format!("update_public_key = \"{public}\"\n{settings}");
        let agent = Supervised::start(&server, "agent_v1_0_0", &api.token_for_many().await, &settings);
        let fleet = Fleet::of(&server).await;
        fleet.until_status("online").await;
        let agent_id = api.only_agent().await["id"].as_str().unwrap().to_owned();
        Self { agent, fleet, api, agent_id, key: keys.join("release.key"), server }
    }

    /// Publishes `file` as the program of `version`.
    fn publish(&self, version: &str, file: &Path) {
        let artifact = format!("{}={}", platform(), file.display());
        let key = self.key.to_str().unwrap();
        let words = ["release", "publish", "--key", key, "--version", version, "--artifact", &artifact];
        let output = self.server.command(&words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Publishes a script that tells its version rightly and then does `then`.
    fn publish_script(&self, version: &str, then: &str) {
        let path = self.server.path("script");
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 'ct-ops-agent {version}'; exit; fi\n{then}\n"
        );
        fs::write(&path, text).unwrap();
        self.publish(version, &path);
    }

    async fn request(&self, version: &str) {
        self.api.post(&format!("/agents/{}/update", self.agent_id), json!({ "version": version })).await;
    }

    async fn update(&self) -> Value {
        self.api.get(&format!("/agents/{}/update", self.agent_id)).await
    }

    /// Waits for the outcome of the update to `version`; outcome and detail.
    async fn outcome(&self, version: &str) -> (String, String) {
        let result = wait_for(UPDATE_LIMIT, || async {
            let result = self.update().await["last_update_result"].clone();
            (result["version"] == version).then_some(result)
        })
        .await;
        let text = |name: &str| result[name].as_str().unwrap().to_owned();
        (text("outcome"), text("detail"))
    }

    /// Waits until the agent reports as `version`.
    async fn until_version(&self, version: &str) {
        wait_until(UPDATE_LIMIT, || async { self.api.only_agent().await["version"] == version }).await;
        self.fleet.until_heard().await;
    }
}

fn platform() -> String {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!("linux/{arch}")
}

/// Spec: agents-enrolment 27, 28, 30
#[tokio::test]
async fn agent_when_told_to_update_then_runs_the_new_version_and_goes_back_only_when_pinned() {
    let it = Installation::new("").await;
    it.publish("v1.0.0", &program("examples/agent_v1_0_0"));
    it.publish("v1.1.0", &program("examples/agent_v1_1_0"));
    let (pid, installed) = (it.agent.pid(), fs::read(it.agent.installed()).unwrap());
    it.request("v1.1.0").await;
    assert_eq!(it.outcome("v1.1.0").await, ("updated".to_owned(), String::new()));
    it.until_version("v1.1.0").await;
    assert_eq!((it.agent.pid(), it.agent.starts()), (pid, 1), "executed in place");
    assert_eq!(it.api.only_agent().await["id"], it.agent_id.as_str(), "the same agent");
    assert!(fs::read(it.agent.installed()).unwrap() == installed, "the installed program is not touched");
    wait_until(UPDATE_LIMIT, || async { it.agent.update_state()["outcome"].is_null() }).await;

    // The service manager knows the installed program only.
    it.agent.kill();
    wait_until(UPDATE_LIMIT, || async { it.agent.starts() == 2 }).await;
    it.fleet.until_heard().await;
    assert_eq!(it.api.only_agent().await["version"], "v1.1.0");

    let path = format!("/agents/{}/update", it.agent_id);
    let refused = it.api.ask(Method::POST, &path, Some(json!({ "version": "v1.0.0" }))).await;
    assert_eq!(
        (refused.status, refused.body["code"].as_str()),
        (409, Some("wrong_state")),
        "{}",
        refused.body
    );
    let pinned = it.api.ask(Method::PATCH, &path, Some(json!({ "pinned_version": "v1.0.0" }))).await;
    assert_eq!(pinned.status, 200, "{}", pinned.body);
    assert_eq!(it.outcome("v1.0.0").await.0, "updated");
    it.until_version("v1.0.0").await;
}

/// Spec: agents-enrolment 28
#[tokio::test]
async fn program_when_changed_in_the_store_or_signed_by_somebody_else_then_is_never_started() {
    let it = Installation::new("").await;
    it.publish("v1.1.0", &program("examples/agent_v1_1_0"));
    let store = it.server.path("agent-dist/releases");
    let stored = fs::read_dir(&store).unwrap().next().unwrap().unwrap().path();
    let mut content = fs::read(&stored).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&stored, &content).unwrap();
    it.request("v1.1.0").await;
    let (outcome, detail) = it.outcome("v1.1.0").await;
    assert_eq!((outcome.as_str(), detail.contains("differs")), ("failed", true), "{detail}");

    // Somebody who owns the database cannot sign either.
    it.publish_script("v1.2.0", "exit 0");
    sqlx::query("UPDATE agent_releases SET signature = sha512('x') WHERE version = 'v1.2.0'")
        .execute(&it.fleet.pool)
        .await
        .unwrap();
    it.request("v1.2.0").await;
    let (outcome, detail) = it.outcome("v1.2.0").await;
    assert_eq!((outcome.as_str(), detail.contains("not signed")), ("refused", true), "{detail}");

    // A program for another machine, or one that is another version, does not get as far as a trial.
    it.publish("v1.3.0", &program("examples/agent_v1_1_0"));
    it.request("v1.3.0").await;
    let (outcome, detail) = it.outcome("v1.3.0").await;
    assert_eq!(
        (outcome.as_str(), detail.as_str()),
        ("failed", "program says that it is \"ct-ops-agent v1.1.0\"")
    );
    assert_eq!(it.api.only_agent().await["version"], "v1.0.0");
    assert_eq!(it.agent.starts(), 1);
}

/// Spec: agents-enrolment 29
#[tokio::test]
async fn program_when_it_hangs_or_dies_on_trial_then_the_one_before_returns_and_it_is_not_tried_again() {
    let it = Installation::new("").await;
    it.publish_script("v1.2.0", "exec sleep 1000");
    it.request("v1.2.0").await;
    let (outcome, detail) = it.outcome("v1.2.0").await;
    assert_eq!((outcome.as_str(), detail.as_str()), ("rolled_back", "no heartbeat within 15 s"));
    it.until_version("v1.0.0").await;
    let starts = it.agent.starts();

    it.publish_script("v1.3.0", "exit 1");
    it.request("v1.3.0").await;
    let (outcome, detail) = it.outcome("v1.3.0").await;
    assert_eq!(
        (outcome.as_str(), detail.as_str()),
        ("rolled_back", "ended 3 times before its first heartbeat")
    );
    assert_eq!(it.agent.starts(), starts + 3);
    it.until_version("v1.0.0").await;

    it.request("v1.2.0").await;
    wait_until(UPDATE_LIMIT, || async { it.outcome("v1.2.0").await.0 == "refused" }).await;
    assert_eq!(it.agent.starts(), starts + 3, "it was not started again");
}

/// Spec: agents-enrolment 29
#[tokio::test]
async fn new_version_when_it_cannot_complete_a_heartbeat_then_returns_to_the_old_one_by_itself() {
    let mut it = Installation::new("").await;
    it.publish("v1.1.0", &program("examples/agent_v1_1_0"));
    it.request("v1.1.0").await;
    let ready = it.agent.program_dir().join("v1.1.0/ct-ops-agent");
    wait_until(UPDATE_LIMIT, || async { ready.exists() }).await;
    it.server.kill();
    wait_until(UPDATE_LIMIT, || async { it.agent.update_state()["rejected"][0] == "v1.1.0" }).await;
    it.server.start().await;
    let (outcome, detail) = it.outcome("v1.1.0").await;
    assert_eq!((outcome.as_str(), detail.as_str()), ("rolled_back", "no heartbeat within 15 s"));
    it.until_version("v1.0.0").await;
    assert_eq!(it.agent.starts(), 1, "it needed no service manager");
}

/// Spec: agents-enrolment 28
#[tokio::test]
async fn update_when_the_agent_is_killed_between_its_steps_then_goes_on_and_a_program_always_runs() {
    let it = Installation::new("").await;
    it.publish("v1.1.0", &program("examples/agent_v1_1_0"));
    it.request("v1.1.0").await;
    let dir = it.agent.program_dir();
    let steps: [Step<'_>; 3] = [
        ("download begun", Box::new(|| dir.join("v1.1.0.part").exists())),
        ("program in its place", Box::new(|| dir.join("v1.1.0/ct-ops-agent").exists())),
        ("on trial", Box::new(|| !it.agent.update_state()["trial"].is_null())),
    ];
    for (number, (step, reached)) in steps.iter().enumerate() {
        wait_until(UPDATE_LIMIT, || async { reached() }).await;
        it.agent.kill();
        eprintln!("killed when: {step}");
        wait_until(UPDATE_LIMIT, || async { it.agent.starts() as usize == number + 2 }).await;
    }
    assert_eq!(it.outcome("v1.1.0").await, ("updated".to_owned(), String::new()));
    it.until_version("v1.1.0").await;
}

#[tokio::test]
async fn agent_when_over_its_memory_limit_then_restarts_itself_as_the_same_agent() {
    let it = Installation::new("memory_limit_mb = 8").await;
    let pid = it.agent.pid();
    wait_until(UPDATE_LIMIT, || async {
        it.agent.log().contains("still exceeds its limits, restarting itself")
    })
    .await;
    assert!(it.agent.log().contains("shedding buffers and checks"));
    let begun = it.agent.log().matches("agent identity ready").count();
    wait_until(UPDATE_LIMIT, || async { it.agent.log().matches("agent identity ready").count() > begun })
        .await;
    it.fleet.until_heard().await;
    assert_eq!((it.agent.pid(), it.agent.starts()), (pid, 1));
    assert_eq!(it.api.only_agent().await["id"], it.agent_id.as_str());
}
