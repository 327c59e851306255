//! What reports carry that must not be lost: kept until the server has answered the report.

use std::collections::VecDeque;

use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse};

use crate::buffer;

/// Reports on their way, oldest first, reduced to what must not be lost.
#[derive(Debug, Default)]
pub(super) struct InFlight(VecDeque<HeartbeatRequest>);

impl InFlight {
    /// `report` is on its way.
    pub(super) fn sent(&mut self, cargo: HeartbeatRequest) {
        self.0.push_back(cargo);
    }

    /// What the report carried that `response` acknowledges; `None` if it is none of the answers, of which there is one
    /// per report, in order.
    pub(super) fn answered(&mut self, response: &HeartbeatResponse) -> Option<HeartbeatRequest> {
        if is_answer(response) { self.0.pop_front() } else { None }
    }

    /// Whether everything was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not acknowledged, newest first.
    pub(super) fn lost(&mut self) -> Vec<HeartbeatRequest> {
        std::mem::take(&mut self.0).into_iter().rev().collect()
    }
}

/// A copy of what `report` carries that must not be lost. What it measured itself becomes one more buffered sample.
pub(super) fn cargo(report: &HeartbeatRequest) -> HeartbeatRequest {
    let own = (!report.results_only).then(|| buffer::from_report(report));
    HeartbeatRequest {
        check_results: report.check_results.clone(),
        query_results: report.query_results.clone(),
        task_progress: report.task_progress.clone(),
        task_results: report.task_results.clone(),
        buffered_samples: report.buffered_samples.iter().cloned().chain(own).collect(),
        ..HeartbeatRequest::default()
    }
}

/// Pushes are messages of their own. This product's server marks them; what the original server pushes never comes with
/// an answer (wire contract 5.2, 5.4).
fn is_answer(response: &HeartbeatResponse) -> bool {
    response.ok
        && !response.is_push
        && response.pending_queries.is_empty()
        && response.pending_task.is_none()
        && response.cancel_task_ids.is_empty()
        && response.pending_client_cert_pem.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctops_proto::agent::{AgentQuery, CheckDefinition, CheckResult};

    fn report(id: &str) -> HeartbeatRequest {
        let check = CheckResult { check_id: id.to_owned(), ..CheckResult::default() };
        HeartbeatRequest { cpu_percent: 5.0, check_results: vec![check], ..HeartbeatRequest::default() }
    }

    #[test]
    fn answers_when_they_arrive_then_acknowledge_in_order_and_pushes_do_not() {
        let mut in_flight = InFlight::default();
        for id in ["a", "b", "c"] {
            in_flight.sent(cargo(&report(id)));
        }
        let ok = HeartbeatResponse { ok: true, ..HeartbeatResponse::default() };
        let push = HeartbeatResponse { pending_queries: vec![AgentQuery::default()], ..ok.clone() };
        assert_eq!(in_flight.answered(&push), None);
        let marked = HeartbeatResponse { is_push: true, ..ok.clone() };
        assert_eq!(in_flight.answered(&marked), None);
        let direct = HeartbeatResponse { checks: vec![CheckDefinition::default()], ..ok.clone() };
        let acknowledged = in_flight.answered(&direct).map(|cargo| cargo.check_results);
        assert_eq!(acknowledged, Some(report("a").check_results));
        let lost: Vec<_> = in_flight.lost().into_iter().map(|cargo| cargo.check_results).collect();
        assert_eq!(lost, [report("c").check_results, report("b").check_results]);
        assert_eq!(in_flight.answered(&ok), None);
    }

    #[test]
    fn cargo_when_taken_from_a_report_then_holds_its_vitals_as_a_buffered_sample() {
        let own = cargo(&report("a"));
        assert_eq!((own.cpu_percent, own.buffered_samples.len()), (0.0, 1));
        assert_eq!(own.buffered_samples[0].cpu_centi, Some(500));
        let early = HeartbeatRequest { results_only: true, ..report("a") };
        assert_eq!(cargo(&early).buffered_samples, [], "what is repeated was sent before");
    }
}
