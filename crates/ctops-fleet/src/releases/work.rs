//! What agents are offered.

use std::collections::HashMap;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_proto::agent::{HeartbeatResponse, UpdateOffer};
use ctops_proto::release::{DEFAULT_CHANNEL, DEVELOPMENT_VERSION, Version};
use ctops_slice::{AgentWork, Capabilities, ConnectedAgent};
use uuid::Uuid;

use super::ReleaseDeps;
use super::model::{Newest, Target, Wish, target};
use super::store::offers;

/// Offers updates, and confirms that outcomes are stored.
pub(super) struct Offers {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) releases: ReleaseDeps,
}

/// What one agent is to hear.
#[derive(Default)]
struct Answer {
    response: HeartbeatResponse,
    target: Option<Target>,
}

#[async_trait]
impl AgentWork for Offers {
    fn name(&self) -> &'static str {
        "releases"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let ids: Vec<&str> = agents.iter().map(|agent| agent.agent_id.as_str()).collect();
        let orgs: Vec<Uuid> = agents.iter().map(|agent| agent.org_id).collect();
        let wishes: HashMap<String, Wish> =
            offers::wishes(&self.pool, &ids, &orgs).await.map_err(Problem::internal)?.into_iter().collect();
        let newest = offers::newest(&self.pool).await.map_err(Problem::internal)?;
        let mut answers = Vec::new();
        let (mut rollouts, mut offered, mut confirmed) = (Vec::new(), Vec::new(), Vec::new());
        for agent in agents {
            let Some(wish) = wishes.get(&agent.agent_id) else { continue };
            let Some(answer) = self.answer(agent, wish, &newest) else { continue };
            if answer.response.update_outcome_stored {
                confirmed.push(agent.agent_id.clone());
            }
            if let Some(rollout) = answer.target.and_then(|target| target.rollout) {
                rollouts.push(rollout);
                offered.push(agent.agent_id.clone());
            }
            answers.push((agent.host_id, answer));
        }
        self.attach_manifests(&mut answers).await?;
        if !rollouts.is_empty() || !confirmed.is_empty() {
            let offered = (rollouts.as_slice(), offered.as_slice());
            offers::note_sent(&self.pool, offered, &confirmed, self.clock.now())
                .await
                .map_err(Problem::internal)?;
        }
        let said = |(host, answer): (Uuid, Answer)| (host, answer.response);
        Ok(answers
            .into_iter()
            .map(said)
            .filter(|(_, response)| *response != HeartbeatResponse::default())
            .collect())
    }
}

impl Offers {
    fn answer(&self, agent: &ConnectedAgent, wish: &Wish, newest: &[Newest]) -> Option<Answer> {
        let mut answer = Answer::default();
        if agent.capabilities.has(Capabilities::UPDATE) {
            answer.response.update_outcome_stored = wish.unconfirmed;
            answer.target = agent.version.parse().ok().and_then(|own: Version| target(wish, newest, own));
        } else if agent.capabilities.is_original() && wish.update_originals {
            // They verify nothing and obey whatever differs from their own version, so they are told on purpose only.
            let stable = newest.iter().find(|newest| newest.channel == DEFAULT_CHANNEL)?;
            let version = stable.version.to_string();
            if !["", DEVELOPMENT_VERSION, &version].contains(&agent.version.as_str()) {
                answer.response.update_available = true;
                answer.response.latest_version = version;
                answer.response.download_url.clone_from(&self.releases.download_url);
            }
        }
        Some(answer)
    }

    /// Manifests are read only for those that are offered something.
    async fn attach_manifests(&self, answers: &mut [(Uuid, Answer)]) -> Result<(), Problem> {
        let targets = answers.iter().filter_map(|(_, answer)| answer.target);
        let mut versions: Vec<String> = targets.map(|target| target.version.to_string()).collect();
        versions.sort();
        versions.dedup();
        if versions.is_empty() {
            return Ok(());
        }
        let manifests = offers::manifests(&self.pool, &versions).await.map_err(Problem::internal)?;
        for (_, answer) in answers {
            let Some(target) = answer.target else { continue };
            let version = target.version.to_string();
            answer.response.update =
                manifests.iter().find(|(known, ..)| *known == version).map(|(_, json, signature)| {
                    UpdateOffer {
                        manifest_json: json.clone(),
                        signature: signature.clone(),
                        version: version.clone(),
                        pinned: target.pinned,
                    }
                });
        }
        Ok(())
    }
}
