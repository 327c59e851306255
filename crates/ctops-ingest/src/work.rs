//! Asks features what they have for the agents connected here, and puts it into the mailboxes of their streams.
//!
//! Questions are gathered for a few milliseconds: when a thousand streams open at once, or a change concerns the whole
//! fleet, each feature is asked a few times, not thousands of times.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctops_base::Problem;
use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::{AgentWork, ConnectedAgent};
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::measure;
use crate::node::Node;

/// How long questions are gathered. Far below the 50 ms in which a command reaches its agent.
const GATHER: Duration = Duration::from_millis(3);
/// Agents in one question.
const AGENTS_PER_QUESTION: usize = 1000;
/// Features that are asked at the same time, each over a database connection of the pool.
const FEATURES_AT_A_TIME: usize = 4;
/// Pause before a question that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whom to ask about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) hosts: HashSet<Uuid>,
    pub(crate) orgs: HashSet<Uuid>,
    pub(crate) all: bool,
}

impl Asked {
    fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.orgs.is_empty() && !self.all
    }

    /// Whether this agent is asked about.
    pub(crate) fn names(&self, host_id: Uuid, org_id: Uuid) -> bool {
        self.all || self.hosts.contains(&host_id) || self.orgs.contains(&org_id)
    }
}

/// Questions that wait to be asked.
#[derive(Default)]
pub(crate) struct Board {
    asked: Mutex<Asked>,
    wake: Notify,
}

impl Board {
    /// Asks about hosts; those that are not connected here when the question is asked cost nothing.
    pub(crate) fn ask(&self, hosts: impl IntoIterator<Item = Uuid>) {
        self.lock().hosts.extend(hosts);
        self.wake.notify_one();
    }

    /// Asks about all hosts of an organisation.
    pub(crate) fn ask_org(&self, org_id: Uuid) {
        self.lock().orgs.insert(org_id);
        self.wake.notify_one();
    }

    /// Asks about every host that is connected here.
    pub(crate) fn ask_all(&self) {
        self.lock().all = true;
        self.wake.notify_one();
    }

    /// Waits for questions and gathers them. Safe to cancel: nothing is taken before it is returned.
    async fn gathered(&self) -> Asked {
        while self.lock().is_empty() {
            self.wake.notified().await;
        }
        tokio::time::sleep(GATHER).await;
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until `finished`.
pub(crate) async fn run(node: Arc<Node>, finished: CancellationToken) {
    let mut failed: HashSet<Uuid> = HashSet::new();
    let mut retry_at = Instant::now();
    loop {
        tokio::select! {
            () = finished.cancelled() => return,
            () = tokio::time::sleep_until(retry_at), if !failed.is_empty() => node.board.ask(failed.drain()),
            asked = node.board.gathered() => {
                for agents in node.streams.connected(&asked).chunks(AGENTS_PER_QUESTION) {
                    if !distribute(&node, agents).await {
                        failed.extend(agents.iter().map(|agent| agent.host_id));
                        retry_at = Instant::now() + RETRY_AFTER;
                    }
                }
            }
        }
    }
}

/// Asks every feature about these agents. False when one could not answer.
async fn distribute(node: &Node, agents: &[ConnectedAgent]) -> bool {
    let questions: Vec<_> = node.work.iter().map(|feature| feature.pending(agents)).collect();
    let answers: Vec<_> = stream::iter(questions).buffered(FEATURES_AT_A_TIME).collect().await;
    let mut complete = true;
    for (number, (feature, answer)) in node.work.iter().zip(answers).enumerate() {
        match answer {
            Ok(responses) => hand_out(node, number, feature.as_ref(), responses),
            Err(problem) => {
                complete = false;
                failed(feature.name(), &problem);
            }
        }
    }
    complete
}

fn failed(feature: &'static str, problem: &Problem) {
    metrics::counter!(measure::WORK_FAILED, "feature" => feature).increment(1);
    tracing::warn!(feature, cause = problem.cause_chain(), "work for agents could not be read yet");
}

fn hand_out(
    node: &Node,
    number: usize,
    feature: &dyn AgentWork,
    mut responses: Vec<(Uuid, HeartbeatResponse)>,
) {
    // Stable, so that the responses of one host keep their order.
    responses.sort_by_key(|(host_id, _)| *host_id);
    let mut responses = responses.into_iter().peekable();
    while let Some((host_id, first)) = responses.next() {
        let mut parcel = vec![first];
        while let Some((_, next)) = responses.next_if(|(next, _)| *next == host_id) {
            parcel.push(next);
        }
        let count = parcel.len() as u64;
        if node.streams.give(host_id, number, parcel, feature.repeats()) {
            metrics::counter!(measure::WORK_SENT, "feature" => feature.name()).increment(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn questions_of_a_short_time_are_asked_together() {
        let board = Board::default();
        assert!(board.gathered().now_or_never().is_none());
        let (one, two, org) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        board.ask([one]);
        // A cancelled wait loses nothing.
        assert!(board.gathered().now_or_never().is_none());
        board.ask([two, one]);
        board.ask_org(org);
        let asked = board.gathered().await;
        assert!(
            asked.names(one, Uuid::nil()) && asked.names(two, Uuid::nil()) && asked.names(Uuid::nil(), org)
        );
        assert!(!asked.names(Uuid::nil(), Uuid::nil()));
        assert!(board.gathered().now_or_never().is_none(), "everything was taken");
        board.ask_all();
        assert!(board.gathered().await.names(Uuid::nil(), Uuid::nil()));
    }
}
