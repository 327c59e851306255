#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::collect::Sources;
use crate::config::AllowTasks;
use ctops_base::Clock;
use ctops_proto::agent::HeartbeatRequest;

const LIMIT: Duration = Duration::from_secs(20);

/// A host with programs of its own.
struct Host {
    dir: tempfile::TempDir,
    outbox: Arc<Outbox>,
    tasks: Tasks,
    output: String,
}

impl Host {
    fn new(allow_tasks: AllowTasks) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        let (outbox, tasks) = Self::tasks(&dir, allow_tasks);
        Self { dir, outbox, tasks, output: String::new() }
    }

    fn tasks(dir: &tempfile::TempDir, allow_tasks: AllowTasks) -> (Arc<Outbox>, Tasks) {
        let outbox = Arc::new(Outbox::default());
        let surroundings = Surroundings {
            clock: Clock::system(),
            sources: Sources {
                proc: "/proc".into(),
                etc: dir.path().join("etc"),
                run: dir.path().join("run"),
            },
            data_dir: dir.path().to_owned(),
            allow_tasks,
        };
        let mut tasks = Tasks::new(surroundings, outbox.clone(), Arc::default());
        let programs = format!("{}:/usr/bin:/bin", dir.path().join("bin").display());
        Arc::get_mut(&mut tasks.shared).unwrap().programs = Programs::in_directories(&programs);
        (outbox, tasks)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.dir.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn start(&self, id: &str, task_type: &str, config: &serde_json::Value) {
        self.tasks.start(&AgentTask {
            task_id: id.to_owned(),
            task_type: task_type.to_owned(),
            config_json: config.to_string(),
        });
    }

    /// Waits until `condition` holds for everything that was delivered.
    async fn delivered(
        &mut self,
        condition: impl Fn(&str, &[AgentTaskResult]) -> bool,
    ) -> Vec<AgentTaskResult> {
        let mut results = Vec::new();
        let wait = async {
            while !condition(&self.output, &results) {
                self.outbox.ready().await;
                let mut report = HeartbeatRequest::default();
                self.outbox.drain(&mut report);
                self.output.extend(report.task_progress.into_iter().map(|chunk| chunk.output_chunk));
                results.extend(report.task_results);
            }
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap();
        results
    }

    async fn result(&mut self) -> AgentTaskResult {
        self.delivered(|_, results| !results.is_empty()).await.remove(0)
    }
}

fn script(text: &str) -> serde_json::Value {
    serde_json::json!({"script": text})
}

/// Spec: tasks 9, 15
#[tokio::test]
async fn script_when_run_then_its_output_and_exit_code_are_delivered() {
    let mut host = Host::new(AllowTasks::All(true));
    host.start("t1", CUSTOM_SCRIPT, &script("echo out; echo err >&2; exit 3"));
    let result = host.result().await;
    assert_eq!((result.task_id.as_str(), result.task_type.as_str()), ("t1", CUSTOM_SCRIPT));
    assert_eq!(
        (result.exit_code, result.result_json.as_str(), result.error.as_str()),
        (3, "{\"exit_code\":3}", "")
    );
    assert!(host.output.contains("out\n") && host.output.contains("err\n"), "{}", host.output);
    assert_eq!(fs::read_dir(host.dir.path().join("scripts")).unwrap().count(), 0);
}

/// Spec: tasks 17
#[tokio::test]
async fn script_when_it_runs_then_has_limits() {
    let mut host = Host::new(AllowTasks::All(true));
    let config = serde_json::json!({"script": "ulimit -n; ulimit -f; ulimit -v; ulimit -t; ls -l $0", "timeout_seconds": 10});
    host.start("t", CUSTOM_SCRIPT, &config);
    host.result().await;
    let lines: Vec<&str> = host.output.lines().collect();
    assert_eq!(lines[..4], ["128", "20480", "1048576", "15"]);
    assert!(lines[4].starts_with("-rwx------"), "{}", lines[4]);
}

/// Spec: tasks 15
#[tokio::test]
async fn script_when_it_takes_too_long_then_is_ended() {
    let mut host = Host::new(AllowTasks::All(true));
    host.start("t", CUSTOM_SCRIPT, &serde_json::json!({"script": "sleep 60", "timeout_seconds": 1}));
    let result = host.result().await;
    assert_eq!((result.exit_code, result.error.as_str()), (-1, "task timed out (exceeded 1 seconds)"));
}

/// Spec: tasks 11
#[tokio::test]
async fn task_when_cancelled_then_its_processes_end_and_it_says_so() {
    let mut host = Host::new(AllowTasks::All(true));
    host.start("t", CUSTOM_SCRIPT, &script("sleep 600 & echo started $!; wait"));
    host.delivered(|output, _| output.contains("started ")).await;
    host.tasks.cancel(&["other".to_owned(), "t".to_owned()]);
    let result = host.result().await;
    assert_eq!((result.exit_code, result.error.as_str()), (-1, "cancelled by user"));
    let pid = host.output.split_whitespace().nth(1).unwrap().to_owned();
    let gone = async {
        while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
}

/// Spec: tasks 5
#[tokio::test]
async fn task_when_repeated_then_runs_once_and_tells_its_result_until_it_is_acknowledged() {
    let mut host = Host::new(AllowTasks::All(true));
    let config = script(&format!("echo x >> {}/runs", host.dir.path().display()));
    host.start("t", CUSTOM_SCRIPT, &config);
    host.start("t", CUSTOM_SCRIPT, &config);
    let first = host.result().await;
    host.start("t", CUSTOM_SCRIPT, &config);
    assert_eq!(host.result().await, first);
    (host.outbox, host.tasks) = Host::tasks(&host.dir, AllowTasks::All(true));
    host.start("t", CUSTOM_SCRIPT, &config);
    let again = host.result().await;
    assert_eq!(again, first, "also after a restart of the agent");
    host.tasks.acknowledged(&[again]);
    host.start("t", CUSTOM_SCRIPT, &config);
    host.start("u", CUSTOM_SCRIPT, &script("true"));
    let results = host.delivered(|_, results| results.iter().any(|result| result.task_id == "u")).await;
    assert_eq!(results.len(), 1, "what is acknowledged is not told again");
    assert_eq!(fs::read_to_string(host.dir.path().join("runs")).unwrap(), "x\n");
}

/// Spec: tasks 8
#[tokio::test]
async fn tasks_when_more_than_four_then_wait_for_their_turn() {
    let mut host = Host::new(AllowTasks::All(true));
    let gate = host.dir.path().join("gate");
    let wait = format!("echo begun; while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    for number in 0..5 {
        host.start(&number.to_string(), CUSTOM_SCRIPT, &script(&wait));
    }
    host.delivered(|output, _| output.matches("begun").count() == 4).await;
    host.tasks.cancel(&["4".to_owned()]);
    let result = host.result().await;
    assert_eq!(
        (result.task_id.as_str(), result.error.as_str()),
        ("4", "cancelled by user"),
        "it still waited"
    );
    fs::write(gate, "").unwrap();
    let results = host.delivered(|_, results| results.len() == 4).await;
    assert!(results.iter().all(|result| result.exit_code == 0));
    assert_eq!(host.output.matches("begun").count(), 4);
}

/// Spec: agents-enrolment 29
#[tokio::test]
async fn count_of_tasks_when_some_run_then_keeps_an_update_waiting() {
    let mut host = Host::new(AllowTasks::All(true));
    let mut count = host.tasks.count();
    assert_eq!(*count.borrow(), 0);
    host.start("t", CUSTOM_SCRIPT, &script("sleep 600"));
    assert_eq!(*count.borrow(), 1);
    host.tasks.cancel(&["t".to_owned()]);
    host.result().await;
    let idle = tokio::time::timeout(LIMIT, count.wait_for(|count| *count == 0)).await;
    assert!(idle.is_ok());
}

/// Spec: tasks 26
#[tokio::test]
async fn host_when_it_does_not_accept_a_type_then_refuses_in_the_words_of_the_original() {
    for allow in [AllowTasks::All(false), AllowTasks::Types(vec![SOFTWARE_INVENTORY.to_owned()])] {
        let mut host = Host::new(allow);
        host.start("t", CUSTOM_SCRIPT, &script("true"));
        let result = host.result().await;
        assert_eq!((result.exit_code, result.error.as_str()), (-1, REFUSED));
    }
    let mut host = Host::new(AllowTasks::All(true));
    host.start("u", "ansible_ping", &script(""));
    assert_eq!(host.result().await.error, "unsupported task type: ansible_ping");
    for (config, expected) in [
        (serde_json::json!([]), "invalid custom_script config: "),
        (serde_json::json!({"script": " "}), "invalid custom_script config: script is required"),
        (
            serde_json::json!({"script": "x", "interpreter": "perl"}),
            "invalid custom_script config: unsupported interpreter: perl",
        ),
    ] {
        host.start(&config.to_string(), CUSTOM_SCRIPT, &config);
        let result = host.result().await;
        assert!(result.exit_code == -1 && result.error.starts_with(expected), "{}", result.error);
    }
}

/// Spec: tasks 18
#[tokio::test]
async fn service_when_acted_on_then_its_state_is_told() {
    let mut host = Host::new(AllowTasks::All(true));
    host.program(
        "systemctl",
        "echo \"$@\"; [ \"$1\" = is-active ] && exit 0; [ \"$3\" = stop ] && exit 5; exit 0",
    );
    let config = |action: &str| serde_json::json!({"service_name": "cron.service", "action": action});
    host.start("a", SERVICE, &config("restart"));
    let result = host.result().await;
    assert_eq!(result.result_json, r#"{"service_name":"cron.service","action":"restart","is_active":true}"#);
    assert_eq!(
        (result.exit_code, host.output.as_str()),
        (0, "--no-pager --no-ask-password restart -- cron.service\n")
    );
    host.start("b", SERVICE, &config("stop"));
    assert_eq!(host.result().await.exit_code, 5);
    host.start("c", SERVICE, &config("mask"));
    assert_eq!(host.result().await.error, "invalid service config: unsupported action: mask");
    host.start("d", SERVICE, &serde_json::json!({"service_name": "a b; reboot", "action": "start"}));
    assert_eq!(host.result().await.error, "invalid service config: service_name is not a name of a unit");
}

/// Spec: tasks 19, 20
#[tokio::test]
async fn patch_when_run_then_tells_what_changed() {
    let mut host = Host::new(AllowTasks::All(true));
    fs::write(host.dir.path().join("etc/os-release"), "ID=debian\n").unwrap();
    let status = host.dir.path().join("var/lib/dpkg/status");
    fs::create_dir_all(status.parent().unwrap()).unwrap();
    let entry = |version: &str| {
        format!("Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n")
    };
    fs::write(&status, entry("1")).unwrap();
    let upgrade = format!(
        "case \"$*\" in *-s*) echo 'Inst a [1] (2 Debian-Security:12 [amd64])';; *install*) sed -i 's/Version: 1/Version: 2/' {};; esac",
        status.display()
    );
    host.program("apt-get", &upgrade);
    host.program("apt", "exit 0");
    host.start("t", PATCH, &serde_json::json!({"mode": "security"}));
    let result = host.result().await;
    let expected =
        r#"{"packages_updated":[{"name":"a","from_version":"1","to_version":"2"}],"reboot_required":false}"#;
    assert_eq!((result.exit_code, result.result_json.as_str()), (0, expected), "{}", result.error);
    assert!(host.output.contains("$ apt-get update\n"), "{}", host.output);
    fs::create_dir_all(host.dir.path().join("run")).unwrap();
    fs::write(host.dir.path().join("run/reboot-required"), "").unwrap();
    host.start("u", PATCH, &serde_json::json!({}));
    assert_eq!(host.result().await.result_json, r#"{"packages_updated":null,"reboot_required":true}"#);
    host.start("v", PATCH, &serde_json::json!({"mode": "some"}));
    assert!(host.result().await.error.starts_with("invalid patch config: "));
}
