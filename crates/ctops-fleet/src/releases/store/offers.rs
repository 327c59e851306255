//! What agents are to be offered, and what they reported.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use sqlx::FromRow;
use uuid::Uuid;

use super::version;
use crate::releases::model::{Last, Newest, Wish};

#[derive(FromRow)]
struct WishRow {
    agent_id: String,
    channel: String,
    pinned_version: Option<String>,
    requested_version: Option<String>,
    requested_at: Option<DateTime<Utc>>,
    last_version: Option<String>,
    last_outcome: Option<String>,
    last_at: Option<DateTime<Utc>>,
    unconfirmed: bool,
    update_originals: bool,
    rollout_id: Option<Uuid>,
    rollout_version: Option<String>,
    held: bool,
}

impl WishRow {
    fn wish(self) -> Result<(String, Wish), sqlx::Error> {
        let parsed = |text: Option<String>| text.map(|text| version(&text)).transpose();
        let last = self.last_version.zip(self.last_outcome).zip(self.last_at);
        let wish = Wish {
            channel: self.channel,
            pinned: parsed(self.pinned_version)?,
            requested: parsed(self.requested_version)?,
            requested_at: self.requested_at,
            last: last.map(|((version, outcome), at)| Last { version, outcome, detail: String::new(), at }),
            unconfirmed: self.unconfirmed,
            update_originals: self.update_originals,
            rollout: self.rollout_id.zip(parsed(self.rollout_version)?),
            held: self.held,
        };
        Ok((self.agent_id, wish))
    }
}

/// What is known of these agents' updates, in any order.
pub(in crate::releases) async fn wishes(
    pool: &Pool,
    agent_ids: &[&str],
    org_ids: &[Uuid],
) -> Result<Vec<(String, Wish)>, sqlx::Error> {
    let rows: Vec<WishRow> = sqlx::query_as(
        "SELECT c.agent_id, COALESCE(u.channel, 'stable') AS channel, u.pinned_version, u.requested_version,
                u.requested_at, u.last_version, u.last_outcome, u.last_at, COALESCE(u.unconfirmed, false) AS unconfirmed,
                COALESCE(s.update_originals, false) AS update_originals,
                r.id AS rollout_id, r.version AS rollout_version, held.id IS NOT NULL AS held
         FROM unnest($1::text[], $2::uuid[]) AS c (agent_id, org_id)
         LEFT JOIN agent_updates u ON u.agent_id = c.agent_id
         LEFT JOIN agent_update_settings s ON s.org_id = c.org_id
         LEFT JOIN agent_rollouts held ON held.org_id = c.org_id
                                      AND held.channel = COALESCE(u.channel, 'stable')
                                      AND held.state IN ('running', 'halted')
         LEFT JOIN LATERAL (
             SELECT o.id, e.version
             FROM agent_rollout_members m
             JOIN agent_rollouts o ON o.id = m.rollout_id
             JOIN agent_releases e ON e.id = o.release_id
             WHERE m.agent_id = c.agent_id
               AND m.wave <= o.wave
               AND o.state = 'running'
               AND e.withdrawn_at IS NULL
             ORDER BY o.began_at DESC
             LIMIT 1
         ) r ON true",
    )
    .bind(agent_ids)
    .bind(org_ids)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(WishRow::wish).collect()
}

/// The newest release of every channel.
pub(in crate::releases) async fn newest(pool: &Pool) -> Result<Vec<Newest>, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (channel) channel, version, minimum_version
         FROM agent_releases
         WHERE withdrawn_at IS NULL
         ORDER BY channel, version_rank DESC",
    )
    .fetch_all(pool)
    .await?;
    let newest = |(channel, own, minimum): (String, String, String)| {
        Ok(Newest { channel, version: version(&own)?, minimum_version: version(&minimum)? })
    };
    rows.into_iter().map(newest).collect()
}

/// Version, manifest and signature of these versions, of those that are not withdrawn.
pub(in crate::releases) async fn manifests(
    pool: &Pool,
    versions: &[String],
) -> Result<Vec<(String, Vec<u8>, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT ON (version) version, manifest_json, signature
         FROM agent_releases
         WHERE withdrawn_at IS NULL
           AND version = ANY ($1)
         ORDER BY version, channel = 'stable' DESC, channel",
    )
    .bind(versions)
    .fetch_all(pool)
    .await
}

/// Notes that members of rollouts were offered their release, and that agents hear of their stored outcomes.
pub(in crate::releases) async fn note_sent(
    pool: &Pool,
    (rollouts, offered): (&[Uuid], &[String]),
    confirmed: &[String],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH offers AS (
             UPDATE agent_rollout_members m
             SET offered_at = $4
             FROM unnest($1::uuid[], $2::text[]) AS o (rollout_id, agent_id)
             WHERE m.rollout_id = o.rollout_id
               AND m.agent_id = o.agent_id
               AND m.offered_at IS NULL
         )
         UPDATE agent_updates SET unconfirmed = false WHERE agent_id = ANY ($3)",
    )
    .bind(rollouts)
    .bind(offered)
    .bind(confirmed)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// A reported outcome.
#[derive(Clone, Debug)]
pub(in crate::releases) struct Reported {
    pub(in crate::releases) agent_id: String,
    pub(in crate::releases) version: String,
    pub(in crate::releases) outcome: String,
    pub(in crate::releases) detail: String,
}

/// Stores outcomes, at most one per agent; the hosts whose agents are to hear of it.
pub(in crate::releases) async fn store_outcomes(
    tx: &mut Tx<'_>,
    reported: &[Reported],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let column =
        |of: fn(&Reported) -> &str| -> Vec<String> { reported.iter().map(|r| of(r).to_owned()).collect() };
    sqlx::query_scalar(
        "WITH reported AS (
             SELECT r.agent_id, r.version, r.outcome, r.detail, a.host_id
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r (agent_id, version, outcome, detail)
             JOIN agents a ON a.id = r.agent_id
             WHERE a.deleted_at IS NULL
               AND a.host_id IS NOT NULL
             ORDER BY r.agent_id
         ), stored AS (
             INSERT INTO agent_updates AS u (agent_id, last_version, last_outcome, last_detail, last_at, unconfirmed)
             SELECT agent_id, version, outcome, detail, $5, true FROM reported
             ON CONFLICT (agent_id) DO UPDATE
             SET last_version = EXCLUDED.last_version,
                 last_outcome = EXCLUDED.last_outcome,
                 last_detail = EXCLUDED.last_detail,
                 last_at = EXCLUDED.last_at,
                 requested_version = NULLIF(u.requested_version, EXCLUDED.last_version),
                 unconfirmed = true
         ), counted AS (
             UPDATE agent_rollout_members m
             SET outcome = r.outcome, outcome_at = $5
             FROM reported r, agent_rollouts o, agent_releases e
             WHERE m.agent_id = r.agent_id
               AND o.id = m.rollout_id
               AND o.state IN ('running', 'halted')
               AND e.id = o.release_id
               AND e.version = r.version
         )
         SELECT host_id FROM reported",
    )
    .bind(column(|r| &r.agent_id))
    .bind(column(|r| &r.version))
    .bind(column(|r| &r.outcome))
    .bind(column(|r| &r.detail))
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}
