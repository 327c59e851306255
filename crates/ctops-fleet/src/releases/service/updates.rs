//! Updates of single agents.

use ctops_base::Problem;
use ctops_proto::release::{Version, check_channel};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant, announce_work, announce_work_for_org};
use serde_json::json;

use crate::agents::AGENTS_READ;
use crate::enrolment::{SETTINGS_READ, SETTINGS_WRITE};
use crate::releases::AGENTS_UPDATE;
use crate::releases::model::{AgentUpdate, UpdateSettings, check_waves};
use crate::releases::store::updates::AgentFacts;
use crate::releases::store::{rollouts, updates as store};

/// What was decided about an agent, and how its last update ended.
pub(in crate::releases) async fn find(
    state: &AppState,
    actor: &Actor,
    agent_id: &str,
) -> Result<AgentUpdate, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    let found = store::find(&state.pool, &grant, agent_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("agent"))
}

async fn agent(state: &AppState, grant: &Grant, agent_id: &str) -> Result<AgentFacts, Problem> {
    let found = store::agent(&state.pool, grant, agent_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("agent"))
}

/// Tells an agent to update, to `wanted` or to the newest release of its channel.
pub(in crate::releases) async fn request(
    state: &AppState,
    actor: &Actor,
    agent_id: &str,
    wanted: Option<Version>,
) -> Result<(), Problem> {
    let grant = actor.grant(&AGENTS_UPDATE)?;
    let facts = agent(state, &grant, agent_id).await?;
    let (Some(host_id), "active" | "offline") = (facts.host_id, facts.status.as_str()) else {
        return Err(Problem::wrong_state("only approved agents can be updated"));
    };
    let own = facts.version.as_deref().and_then(|text| text.parse::<Version>().ok());
    let own = own.ok_or_else(|| Problem::wrong_state("builds without a version never update themselves"))?;
    let decided = find(state, actor, agent_id).await?;
    if decided.pinned.is_some() {
        return Err(Problem::wrong_state("the agent is pinned to a version"));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let release = rollouts::release(&mut tx, &decided.channel, wanted).await.map_err(Problem::internal)?;
    let (_, version) = release.ok_or_else(|| {
        Problem::wrong_state(format!("there is no such release in the channel {}", decided.channel))
    })?;
    if version <= own {
        return Err(Problem::wrong_state(format!("the agent runs {own}; only a pin makes it run {version}")));
    }
    let now = state.clock.now();
    store::request(&mut tx, agent_id, &version.to_string(), now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "agent.update_requested", "agent")
        .on(agent_id)
        .summary(format!("told the agent of {} to update to {version}", facts.hostname))
        .change(Some(json!({"version": own})), Some(json!({"version": version})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    announce_work(&mut tx, &[host_id]).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// What to change; what is none stays.
#[derive(Clone, Debug, Default)]
pub(in crate::releases) struct Change {
    pub(in crate::releases) channel: Option<String>,
    /// Some(None) removes the pin.
    pub(in crate::releases) pinned: Option<Option<Version>>,
}

/// Sets an agent's channel and pin.
pub(in crate::releases) async fn change(
    state: &AppState,
    actor: &Actor,
    agent_id: &str,
    change: Change,
) -> Result<(), Problem> {
    let grant = actor.grant(&AGENTS_UPDATE)?;
    let facts = agent(state, &grant, agent_id).await?;
    let before = find(state, actor, agent_id).await?;
    let channel = change.channel.unwrap_or_else(|| before.channel.clone());
    check_channel(&channel)
        .map_err(|error| Problem::invalid_field("channel", "invalid", error.to_string()))?;
    let pinned = match change.pinned {
        None => before.pinned.clone(),
        Some(pinned) => pinned.map(|version| version.to_string()),
    };
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::decide(&mut tx, agent_id, &channel, pinned.as_deref(), now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "agent.update_changed", "agent")
        .on(agent_id)
        .summary(format!("changed which version the agent of {} runs", facts.hostname))
        .change(
            Some(json!({"channel": before.channel, "pinned_version": before.pinned})),
            Some(json!({"channel": channel, "pinned_version": pinned})),
        );
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    if let Some(host_id) = facts.host_id {
        announce_work(&mut tx, &[host_id]).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)
}

/// The organisation's settings.
pub(in crate::releases) async fn settings(
    state: &AppState,
    actor: &Actor,
) -> Result<UpdateSettings, Problem> {
    let grant = actor.grant(&SETTINGS_READ)?;
    store::settings(&state.pool, grant.org_id()).await.map_err(Problem::internal)
}

/// Sets them. Rollouts under way keep theirs.
pub(in crate::releases) async fn set_settings(
    state: &AppState,
    actor: &Actor,
    wanted: &UpdateSettings,
) -> Result<(), Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    check_waves(&wanted.waves)?;
    if !(0..=100).contains(&wanted.halt_percent) {
        return Err(Problem::invalid_field("halt_percent", "invalid", "must be 0 to 100"));
    }
    let describe = |settings: &UpdateSettings| {
        json!({
            "waves": settings.waves, "halt_percent": settings.halt_percent,
            "update_originals": settings.update_originals,
        })
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::settings(&mut *tx, grant.org_id()).await.map_err(Problem::internal)?;
    store::set_settings(&mut tx, &grant, wanted).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.agent_updates.changed", "organisation")
        .on(grant.org_id())
        .summary("changed how agents are updated")
        .change(Some(describe(&before)), Some(describe(wanted)));
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    if wanted.update_originals && !before.update_originals {
        announce_work_for_org(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)
}
