//! Messages damaged on purpose: whatever still decodes must come out within what the database takes.

#![allow(clippy::unwrap_used)]

use ctops_base::text::is_hostile;
use ctops_proto::agent::{
    self, AgentQueryResult, AgentTaskProgress, AgentTaskResult, BufferedSample, DiskUse as SentUse,
    DockerStatus, NetworkRate as SentRate, PortInfo, ServiceInfo, SshHostKey, UpdateOutcome as SentOutcome,
};
use ctops_proto::limits::{
    MAX_ERROR_CENTI, MAX_LATE_SAMPLES, MAX_LOAD_CENTI, MAX_PROCESSES, MAX_RATE, MAX_SERIES, MAX_SERIES_CHARS,
};
use proptest::prelude::*;
use prost::Message;

use super::*;

const NOW: i64 = 1_780_488_000_000;
const ID: &str = "0197f000-0000-7000-8000-000000000001";

/// A message that says something in every field.
fn full(text: &str, number: i64) -> HeartbeatRequest {
    let own = || text.to_owned();
    let (bytes, small) = (number.cast_unsigned(), number as u32);
    let disk_use = SentUse { mount_point: own(), total_bytes: bytes, used_bytes: bytes, used_centi: small };
    let rate = SentRate {
        name: own(),
        receive_bytes: bytes,
        transmit_bytes: bytes,
        receive_errors_centi: small,
        transmit_errors_centi: small,
    };
    let measured = agent::Measurements {
        load1_centi: Some(small),
        load5_centi: Some(small),
        load15_centi: Some(small),
        swap_centi: Some(small),
        process_count: Some(small),
        network: vec![rate.clone(), rate],
        disks: vec![disk_use.clone(), disk_use],
    };
    let late = BufferedSample {
        timestamp_unix: NOW / 1000 - 60,
        cpu_centi: Some(small),
        memory_centi: Some(small),
        disk_centi: Some(small),
        uptime_seconds: Some(number),
        measurements: Some(measured.clone()),
    };
    let disk = DiskInfo {
        mount_point: own(),
        device: own(),
        fs_type: own(),
        total_bytes: bytes,
        used_bytes: bytes,
        free_bytes: bytes,
        percent_used: number as f32,
    };
    let interface = NetworkInterface {
        name: own(),
        ip_addresses: vec![own(), "::1".into()],
        mac_address: own(),
        is_up: true,
    };
    HeartbeatRequest {
        agent_id: own(),
        cpu_percent: number as f32,
        memory_percent: number as f32,
        disk_percent: number as f32,
        uptime_seconds: number,
        timestamp_unix: number,
        agent_version: own(),
        os_version: own(),
        os: own(),
        arch: own(),
        disks: vec![disk],
        network_interfaces: vec![interface],
        absent_vitals: vec![own()],
        interval_seconds: small,
        measurements: Some(measured),
        buffered_samples: vec![late.clone(), BufferedSample { timestamp_unix: number, ..late }],
        ..delivering(text, number)
    }
}

/// Results of every kind.
fn delivering(text: &str, number: i64) -> HeartbeatRequest {
    let own = || text.to_owned();
    let query = |kind: &str| AgentQueryResult {
        query_id: ID.into(),
        query_type: kind.into(),
        status: "ok".into(),
        error: own(),
        ports: vec![PortInfo { port: number as _, protocol: own(), process: own() }],
        services: vec![ServiceInfo { name: own(), load_state: own(), active_sub: own() }],
    };
    let check = |status: &str, check_id: &str| agent::CheckResult {
        check_id: check_id.into(),
        status: status.into(),
        output: own(),
        duration_ms: number as i32,
        ran_at_unix: number,
    };
    HeartbeatRequest {
        check_results: vec![check("pass", ID), check("fail", text), check(text, ID)],
        query_results: vec![query("list_ports"), query("list_services"), query(text)],
        task_progress: vec![AgentTaskProgress { task_id: ID.into(), output_chunk: own() }],
        task_results: vec![AgentTaskResult {
            task_id: ID.into(),
            task_type: own(),
            exit_code: number as i32,
            result_json: own(),
            error: own(),
        }],
        ssh_host_keys: vec![SshHostKey { algorithm: own(), fingerprint_sha256: format!("SHA256:{text}") }],
        docker_status: Some(DockerStatus {
            status: 1 + (number % 5).unsigned_abs() as i32,
            checked_at_unix: number,
            runtime_version: own(),
            api_version: own(),
            error_message: own(),
        }),
        update_outcome: Some(SentOutcome { version: own(), outcome: "failed".into(), detail: own() }),
        ..HeartbeatRequest::default()
    }
}

fn is_clean(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars && !text.chars().any(is_hostile)
}

/// Output keeps its lines, but no other control character, and fits.
fn is_output(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes && !text.chars().any(|c| is_hostile(c) && !matches!(c, '\n' | '\t'))
}

fn figures_fit(measured: &Measurements) -> bool {
    let loads = [measured.load1_centi, measured.load5_centi, measured.load15_centi];
    let network = measured.network.iter().all(|rate| {
        (1..=MAX_SERIES_CHARS).contains(&rate.name.chars().count())
            && is_clean(&rate.name, MAX_SERIES_CHARS)
            && rate.receive_bytes.max(rate.transmit_bytes) <= MAX_RATE
            && rate.receive_errors_centi.max(rate.transmit_errors_centi) <= MAX_ERROR_CENTI
    });
    let disks = measured.disks.iter().all(|disk| {
        (1..=MAX_SERIES_CHARS).contains(&disk.mount_point.chars().count())
            && is_clean(&disk.mount_point, MAX_SERIES_CHARS)
            && disk.total_bytes.max(disk.used_bytes) <= MAX_BYTES
            && disk.used_centi <= FULL_CENTI
    });
    let names: std::collections::HashSet<_> = measured.network.iter().map(|rate| &rate.name).collect();
    loads.into_iter().flatten().all(|load| load <= MAX_LOAD_CENTI)
        && measured.swap_centi.is_none_or(|swap| swap <= FULL_CENTI)
        && measured.process_count.is_none_or(|count| count <= MAX_PROCESSES)
        && names.len() == measured.network.len()
        && measured.network.len().max(measured.disks.len()) <= MAX_SERIES
        && network
        && disks
}

fn check_vitals(checked: &Checked) -> Result<(), TestCaseError> {
    let vitals = [checked.cpu_centi, checked.memory_centi, checked.disk_centi];
    prop_assert!(vitals.into_iter().flatten().all(|centi| centi <= FULL_CENTI));
    prop_assert!(checked.uptime_seconds.is_none_or(|seconds| (0..=MAX_UPTIME_SECONDS).contains(&seconds)));
    prop_assert!((NOW - MAX_BEHIND_MS..=NOW + MAX_AHEAD_MS).contains(&checked.recorded_at_ms));
    prop_assert!(checked.interval_seconds.is_none_or(|seconds| HEARTBEAT_INTERVAL_SECS.contains(&seconds)));
    let facts = &checked.facts;
    for label in [&facts.agent_version, &facts.os, &facts.arch, &facts.os_version] {
        prop_assert!(is_clean(label, MAX_LABEL_CHARS));
    }
    for disk in &facts.disks {
        prop_assert!(is_clean(&disk.mount_point, MAX_PATH_CHARS) && is_clean(&disk.device, MAX_LABEL_CHARS));
        prop_assert!(disk.total_bytes.max(disk.used_bytes).max(disk.free_bytes) <= MAX_BYTES);
        prop_assert!(disk.used_centi <= FULL_CENTI);
    }
    for interface in &facts.interfaces {
        prop_assert!(is_clean(&interface.name, MAX_LABEL_CHARS));
        prop_assert!(interface.ip_addresses.iter().all(|text| text.parse::<IpAddr>().is_ok()));
    }
    prop_assert!(checked.measurements.as_ref().is_none_or(figures_fit));
    prop_assert!(checked.late_samples.len() <= MAX_LATE_SAMPLES);
    for late in &checked.late_samples {
        prop_assert!(late.measurements.as_ref().is_none_or(figures_fit));
        prop_assert!(late.recorded_at_ms <= NOW + MAX_AHEAD_MS);
    }
    Ok(())
}

fn check_results(results: &Results) -> Result<(), TestCaseError> {
    let is_id = |text: &str| text.len() == 36 && text.parse::<uuid::Uuid>().is_ok();
    for result in &results.check_results {
        prop_assert!(is_id(&result.check_id) && is_output(&result.output, 16 * 1024));
        prop_assert!(["pass", "fail", "error"].contains(&result.status.as_str()));
        prop_assert!((0..=NOW + MAX_AHEAD_MS).contains(&result.ran_at_ms));
        prop_assert!(i32::try_from(result.duration_ms).is_ok());
    }
    for result in &results.query_results {
        let json: Option<serde_json::Value> = serde_json::from_str(&result.result_json).ok();
        prop_assert!(is_id(&result.query_id) && (json.is_some() || result.status == "error"));
        // PostgreSQL refuses the escape in jsonb, and readers would show the character.
        prop_assert!(!result.result_json.contains("\\u00"), "{}", result.result_json);
    }
    for result in &results.task_results {
        let json = &result.result_json;
        prop_assert!(json.is_empty() || serde_json::from_str::<serde_json::Value>(json).is_ok());
        prop_assert!(!json.contains('\0') && is_output(&result.error, 16 * 1024) && is_id(&result.task_id));
    }
    prop_assert!(results.task_progress.iter().all(|part| is_output(&part.output_chunk, 64 * 1024)));
    if let Some(runtime) = &results.container_runtime {
        prop_assert!((1..=NOW + MAX_AHEAD_MS).contains(&runtime.checked_at_ms));
        prop_assert!(is_clean(&runtime.runtime_version, 128) && is_clean(&runtime.error, 512));
    }
    if let Some(keys) = &results.ssh_host_keys {
        prop_assert!(
            keys.keys.iter().all(|key| key.fingerprint_sha256.len() == 50 && key.algorithm.is_ascii())
        );
    }
    prop_assert!(results.update_outcome.as_ref().is_none_or(|outcome| is_clean(&outcome.detail, 512)));
    Ok(())
}

/// What was kept of `results`, as an agent would send it.
fn sent_again(results: &Results) -> HeartbeatRequest {
    let check = |result: &ctops_proto::queue::CheckResult| agent::CheckResult {
        check_id: result.check_id.clone(),
        status: result.status.clone(),
        output: result.output.clone(),
        duration_ms: result.duration_ms as i32,
        ran_at_unix: result.ran_at_ms / 1000,
    };
    let task = |result: &ctops_proto::queue::TaskResult| AgentTaskResult {
        task_id: result.task_id.clone(),
        task_type: result.task_type.clone(),
        exit_code: result.exit_code,
        result_json: result.result_json.clone(),
        error: result.error.clone(),
    };
    let part = |part: &ctops_proto::queue::TaskProgress| AgentTaskProgress {
        task_id: part.task_id.clone(),
        output_chunk: part.output_chunk.clone(),
    };
    HeartbeatRequest {
        check_results: results.check_results.iter().map(check).collect(),
        task_results: results.task_results.iter().map(task).collect(),
        task_progress: results.task_progress.iter().map(part).collect(),
        ..HeartbeatRequest::default()
    }
}

#[test]
fn results_when_a_message_has_far_too_many_then_the_first_are_kept_and_the_rest_counted() {
    let one = delivering("x", NOW / 1000);
    let message = HeartbeatRequest {
        check_results: vec![one.check_results[0].clone(); 5_000],
        query_results: vec![one.query_results[0].clone(); 500],
        task_progress: vec![one.task_progress[0].clone(); 3_000],
        task_results: vec![one.task_results[0].clone(); 300],
        ..HeartbeatRequest::default()
    };
    let kept = results(&message, NOW);
    let counts = [
        kept.check_results.len(),
        kept.query_results.len(),
        kept.task_progress.len(),
        kept.task_results.len(),
    ];
    assert_eq!(counts, [2_000, 100, 1_000, 100]);
    assert_eq!(kept.dropped, 3_000 + 400 + 2_000 + 200);
}

#[test]
fn ids_when_spelled_in_another_way_then_come_out_in_the_usual_one() {
    let plain = ID.replace('-', "");
    for spelling in [ID.to_uppercase(), plain.clone(), format!("{{{ID}}}"), format!("urn:uuid:{ID}")] {
        let progress = AgentTaskProgress { task_id: spelling.clone(), output_chunk: String::new() };
        let message = HeartbeatRequest { task_progress: vec![progress], ..HeartbeatRequest::default() };
        assert_eq!(results(&message, NOW).task_progress[0].task_id, ID, "{spelling}");
    }
    for wrong in [
        "",
        "1",
        &plain[1..],
        "0197f000-0000-7000-8000-00000000000g",
        " 0197f000-0000-7000-8000-000000000001",
    ] {
        let progress = AgentTaskProgress { task_id: wrong.into(), output_chunk: String::new() };
        let message = HeartbeatRequest { task_progress: vec![progress], ..HeartbeatRequest::default() };
        assert_eq!(results(&message, NOW).dropped, 1, "{wrong:?}");
    }
}

proptest! {
    /// Spec: monitoring 1, 2, 4
    #[test]
    fn any_message_comes_out_within_the_limits_of_the_database(
        text in "\\PC{0,40}|[\\x00-\\x1f\u{202e}\u{2066}{}\\[\\]\":a]{0,40}|\\PC{300,600}", number: i64, near in -5_000_i64..500,
    ) {
        for number in [number, NOW / 1000 + near] {
            let message = full(&text, number);
            check_vitals(&heartbeat(&message, NOW))?;
            check_results(&results(&message, NOW))?;
        }
    }

    #[test]
    fn any_damaged_message_that_still_decodes_comes_out_within_the_limits(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12), cut in any::<proptest::sample::Index>(),
        cuts: bool,
    ) {
        let mut bytes = full("/srv", NOW / 1000 - 5).encode_to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(message) = HeartbeatRequest::decode(bytes.as_slice()) {
            check_vitals(&heartbeat(&message, NOW))?;
            check_results(&results(&message, NOW))?;
        }
    }

    /// An agent that sends again what was kept changes nothing.
    #[test]
    fn any_results_checked_twice_are_as_checked_once(text in "[\\PC\\x00-\\x1f]{0,100}", number: i64) {
        let once = results(&delivering(&text, number), NOW);
        let twice = results(&sent_again(&once), NOW);
        prop_assert_eq!(&twice.check_results, &once.check_results);
        prop_assert_eq!(&twice.task_results, &once.task_results);
        prop_assert_eq!(&twice.task_progress, &once.task_progress);
        prop_assert_eq!(twice.dropped, 0);
    }
}
