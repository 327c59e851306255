//! Updates of single agents, and an organisation's settings for them.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use sqlx::FromRow;
use uuid::Uuid;

use crate::releases::model::{AgentUpdate, Last, UpdateSettings};

/// An agent as far as its updates are concerned.
#[derive(Clone, Debug, FromRow)]
pub(in crate::releases) struct AgentFacts {
    pub(in crate::releases) host_id: Option<Uuid>,
    pub(in crate::releases) hostname: String,
    pub(in crate::releases) status: String,
    pub(in crate::releases) version: Option<String>,
}

/// An agent of the organisation.
pub(in crate::releases) async fn agent(
    pool: &Pool,
    grant: &Grant,
    agent_id: &str,
) -> Result<Option<AgentFacts>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT a.host_id, a.hostname, a.status, a.version
         FROM agents a
         WHERE a.org_id = $1 AND a.id = $2 AND a.deleted_at IS NULL AND ",
        in_scope!("a.host_id", "$3")
    ))
    .bind(grant.org_id())
    .bind(agent_id)
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// What was decided about an agent of the organisation, and how its last update ended.
pub(in crate::releases) async fn find(
    pool: &Pool,
    grant: &Grant,
    agent_id: &str,
) -> Result<Option<AgentUpdate>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        channel: String,
        pinned_version: Option<String>,
        requested_version: Option<String>,
        last_version: Option<String>,
        last_outcome: Option<String>,
        last_detail: Option<String>,
        last_at: Option<DateTime<Utc>>,
    }
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT COALESCE(u.channel, 'stable') AS channel, u.pinned_version, u.requested_version, u.last_version,
                u.last_outcome, u.last_detail, u.last_at
         FROM agents a
         LEFT JOIN agent_updates u ON u.agent_id = a.id
         WHERE a.org_id = $1
           AND a.id = $2
           AND a.deleted_at IS NULL
           AND ",
        in_scope!("a.host_id", "$3")
    ))
    .bind(grant.org_id())
    .bind(agent_id)
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| AgentUpdate {
        channel: row.channel,
        pinned: row.pinned_version,
        requested: row.requested_version,
        last: row.last_version.zip(row.last_outcome).zip(row.last_at).map(|((version, outcome), at)| Last {
            version,
            outcome,
            detail: row.last_detail.unwrap_or_default(),
            at,
        }),
    }))
}

/// Tells an agent to update.
pub(in crate::releases) async fn request(
    tx: &mut Tx<'_>,
    agent_id: &str,
    version: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_updates (agent_id, requested_version, requested_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (agent_id) DO UPDATE
         SET requested_version = EXCLUDED.requested_version, requested_at = EXCLUDED.requested_at",
    )
    .bind(agent_id)
    .bind(version)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Sets channel and pin; what was requested before ends.
pub(in crate::releases) async fn decide(
    tx: &mut Tx<'_>,
    agent_id: &str,
    channel: &str,
    pinned: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_updates (agent_id, channel, pinned_version, requested_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (agent_id) DO UPDATE
         SET channel = EXCLUDED.channel,
             pinned_version = EXCLUDED.pinned_version,
             requested_version = NULL,
             requested_at = EXCLUDED.requested_at",
    )
    .bind(agent_id)
    .bind(channel)
    .bind(pinned)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The organisation's settings; the defaults when nobody changed them.
pub(in crate::releases) async fn settings<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<UpdateSettings, sqlx::Error> {
    let row: Option<(Vec<i32>, i32, bool)> = sqlx::query_as(
        "SELECT waves, halt_percent, update_originals FROM agent_update_settings WHERE org_id = $1",
    )
    .bind(org_id)
    .fetch_optional(executor)
    .await?;
    let settings =
        |(waves, halt_percent, update_originals)| UpdateSettings { waves, halt_percent, update_originals };
    Ok(row.map_or_else(UpdateSettings::default, settings))
}

/// Sets them.
pub(in crate::releases) async fn set_settings(
    tx: &mut Tx<'_>,
    grant: &Grant,
    settings: &UpdateSettings,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_update_settings (org_id, waves, halt_percent, update_originals)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (org_id) DO UPDATE
         SET waves = EXCLUDED.waves,
             halt_percent = EXCLUDED.halt_percent,
             update_originals = EXCLUDED.update_originals",
    )
    .bind(grant.org_id())
    .bind(&settings.waves)
    .bind(settings.halt_percent)
    .bind(settings.update_originals)
    .execute(&mut **tx)
    .await
    .map(drop)
}
