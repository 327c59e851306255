#![allow(clippy::unwrap_used)]

use super::*;
use ctops_proto::agent::{AgentTaskProgress, PortInfo, ServiceInfo, UpdateOutcome as SentOutcome};
use proptest::prelude::*;

const NOW_MS: i64 = 1_780_488_000_000;
const ID: &str = "0197f000-0000-7000-8000-000000000001";

fn check_result(status: &str) -> agent::CheckResult {
    agent::CheckResult {
        check_id: ID.into(),
        status: status.into(),
        output: "fine".into(),
        duration_ms: 12,
        ran_at_unix: NOW_MS / 1000 - 60,
    }
}

fn of(message: &HeartbeatRequest) -> Results {
    results(message, NOW_MS)
}

/// Spec: monitoring 17, 20
#[test]
fn check_results_of_unknown_status_or_id_are_dropped_and_counted_and_the_others_keep_their_time() {
    let foreign = agent::CheckResult { check_id: "check-1".into(), ..check_result("pass") };
    let many = vec![check_result("pass"), check_result("warn"), check_result("error"), foreign];
    let results = of(&HeartbeatRequest { check_results: many, ..Default::default() });
    let kept: Vec<_> = results.check_results.iter().map(|result| result.status.as_str()).collect();
    assert_eq!((kept, results.dropped), (vec!["pass", "error"], 2));
    assert_eq!(results.check_results[0].ran_at_ms, NOW_MS - 60_000);
    for wrong in [0, i64::MAX, i64::MIN, NOW_MS / 1000 + 3_600] {
        let odd = agent::CheckResult { ran_at_unix: wrong, duration_ms: -5, ..check_result("fail") };
        let results = of(&HeartbeatRequest { check_results: vec![odd], ..Default::default() });
        assert_eq!((results.check_results[0].ran_at_ms, results.check_results[0].duration_ms), (NOW_MS, 0));
    }
}

/// Spec: monitoring 17
#[test]
fn output_is_cut_at_sixteen_kib_between_characters_and_freed_of_control_characters() {
    let long = agent::CheckResult { output: "ä".repeat(10_000), ..check_result("pass") };
    let hostile = agent::CheckResult { output: "a\0b\u{1b}[31m\nc\td".into(), ..check_result("pass") };
    let results = of(&HeartbeatRequest { check_results: vec![long, hostile], ..Default::default() });
    assert_eq!(results.check_results[0].output.len(), 16 * 1024);
    assert_eq!(results.check_results[1].output, "ab[31m\nc\td");
}

/// Spec: hosts 27
#[test]
fn query_results_become_the_json_that_people_read() {
    let ports = AgentQueryResult {
        query_id: ID.into(),
        query_type: "list_ports".into(),
        status: "ok".into(),
        ports: vec![
            PortInfo { port: 22, protocol: "tcp".into(), process: "sshd".into() },
            PortInfo { port: 70_000, protocol: "tcp".into(), process: "odd".into() },
        ],
        ..Default::default()
    };
    let service =
        ServiceInfo { name: "a.service".into(), load_state: "loaded".into(), active_sub: "running".into() };
    let services = AgentQueryResult {
        query_type: "list_services".into(),
        services: vec![service],
        ports: Vec::new(),
        ..ports.clone()
    };
    let failed = AgentQueryResult { status: "error".into(), error: "no ss".into(), ..ports.clone() };
    let unknown = AgentQueryResult { status: "done".into(), ..ports.clone() };
    let strange = AgentQueryResult { query_type: "list_users".into(), ..ports.clone() };
    let query_results = vec![ports, services, failed, unknown, strange];
    let results = of(&HeartbeatRequest { query_results, ..Default::default() });
    let json: Vec<_> = results.query_results.iter().map(|result| result.result_json.as_str()).collect();
    assert_eq!(
        json,
        [
            r#"{"ports":[{"port":22,"process":"sshd","protocol":"tcp"}]}"#,
            r#"{"services":[{"active_sub":"running","load_state":"loaded","name":"a.service"}]}"#,
            ""
        ]
    );
    assert_eq!((results.query_results[2].error.as_str(), results.dropped), ("no ss", 2));
}

#[test]
fn task_results_keep_json_only_when_it_is_json() {
    let task = |json: &str| AgentTaskResult {
        task_id: ID.into(),
        task_type: "software_inventory".into(),
        exit_code: -1,
        result_json: json.into(),
        error: "x".repeat(20_000),
    };
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    let task_results = vec![task(r#"{"a":1}"#), task("{"), task(""), task(&deep)];
    let results = of(&HeartbeatRequest { task_results, ..Default::default() });
    let json: Vec<_> = results.task_results.iter().map(|result| result.result_json.as_str()).collect();
    assert_eq!(json, [r#"{"a":1}"#, "", "", ""]);
    assert_eq!((results.task_results[0].exit_code, results.task_results[0].error.len()), (-1, 16 * 1024));
}

#[test]
fn host_keys_are_kept_in_one_order_without_those_that_are_no_keys() {
    let key = |algorithm: &str, fingerprint: &str| SshHostKey {
        algorithm: algorithm.into(),
        fingerprint_sha256: fingerprint.into(),
    };
    let (one, two) = (format!("SHA256:{}", "a".repeat(43)), format!("SHA256:{}", "b".repeat(43)));
    let keys = vec![
        key("ssh-rsa", &two),
        key("ssh-ed25519", &one),
        key("ssh-ed25519", &one),
        key("ssh-ed25519\n", &one),
        key("ssh-rsa", "SHA256:short"),
        key("ssh-rsa", "MD5:aa"),
    ];
    let results = of(&HeartbeatRequest { ssh_host_keys: keys, ..Default::default() });
    let kept: Vec<_> = results.ssh_host_keys.unwrap().keys.into_iter().map(|key| key.algorithm).collect();
    assert_eq!((kept, results.dropped), (vec!["ssh-ed25519".to_owned(), "ssh-rsa".to_owned()], 3));
    assert!(of(&HeartbeatRequest::default()).ssh_host_keys.is_none(), "no keys say nothing");
}

#[test]
fn runtime_and_update_outcome_are_bounded_and_unknown_ones_left_out() {
    let status = DockerStatus {
        status: DockerRuntimeStatus::PermissionDenied.into(),
        checked_at_unix: NOW_MS / 1000 + 3_600,
        runtime_version: "v".repeat(500),
        error_message: "e".repeat(5_000),
        ..Default::default()
    };
    let outcome = SentOutcome { version: "1".into(), outcome: "updated".into(), detail: "d".repeat(5_000) };
    let results = of(&HeartbeatRequest {
        docker_status: Some(status),
        update_outcome: Some(outcome),
        ..Default::default()
    });
    let runtime = results.container_runtime.unwrap();
    assert_eq!((runtime.status.as_str(), runtime.checked_at_ms), ("permission_denied", NOW_MS));
    assert_eq!((runtime.runtime_version.len(), runtime.error.len()), (128, 512));
    assert_eq!(results.update_outcome.unwrap().detail.len(), 512);
    let unknown = of(&HeartbeatRequest {
        docker_status: Some(DockerStatus { status: 77, ..Default::default() }),
        update_outcome: Some(SentOutcome { outcome: "exploded".into(), ..Default::default() }),
        ..Default::default()
    });
    assert!(unknown.container_runtime.is_none() && unknown.update_outcome.is_none());
}

/// Spec: monitoring 3
#[test]
fn is_sample_of_messages_that_only_deliver_is_false() {
    let progress = vec![AgentTaskProgress { task_id: ID.into(), output_chunk: "x".into() }];
    let delivers = HeartbeatRequest { task_progress: progress, ..Default::default() };
    assert!(is_sample(&HeartbeatRequest::default()));
    let checks = HeartbeatRequest { check_results: vec![check_result("pass")], ..Default::default() };
    assert!(is_sample(&checks), "check results wait for the next scheduled message");
    assert!(!is_sample(&delivers), "an agent of the original product sends these in extra messages");
    let ours = HeartbeatRequest { capabilities: vec!["tasks".into()], ..delivers };
    assert!(is_sample(&ours), "our agents add results to scheduled messages as well");
    assert!(!is_sample(&HeartbeatRequest { results_only: true, ..ours }));
}

proptest! {
    /// Whatever an agent says, what is kept fits into the database.
    #[test]
    fn results_of_anything_are_bounded(text in "\\PC*|[\\x00-\\x1f\u{202e}{}\\[\\]\":a]*", number in any::<i64>()) {
        let message = HeartbeatRequest {
            check_results: vec![agent::CheckResult {
                output: text.clone(), ran_at_unix: number, duration_ms: number as i32, ..check_result("pass")
            }],
            task_progress: vec![AgentTaskProgress { task_id: ID.into(), output_chunk: text.clone() }],
            task_results: vec![AgentTaskResult {
                task_id: ID.into(), result_json: text.clone(), error: text.clone(), ..Default::default()
            }],
            docker_status: Some(DockerStatus { status: 2, checked_at_unix: number, error_message: text, ..Default::default() }),
            ..Default::default()
        };
        let results = of(&message);
        prop_assert!(!results.check_results[0].output.contains('\0'));
        prop_assert!((0..=NOW_MS + MAX_AHEAD_MS).contains(&results.check_results[0].ran_at_ms));
        prop_assert!(!results.task_progress[0].output_chunk.contains('\0'));
        let json = &results.task_results[0].result_json;
        prop_assert!(json.is_empty() || serde_json::from_str::<serde_json::Value>(json).is_ok());
        prop_assert!(!json.contains('\0'));
    }
}
