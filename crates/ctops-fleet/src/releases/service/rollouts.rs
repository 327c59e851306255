//! Rollouts in waves.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::{Pool, Tx};
use ctops_proto::release::{DEFAULT_CHANNEL, Manifest, Version, check_channel};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant, announce_work};
use serde_json::json;
use uuid::Uuid;

use crate::agents::AGENTS_READ;
use crate::releases::AGENTS_UPDATE;
use crate::releases::model::{NewMember, Rollout, RolloutState, Step, WAVE_REST, assign, step};
use crate::releases::store::rollouts::{self as store, Advance, Candidate, NewRollout};
use crate::releases::store::updates;

/// Rollouts shown at most.
const MAX_LISTED: i64 = 50;

/// Begins a rollout in every organisation with agents below the minimum version of a new release.
pub(super) async fn begin_for_minimum(
    tx: &mut Tx<'_>,
    release_id: Uuid,
    manifest: &Manifest,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let below = |version: Version| version < manifest.minimum_version && version < manifest.version;
    let mut organisations: BTreeMap<Uuid, Vec<(String, Uuid, Version)>> = BTreeMap::new();
    for (org_id, agent_id, host_id, version) in store::candidates(tx, None, &manifest.channel).await? {
        if let Some(version) = version.parse().ok().filter(|version| below(*version)) {
            organisations.entry(org_id).or_default().push((agent_id, host_id, version));
        }
    }
    // An installation has a handful of organisations.
    for (org_id, agents) in organisations {
        begin(tx, org_id, (release_id, &manifest.channel), agents, None, now).await?;
    }
    Ok(())
}

async fn begin(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    (release_id, channel): (Uuid, &str),
    agents: Vec<(String, Uuid, Version)>,
    started_by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Uuid, sqlx::Error> {
    let settings = updates::settings(&mut **tx, org_id).await?;
    let members = assign(release_id, agents, &settings.waves);
    let rollout = NewRollout {
        id: new_id(),
        org_id,
        release_id,
        channel,
        waves: &settings.waves,
        halt_percent: settings.halt_percent,
        started_by,
    };
    store::begin(tx, &rollout, &members, now).await?;
    announce_work(tx, &first_wave(&members)).await?;
    Ok(rollout.id)
}

fn first_wave(members: &[NewMember]) -> Vec<Uuid> {
    members.iter().filter(|member| member.wave == 0).map(|member| member.host_id).collect()
}

/// Rolls a release out to all agents of a channel that run an older version.
pub(in crate::releases) async fn start(
    state: &AppState,
    actor: &Actor,
    channel: Option<String>,
    wanted: Option<Version>,
) -> Result<Rollout, Problem> {
    let grant = of_whole_fleet(actor)?;
    let channel = channel.unwrap_or_else(|| DEFAULT_CHANNEL.to_owned());
    check_channel(&channel)
        .map_err(|error| Problem::invalid_field("channel", "invalid", error.to_string()))?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let release = store::release(&mut tx, &channel, wanted).await.map_err(Problem::internal)?;
    let (release_id, version) = release
        .ok_or_else(|| Problem::wrong_state(format!("there is no such release in the channel {channel}")))?;
    let candidates =
        store::candidates(&mut tx, Some(grant.org_id()), &channel).await.map_err(Problem::internal)?;
    let older = |(_, agent_id, host_id, own): Candidate| {
        let own: Version = own.parse().ok().filter(|own| *own < version)?;
        Some((agent_id, host_id, own))
    };
    let agents: Vec<_> = candidates.into_iter().filter_map(older).collect();
    if agents.is_empty() {
        return Err(Problem::wrong_state(format!(
            "no agent of the channel {channel} runs an older version than {version}"
        )));
    }
    let count = agents.len();
    let id = begin(&mut tx, grant.org_id(), (release_id, &channel), agents, Some(actor.user_id), now)
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "agent_rollout.started", "agent_rollout")
        .on(id)
        .summary(format!("began to roll out agent release {version} to {count} agents"))
        .change(None, Some(json!({"version": version, "channel": channel, "agents": count})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    find(state, actor, id).await
}

/// Rollouts of the organisation, newest first.
pub(in crate::releases) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<Rollout>, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    if !grant.scope().is_all() {
        // A rollout goes over the whole fleet, and so do its figures.
        return Ok(Vec::new());
    }
    store::list(&state.pool, &grant, None, MAX_LISTED).await.map_err(Problem::internal)
}

/// The grant of somebody who may update agents and sees all of them.
fn of_whole_fleet(actor: &Actor) -> Result<Grant, Problem> {
    let grant = actor.grant(&AGENTS_UPDATE)?;
    if grant.scope().is_all() {
        return Ok(grant);
    }
    let detail = "a rollout goes over all hosts of the organisation, and you see only some";
    Err(Problem::new(ProblemKind::Forbidden, "out_of_scope", detail))
}

async fn find(state: &AppState, actor: &Actor, id: Uuid) -> Result<Rollout, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    if !grant.scope().is_all() {
        return Err(Problem::not_found("rollout"));
    }
    let found = store::list(&state.pool, &grant, Some(id), 1).await.map_err(Problem::internal)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("rollout"))
}

/// Halts a running rollout, or resumes a halted one; failures known by then no longer count.
pub(in crate::releases) async fn set_state(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    wanted: RolloutState,
) -> Result<Rollout, Problem> {
    let grant = of_whole_fleet(actor)?;
    let (from, reason, action) = match wanted {
        RolloutState::Halted => (RolloutState::Running, "halted by an administrator", "agent_rollout.halted"),
        _ => (RolloutState::Halted, "", "agent_rollout.resumed"),
    };
    let before = find(state, actor, id).await?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let changed = store::set_state(&mut tx, &grant, id, (from, wanted), reason, now)
        .await
        .map_err(Problem::internal)?;
    if !changed {
        let detail = format!(
            "only a {} rollout can be changed so, this one is {}",
            from.as_str(),
            before.state.as_str()
        );
        return Err(Problem::wrong_state(detail));
    }
    let event = AuditEvent::by_actor(actor, action, "agent_rollout")
        .on(id)
        .summary(format!("set the rollout of agent release {} to {}", before.version, wanted.as_str()))
        .change(Some(json!({"state": from.as_str()})), Some(json!({"state": wanted.as_str()})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    if wanted == RolloutState::Running {
        ctops_slice::announce_work_for_org(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    find(state, actor, id).await
}

/// Lets every running rollout take its next step. Two nodes that do this at once do it after each other.
pub(in crate::releases) async fn advance_all(pool: &Pool, now: DateTime<Utc>) -> Result<(), Problem> {
    advance(pool, now).await.map_err(Problem::internal)
}

async fn advance(pool: &Pool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    store::note_versions(&mut tx, now).await?;
    let mut advances = Vec::new();
    for (id, org_id, count) in store::counts(&mut tx, now - WAVE_REST / 2).await? {
        let (wave, state, reason) = match step(&count, now) {
            Step::Wait => continue,
            Step::Next => (count.wave + 1, RolloutState::Running, String::new()),
            Step::Finish => (count.wave, RolloutState::Finished, String::new()),
            Step::Halt(reason) => {
                tracing::warn!(rollout.id = %id, org.id = %org_id, reason, "rollout of an agent release halted");
                (count.wave, RolloutState::Halted, reason)
            }
        };
        advances.push(Advance { id, wave, state, reason });
    }
    if !advances.is_empty() {
        let hosts = store::advance(&mut tx, &advances, now).await?;
        announce_work(&mut tx, &hosts).await?;
    }
    tx.commit().await
}
