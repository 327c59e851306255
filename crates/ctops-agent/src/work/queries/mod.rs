//! Questions of the server about this moment (wire contract 6.3): listening ports, running services.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ctops_proto::agent::{AgentQuery, AgentQueryResult};

use super::outbox::Outbox;
use super::program::Programs;
use crate::collect::Sources;

mod ports;
mod services;

/// Questions remembered and waiting; more are left out.
const MAX_QUERIES: usize = 256;
/// Longest list in an answer.
const MAX_ENTRIES: usize = 4000;

/// Answers each question once per stream, one after the other.
#[derive(Debug)]
pub(super) struct Queries {
    sources: Sources,
    programs: Programs,
    outbox: Arc<Outbox>,
    seen: Arc<Mutex<HashSet<String>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Queries {
    /// No questions yet.
    pub(super) fn new(sources: Sources, outbox: Arc<Outbox>) -> Self {
        Self { sources, programs: Programs::system(), outbox, seen: Arc::default(), turn: Arc::default() }
    }

    /// A new stream: what is asked again is answered again.
    pub(super) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Answers those that are new, in the background.
    pub(super) fn answer(&self, queries: &[AgentQuery]) {
        for query in queries {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= MAX_QUERIES || !seen.insert(query.query_id.clone()) {
                continue;
            }
            let (query, turn) = (query.clone(), self.turn.clone());
            let (sources, programs, outbox) =
                (self.sources.clone(), self.programs.clone(), self.outbox.clone());
            tokio::spawn(async move {
                let _turn = turn.lock().await;
                outbox.query(answer(query, sources, &programs).await);
            });
        }
    }
}

async fn answer(query: AgentQuery, sources: Sources, programs: &Programs) -> AgentQueryResult {
    let mut result = AgentQueryResult {
        query_id: query.query_id,
        query_type: query.query_type,
        status: "ok".to_owned(),
        ..AgentQueryResult::default()
    };
    let outcome = match result.query_type.as_str() {
        "list_ports" => {
            let listed = tokio::task::spawn_blocking(move || ports::list(&sources.proc)).await;
            listed
                .unwrap_or_else(|_| Err("the list of ports cannot be read".to_owned()))
                .map(|ports| result.ports = ports)
        }
        "list_services" => {
            services::list(&sources, programs).await.map(|services| result.services = services)
        }
        other => Err(format!("unknown query type: {other}")),
    };
    if let Err(error) = outcome {
        result.status = "error".to_owned();
        result.error = error;
    }
    result
}

#[cfg(test)]
mod tests;
