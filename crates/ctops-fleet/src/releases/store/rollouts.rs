//! Rollouts and their members.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_proto::release::Version;
use ctops_slice::Grant;
use sqlx::FromRow;
use uuid::Uuid;

use super::version;
use crate::releases::model::{Count, NewMember, Rollout, RolloutState};

/// An agent that a rollout may be for: organisation, agent, host, version.
pub(in crate::releases) type Candidate = (Uuid, String, Uuid, String);

/// Approved agents that follow `channel`, of one organisation or of all. Pinned ones follow nothing.
pub(in crate::releases) async fn candidates(
    tx: &mut Tx<'_>,
    org_id: Option<Uuid>,
    channel: &str,
) -> Result<Vec<Candidate>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.org_id, a.id, a.host_id, a.version
         FROM agents a
         LEFT JOIN agent_updates u ON u.agent_id = a.id
         WHERE ($1::uuid IS NULL OR a.org_id = $1)
           AND a.deleted_at IS NULL
           AND a.host_id IS NOT NULL
           AND a.version IS NOT NULL
           AND a.status IN ('active', 'offline')
           AND COALESCE(u.channel, 'stable') = $2
           AND u.pinned_version IS NULL
         ORDER BY a.org_id, a.id",
    )
    .bind(org_id)
    .bind(channel)
    .fetch_all(&mut **tx)
    .await
}

/// A release that can be rolled out: its id and version.
pub(in crate::releases) async fn release(
    tx: &mut Tx<'_>,
    channel: &str,
    wanted: Option<Version>,
) -> Result<Option<(Uuid, Version)>, sqlx::Error> {
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT id, version
         FROM agent_releases
         WHERE channel = $1
           AND withdrawn_at IS NULL
           AND ($2::bigint IS NULL OR version_rank = $2)
         ORDER BY version_rank DESC
         LIMIT 1",
    )
    .bind(channel)
    .bind(wanted.map(Version::rank))
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|(id, text)| Ok((id, version(&text)?))).transpose()
}

/// A rollout to begin.
#[derive(Clone, Debug)]
pub(in crate::releases) struct NewRollout<'a> {
    pub(in crate::releases) id: Uuid,
    pub(in crate::releases) org_id: Uuid,
    pub(in crate::releases) release_id: Uuid,
    pub(in crate::releases) channel: &'a str,
    pub(in crate::releases) waves: &'a [i32],
    pub(in crate::releases) halt_percent: i32,
    pub(in crate::releases) started_by: Option<Uuid>,
}

/// Begins a rollout in place of the one that was under way on its channel.
pub(in crate::releases) async fn begin(
    tx: &mut Tx<'_>,
    rollout: &NewRollout<'_>,
    members: &[NewMember],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agent_rollouts SET state = 'superseded' WHERE org_id = $1 AND channel = $2 AND state IN ('running', 'halted')",
    )
    .bind(rollout.org_id)
    .bind(rollout.channel)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO agent_rollouts (id, org_id, release_id, channel, waves, halt_percent, state, began_at, wave_began_at,
                                     counted_from, started_by)
         VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $7, $7, $8)",
    )
    .bind(rollout.id)
    .bind(rollout.org_id)
    .bind(rollout.release_id)
    .bind(rollout.channel)
    .bind(rollout.waves)
    .bind(rollout.halt_percent)
    .bind(now)
    .bind(rollout.started_by)
    .execute(&mut **tx)
    .await?;
    let agents: Vec<&str> = members.iter().map(|member| member.agent_id.as_str()).collect();
    let waves: Vec<i32> = members.iter().map(|member| member.wave).collect();
    sqlx::query(
        "INSERT INTO agent_rollout_members (rollout_id, agent_id, wave)
         SELECT $1, m.agent_id, m.wave FROM unnest($2::text[], $3::integer[]) AS m (agent_id, wave)",
    )
    .bind(rollout.id)
    .bind(agents)
    .bind(waves)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Rollouts of the organisation, newest first.
pub(in crate::releases) async fn list(
    pool: &Pool,
    grant: &Grant,
    only: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Rollout>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        id: Uuid,
        channel: String,
        version: String,
        waves: Vec<i32>,
        halt_percent: i32,
        wave: i32,
        state: String,
        halt_reason: String,
        began_at: DateTime<Utc>,
        members: i64,
        offered: i64,
        updated: i64,
        failed: i64,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.channel, e.version, o.waves, o.halt_percent, o.wave, o.state, o.halt_reason, o.began_at,
                m.members, m.offered, m.updated, m.failed
         FROM agent_rollouts o
         JOIN agent_releases e ON e.id = o.release_id
         CROSS JOIN LATERAL (
             SELECT count(*) AS members, count(offered_at) AS offered,
                    count(*) FILTER (WHERE outcome = 'updated') AS updated,
                    count(*) FILTER (WHERE outcome <> 'updated') AS failed
             FROM agent_rollout_members
             WHERE rollout_id = o.id
         ) m
         WHERE o.org_id = $1
           AND ($2::uuid IS NULL OR o.id = $2)
         ORDER BY o.began_at DESC, o.id DESC
         LIMIT $3",
    )
    .bind(grant.org_id())
    .bind(only)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let rollout = |row: Row| {
        let state = RolloutState::from_name(&row.state);
        Ok(Rollout {
            state: state.ok_or_else(|| sqlx::Error::Decode("unknown state of a rollout".into()))?,
            id: row.id,
            channel: row.channel,
            version: row.version,
            waves: row.waves,
            halt_percent: row.halt_percent,
            wave: row.wave,
            halt_reason: row.halt_reason,
            began_at: row.began_at,
            members: row.members,
            offered: row.offered,
            updated: row.updated,
            failed: row.failed,
        })
    };
    rows.into_iter().map(rollout).collect()
}

/// Changes the state of a rollout of the organisation from `from`; whether it was in that state.
pub(in crate::releases) async fn set_state(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    (from, to): (RolloutState, RolloutState),
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE agent_rollouts
         SET state = $4, halt_reason = $5, counted_from = $6
         WHERE org_id = $1
           AND id = $2
           AND state = $3",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(reason)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts members that run their release already, whoever installed it, as updated.
pub(in crate::releases) async fn note_versions(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agent_rollout_members m
         SET outcome = 'updated', outcome_at = $1
         FROM agent_rollouts o, agent_releases e, agents a
         WHERE o.state = 'running'
           AND m.rollout_id = o.id
           AND m.outcome IS NULL
           AND e.id = o.release_id
           AND a.id = m.agent_id
           AND a.version = e.version",
    )
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Locks all running rollouts and counts their members: rollout, organisation, figures. An agent counts as gone when it has
/// been offline since before `gone_before`; one that was not offered anything by then does not hold up its wave.
pub(in crate::releases) async fn counts(
    tx: &mut Tx<'_>,
    gone_before: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid, Count)>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        id: Uuid,
        org_id: Uuid,
        wave: i32,
        waves: i32,
        halt_percent: i32,
        wave_began_at: DateTime<Utc>,
        size: i64,
        bad: i64,
        open: i64,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "WITH running AS MATERIALIZED (
             SELECT id, org_id, wave, waves, halt_percent, wave_began_at, counted_from
             FROM agent_rollouts
             WHERE state = 'running'
             ORDER BY id
             FOR UPDATE
         )
         SELECT o.id, o.org_id, o.wave, cardinality(o.waves) AS waves, o.halt_percent, o.wave_began_at,
                count(*) FILTER (WHERE m.wave = o.wave) AS size,
                count(*) FILTER (
                    WHERE m.wave = o.wave
                      AND ((m.outcome <> 'updated' AND m.outcome_at >= o.counted_from)
                           OR (m.offered_at IS NOT NULL AND v.status = 'offline' AND v.status_changed_at < $1
                               AND v.status_changed_at >= o.counted_from))
                ) AS bad,
                count(*) FILTER (
                    WHERE m.wave <= o.wave
                      AND m.outcome IS NULL
                      AND v.status = 'online'
                      AND (m.offered_at IS NOT NULL OR o.wave_began_at > $1)
                ) AS open
         FROM running o
         LEFT JOIN agent_rollout_members m ON m.rollout_id = o.id
         LEFT JOIN agents a ON a.id = m.agent_id
         LEFT JOIN host_vitals v ON v.host_id = a.host_id
         GROUP BY o.id, o.org_id, o.wave, o.waves, o.halt_percent, o.wave_began_at",
    )
    .bind(gone_before)
    .fetch_all(&mut **tx)
    .await?;
    let count = |row: Row| {
        let Row { id, org_id, wave, waves, halt_percent, wave_began_at, size, bad, open } = row;
        (id, org_id, Count { wave, waves, halt_percent, wave_began_at, size, bad, open })
    };
    Ok(rows.into_iter().map(count).collect())
}

/// What becomes of a rollout.
#[derive(Clone, Debug)]
pub(in crate::releases) struct Advance {
    pub(in crate::releases) id: Uuid,
    pub(in crate::releases) wave: i32,
    pub(in crate::releases) state: RolloutState,
    pub(in crate::releases) reason: String,
}

/// Applies advances; the hosts of waves that begin now.
pub(in crate::releases) async fn advance(
    tx: &mut Tx<'_>,
    advances: &[Advance],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let ids: Vec<Uuid> = advances.iter().map(|advance| advance.id).collect();
    let waves: Vec<i32> = advances.iter().map(|advance| advance.wave).collect();
    let states: Vec<&str> = advances.iter().map(|advance| advance.state.as_str()).collect();
    let reasons: Vec<&str> = advances.iter().map(|advance| advance.reason.as_str()).collect();
    sqlx::query_scalar(
        "WITH changed AS (
             UPDATE agent_rollouts o
             SET wave = c.wave,
                 state = c.state,
                 halt_reason = c.reason,
                 wave_began_at = CASE WHEN o.wave = c.wave THEN o.wave_began_at ELSE $5 END
             FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[]) AS c (id, wave, state, reason)
             WHERE o.id = c.id
             RETURNING o.id, o.wave, o.state
         )
         SELECT a.host_id
         FROM changed c
         JOIN agent_rollout_members m ON m.rollout_id = c.id AND m.wave = c.wave
         JOIN agents a ON a.id = m.agent_id
         WHERE c.state = 'running'
           AND a.host_id IS NOT NULL",
    )
    .bind(ids)
    .bind(waves)
    .bind(states)
    .bind(reasons)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}
