//! How updates ended, as agents report it (topic `events.raw`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use ctops_base::Clock;
use ctops_pg::Tx;
use ctops_proto::queue::AgentEvent;
use ctops_queue::HandlerError;
use ctops_slice::{AgentEvents, announce_work};

use super::store::offers::{self, Reported};

/// Ways an update can end.
const OUTCOMES: [&str; 4] = ["updated", "rolled_back", "refused", "failed"];
/// Longest version text that is kept, characters.
const MAX_VERSION_CHARS: usize = 64;
/// Longest detail that is kept, characters.
const MAX_DETAIL_CHARS: usize = 512;

/// Stores outcomes and lets the agents know.
pub(super) struct Outcomes {
    pub(super) clock: Clock,
}

#[async_trait]
impl AgentEvents for Outcomes {
    fn name(&self) -> &'static str {
        "releases"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        // The last word of each agent counts.
        let reported: BTreeMap<&str, Reported> = events.iter().filter_map(read).collect();
        if reported.is_empty() {
            return Ok(());
        }
        let reported: Vec<Reported> = reported.into_values().collect();
        let hosts = offers::store_outcomes(tx, &reported, self.clock.now()).await?;
        announce_work(tx, &hosts).await?;
        Ok(())
    }
}

fn read(event: &AgentEvent) -> Option<(&str, Reported)> {
    let outcome =
        event.update_outcome.as_ref().filter(|outcome| OUTCOMES.contains(&outcome.outcome.as_str()))?;
    let plain =
        |text: &str, limit: usize| text.chars().filter(|c| !c.is_control()).take(limit).collect::<String>();
    let reported = Reported {
        agent_id: event.agent_id.clone(),
        version: plain(&outcome.version, MAX_VERSION_CHARS),
        outcome: outcome.outcome.clone(),
        detail: plain(&outcome.detail, MAX_DETAIL_CHARS),
    };
    Some((&event.agent_id, reported))
}
