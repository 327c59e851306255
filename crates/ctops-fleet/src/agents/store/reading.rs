//! Agents as people and ingest see them.

use chrono::{DateTime, Utc};
use ctops_base::PageRequest;
use ctops_pg::Pool;
use ctops_slice::{Grant, in_scope};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::registration::{certificate, parse_status};
use crate::agents::model::{
    AgentRecord, AgentStatus, CertificateFacts, CollidingHost, HistoryEntry, MatchedOn, StreamIdentity,
};
use crate::hosts::HostStatus;

#[derive(FromRow)]
struct RecordRow {
    id: String,
    host_id: Option<Uuid>,
    hostname: String,
    status: String,
    version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    ip_addresses: Vec<String>,
    public_key_sha256: Vec<u8>,
    token_id: Option<Uuid>,
    token_label: Option<String>,
    registered_at: DateTime<Utc>,
    approved_at: Option<DateTime<Utc>>,
    pending_reason: Option<String>,
    client_cert_serial: Option<String>,
    client_cert_not_after: Option<DateTime<Utc>>,
    last_seen_at: Option<DateTime<Utc>>,
    other_host_id: Option<Uuid>,
    other_hostname: Option<String>,
    other_status: Option<String>,
    other_matched_on: Option<String>,
}

impl TryFrom<RecordRow> for AgentRecord {
    type Error = sqlx::Error;

    fn try_from(row: RecordRow) -> Result<Self, sqlx::Error> {
        let collision = row.other_host_id.zip(row.other_hostname).and_then(|(host_id, hostname)| {
            Some(CollidingHost {
                host_id,
                hostname,
                status: HostStatus::parse(row.other_status.as_deref()?)?,
                matched_on: MatchedOn::from_name(row.other_matched_on.as_deref()?)?,
            })
        });
        let certificate = row.client_cert_serial.zip(row.client_cert_not_after);
        Ok(Self {
            status: parse_status(&row.status)?,
            id: row.id,
            host_id: row.host_id,
            hostname: row.hostname,
            version: row.version,
            os: row.os,
            arch: row.arch,
            ip_addresses: row.ip_addresses,
            key_sha256: row.public_key_sha256,
            token: row.token_id.zip(row.token_label),
            registered_at: row.registered_at,
            approved_at: row.approved_at,
            pending_reason: row.pending_reason,
            collision,
            certificate: certificate.map(|(serial, not_after)| CertificateFacts { serial, not_after }),
            last_heartbeat_at: row.last_seen_at,
        })
    }
}

/// One agent per row with token, vitals and, while it waits, the host it collides with: the one it claims, else the one
/// that is online, else the surest match. The page is chosen first, so that only its rows look for collisions.
const SELECT_RECORDS: &str = "
    SELECT a.id, a.host_id, a.hostname, a.status, a.version, a.os, a.arch,
           COALESCE(NULLIF(h.ip_addresses, '{}'), a.ip_addresses) AS ip_addresses, a.public_key_sha256,
           t.id AS token_id, t.label AS token_label, a.registered_at, a.approved_at, a.pending_reason,
           a.client_cert_serial, a.client_cert_not_after, v.last_seen_at,
           other.host_id AS other_host_id, other.hostname AS other_hostname, other.status AS other_status,
           other.matched_on AS other_matched_on
    FROM chosen a
    LEFT JOIN hosts h ON h.id = a.host_id
    LEFT JOIN host_vitals v ON v.host_id = a.host_id
    LEFT JOIN agent_enrolment_tokens t ON t.id = a.enrolment_token_id
    LEFT JOIN LATERAL (
        SELECT c.id AS host_id, c.hostname, cv.status,
               CASE
                   WHEN c.machine_id = a.machine_id THEN 'machine_id'
                   WHEN lower(c.hostname) = lower(a.hostname) THEN 'hostname'
                   ELSE 'address'
               END AS matched_on
        FROM hosts c
        JOIN host_vitals cv ON cv.host_id = c.id
        WHERE a.status = 'pending'
          AND c.org_id = a.org_id
          AND c.deleted_at IS NULL
          AND c.id IS DISTINCT FROM a.host_id
          AND {c_in_scope}
          AND (c.id = a.claims_host_id
               OR c.machine_id = a.machine_id
               OR (lower(c.hostname) = lower(a.hostname) AND a.hostname <> 'unknown')
               OR c.identity_ips && a.identity_ips)
        ORDER BY COALESCE(c.id = a.claims_host_id, false) DESC,
                 cv.status = 'online' DESC,
                 COALESCE(c.machine_id = a.machine_id, false) DESC,
                 lower(c.hostname) = lower(a.hostname) DESC,
                 c.id
        LIMIT 1
    ) other ON true
    ORDER BY a.registered_at DESC, a.id";

/// One page of agents, newest first; `status` narrows it.
pub(in crate::agents) async fn page(
    pool: &Pool,
    grant: &Grant,
    status: Option<AgentStatus>,
    request: PageRequest,
) -> Result<Vec<AgentRecord>, sqlx::Error> {
    let sql = format!(
        "WITH chosen AS MATERIALIZED (
             SELECT id, org_id, host_id, claims_host_id, hostname, machine_id, identity_ips, ip_addresses, status,
                    version, os, arch, public_key_sha256, enrolment_token_id, registered_at, approved_at,
                    pending_reason, client_cert_serial, client_cert_not_after
             FROM agents
             WHERE org_id = $1
               AND deleted_at IS NULL
               AND ($2::text IS NULL OR status = $2)
               AND {agent_in_scope}
             ORDER BY registered_at DESC, id
             LIMIT $3 OFFSET $4
         ) {records}",
        agent_in_scope = in_scope!("agents.host_id", "$5"),
        records = SELECT_RECORDS.replace("{c_in_scope}", in_scope!("c.id", "$5")),
    );
    let rows: Vec<RecordRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(grant.org_id())
        .bind(status.map(AgentStatus::as_str))
        .bind(request.limit())
        .bind(request.offset())
        .bind(grant.scope_ids())
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(AgentRecord::try_from).collect()
}

/// Agents that [`page`] has on all its pages together.
pub(in crate::agents) async fn count(
    pool: &Pool,
    grant: &Grant,
    status: Option<AgentStatus>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT count(*)
         FROM agents
         WHERE org_id = $1
           AND deleted_at IS NULL
           AND ($2::text IS NULL OR status = $2)
           AND ",
        in_scope!("agents.host_id", "$3")
    ))
    .bind(grant.org_id())
    .bind(status.map(AgentStatus::as_str))
    .bind(grant.scope_ids())
    .fetch_one(pool)
    .await
}

/// One agent.
pub(in crate::agents) async fn find(
    pool: &Pool,
    grant: &Grant,
    agent_id: &str,
) -> Result<Option<AgentRecord>, sqlx::Error> {
    let sql = format!(
        "WITH chosen AS (
             SELECT id, org_id, host_id, claims_host_id, hostname, machine_id, identity_ips, ip_addresses, status,
                    version, os, arch, public_key_sha256, enrolment_token_id, registered_at, approved_at,
                    pending_reason, client_cert_serial, client_cert_not_after
             FROM agents
             WHERE org_id = $1
               AND id = $2
               AND deleted_at IS NULL
               AND {agent_in_scope}
         ) {records}",
        agent_in_scope = in_scope!("agents.host_id", "$3"),
        records = SELECT_RECORDS.replace("{c_in_scope}", in_scope!("c.id", "$3")),
    );
    let row: Option<RecordRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(grant.org_id())
        .bind(agent_id)
        .bind(grant.scope_ids())
        .fetch_optional(pool)
        .await?;
    row.map(AgentRecord::try_from).transpose()
}

/// The status history of an agent of the organisation, newest first, from after `before` on.
pub(in crate::agents) async fn history(
    pool: &Pool,
    grant: &Grant,
    agent_id: &str,
    before: Option<(DateTime<Utc>, i64)>,
    limit: i64,
) -> Result<Vec<HistoryEntry>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        id: i64,
        status: String,
        reason: String,
        actor_id: Option<Uuid>,
        actor_name: Option<String>,
        at: DateTime<Utc>,
    }
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT e.id, e.status, e.reason, u.id AS actor_id, u.name AS actor_name, e.at
         FROM agent_status_history e
         JOIN agents a ON a.id = e.agent_id
         LEFT JOIN users u ON u.id = e.actor_id
         WHERE e.agent_id = $2
           AND a.org_id = $1
           AND ($3::timestamptz IS NULL OR (e.at, e.id) < ($3, $4))
           AND ",
        in_scope!("a.host_id", "$6"),
        " ORDER BY e.at DESC, e.id DESC
         LIMIT $5"
    ))
    .bind(grant.org_id())
    .bind(agent_id)
    .bind(before.map(|(at, _)| at))
    .bind(before.map(|(_, id)| id))
    .bind(limit)
    .bind(grant.scope_ids())
    .fetch_all(pool)
    .await?;
    let entry = |row: Row| HistoryEntry {
        id: row.id,
        status: row.status,
        reason: row.reason,
        actor: row.actor_id.zip(row.actor_name),
        at: row.at,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// What ingest needs to know at the start of a stream.
pub(in crate::agents) async fn stream_identity(
    pool: &Pool,
    agent_id: &str,
) -> Result<Option<StreamIdentity>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        id: String,
        host_id: Option<Uuid>,
        org_id: Uuid,
        status: String,
        client_cert_pem: Option<String>,
        client_cert_serial: Option<String>,
        client_cert_not_after: Option<DateTime<Utc>>,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, host_id, org_id, status, client_cert_pem, client_cert_serial, client_cert_not_after
         FROM agents
         WHERE id = $1
           AND deleted_at IS NULL",
    )
    .bind(agent_id)
    .fetch_optional(pool)
    .await?;
    let identity = |row: Row| {
        Ok(StreamIdentity {
            status: parse_status(&row.status)?,
            agent_id: row.id,
            host_id: row.host_id,
            org_id: row.org_id,
            certificate: certificate(row.client_cert_pem, row.client_cert_serial, row.client_cert_not_after),
        })
    };
    row.map(identity).transpose()
}
