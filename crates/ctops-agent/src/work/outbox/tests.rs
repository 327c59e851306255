#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn drained(outbox: &Outbox) -> HeartbeatRequest {
    let mut report = HeartbeatRequest::default();
    outbox.drain(&mut report);
    report
}

fn check(id: &str, output: &str) -> CheckResult {
    CheckResult { check_id: id.to_owned(), output: output.to_owned(), ..CheckResult::default() }
}

fn result(id: &str, json: &str, error: &str) -> AgentTaskResult {
    AgentTaskResult {
        task_id: id.to_owned(),
        task_type: "custom_script".to_owned(),
        result_json: json.to_owned(),
        error: error.to_owned(),
        ..AgentTaskResult::default()
    }
}

async fn is_ready(outbox: &Outbox) -> bool {
    tokio::time::timeout(Duration::from_millis(400), outbox.ready()).await.is_ok()
}

/// Spec: monitoring 20
#[test]
fn check_results_when_nobody_takes_them_then_the_latest_thousand_are_kept() {
    let outbox = Outbox::default();
    for number in 0..1005 {
        outbox.check(check(&number.to_string(), "x"), false);
    }
    let report = drained(&outbox);
    assert_eq!(report.check_results.len(), CHECK_RESULTS_KEPT);
    assert_eq!(report.check_results[0].check_id, "5");
    for _ in 0..200 {
        outbox.check(check("large", &"x".repeat(16 * 1024)), false);
    }
    let kept: usize = (0..3).map(|_| drained(&outbox).check_results.len()).sum();
    assert!((60..=64).contains(&kept), "bounded in bytes too: {kept}");
}

#[tokio::test]
async fn results_when_of_checks_then_wait_for_the_next_report_unless_urgent() {
    let outbox = Outbox::default();
    outbox.check(check("a", ""), false);
    assert!(!is_ready(&outbox).await);
    outbox.check(check("b", ""), true);
    assert!(is_ready(&outbox).await);
    assert_eq!(drained(&outbox).check_results.len(), 2);
    assert!(!is_ready(&outbox).await);
    outbox.query(AgentQueryResult::default());
    assert!(is_ready(&outbox).await);
    drained(&outbox);
    outbox.result(result("t", "", ""));
    assert!(is_ready(&outbox).await);
    drained(&outbox);
    outbox.progress("t", "line\n");
    assert!(is_ready(&outbox).await);
}

#[tokio::test]
async fn output_when_it_keeps_coming_then_messages_are_spaced() {
    let outbox = Outbox::default();
    outbox.progress("t", "a");
    outbox.ready().await;
    drained(&outbox);
    let before = Instant::now();
    outbox.progress("t", "b");
    outbox.ready().await;
    assert!(before.elapsed() >= OUTPUT_PAUSE, "{:?}", before.elapsed());
    assert_eq!(drained(&outbox).task_progress[0].output_chunk, "b");
}

#[test]
fn output_when_it_exceeds_the_limit_then_is_cut_with_the_marker_inside_it() {
    let outbox = Outbox::default();
    outbox.progress("t", &"ä".repeat(20_000));
    outbox.progress("t", &"ö".repeat(20_000));
    outbox.progress("t", "dropped");
    outbox.progress("other", "kept");
    let report = drained(&outbox);
    let text = &report.task_progress[0].output_chunk;
    assert!(text.len() <= PROGRESS_PER_TASK && text.len() > PROGRESS_PER_TASK - 4, "{}", text.len());
    assert!(text.ends_with(&format!("ö{PROGRESS_MARKER}")));
    assert_eq!(report.task_progress[1].output_chunk, "kept");
    outbox.progress("t", "again");
    assert_eq!(drained(&outbox).task_progress[0].output_chunk, "again");
}

#[test]
fn output_of_many_tasks_when_together_too_long_then_stays_within_the_message() {
    let outbox = Outbox::default();
    for task in 0..6 {
        outbox.progress(&task.to_string(), &"x".repeat(60 * 1024));
    }
    let report = drained(&outbox);
    let sum: usize = report.task_progress.iter().map(|chunk| chunk.output_chunk.len()).sum();
    assert!(sum <= PROGRESS_PER_MESSAGE, "{sum}");
    assert_eq!(report.task_progress.len(), 5);
    assert!(report.task_progress[4].output_chunk.ends_with(PROGRESS_MARKER));
}

#[test]
fn result_when_too_long_then_loses_its_document_and_the_end_of_its_error() {
    let outbox = Outbox::default();
    outbox.result(result("a", &"x".repeat(20_000), "short"));
    outbox.result(result("b", "", &"é".repeat(20_000)));
    outbox.result(result("c", "{}", "fits"));
    let results = drained(&outbox).task_results;
    assert_eq!(results[0].result_json, "{\"truncated\":true}");
    assert_eq!(results[0].error, format!("short\n{RESULT_MARKER}"));
    assert_eq!(results[1].result_json, "");
    assert!(results[1].error.ends_with(RESULT_MARKER) && result_bytes(&results[1]) <= RESULT_BYTES);
    assert_eq!(results[2], result("c", "{}", "fits"));
}

#[tokio::test]
async fn results_when_more_than_a_message_holds_then_go_in_several() {
    let outbox = Outbox::default();
    for number in 0..6 {
        outbox.result(result(&number.to_string(), "", &"x".repeat(15_000)));
    }
    assert_eq!(drained(&outbox).task_results.len(), 4);
    assert!(is_ready(&outbox).await, "the rest is due at once");
    assert_eq!(drained(&outbox).task_results.len(), 2);
    assert!(!is_ready(&outbox).await);
}

#[tokio::test]
async fn delivery_when_it_fails_then_everything_comes_back_in_order() {
    let outbox = Outbox::default();
    for name in ["a", "b"] {
        outbox.check(check(name, ""), false);
        outbox.result(result(name, "", ""));
        outbox.progress("t", name);
    }
    let lost = drained(&outbox);
    outbox.check(check("c", ""), false);
    outbox.result(result("c", "", ""));
    outbox.progress("t", "c");
    outbox.returned(lost);
    let report = drained(&outbox);
    let ids: Vec<_> = report.check_results.iter().map(|check| check.check_id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let ids: Vec<_> = report.task_results.iter().map(|result| result.task_id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(report.task_progress[0].output_chunk, "abc");
    assert_eq!(outbox.waiting().check_bytes, 0);
}

#[test]
fn returned_output_when_it_was_cut_then_stays_cut() {
    let outbox = Outbox::default();
    outbox.progress("t", &"x".repeat(70_000));
    let lost = drained(&outbox);
    outbox.returned(lost.clone());
    outbox.progress("t", "more");
    assert_eq!(drained(&outbox).task_progress, lost.task_progress);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_output_stays_within_the_limits(chunks in prop::collection::vec(("[a-f]", "\\PC{0,40}", 1usize..3000), 0..30)) {
        let outbox = Outbox::default();
        for (task, text, times) in chunks {
            outbox.progress(&task, &text.repeat(times));
        }
        let report = drained(&outbox);
        let sizes: Vec<usize> = report.task_progress.iter().map(|chunk| chunk.output_chunk.len()).collect();
        prop_assert!(sizes.iter().all(|size| *size <= PROGRESS_PER_TASK));
        prop_assert!(sizes.iter().sum::<usize>() <= PROGRESS_PER_MESSAGE);
    }
}
