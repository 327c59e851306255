//! Approval, revocation, certificates.

use chrono::{DateTime, Utc};
use ctops_pg::notify::AGENTS;
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use uuid::Uuid;

use crate::agents::model::{AgentSignal, ClientCertificate, RevokedSerial};

/// The live agent with this id in the grant's organisation, when there is one: its key and what it claims.
pub(in crate::agents) async fn find_for_decision(
    pool: &Pool,
    grant: &Grant,
    agent_id: &str,
) -> Result<Option<DecisionHead>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT a.id, o.id AS claimed_agent_id
         FROM agents a
         LEFT JOIN hosts h ON h.id = a.claims_host_id AND h.deleted_at IS NULL
         LEFT JOIN agents o ON o.host_id = h.id AND o.deleted_at IS NULL
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
    .await
}

/// Which records a decision is about.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::agents) struct DecisionHead {
    pub(in crate::agents) id: String,
    /// The agent of the host that this one claims.
    pub(in crate::agents) claimed_agent_id: Option<String>,
}

/// Makes a pending agent active.
pub(in crate::agents) async fn activate(
    tx: &mut Tx<'_>,
    agent_id: &str,
    approved_by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents
         SET status = 'active', approved_by = $2, approved_at = $3, pending_reason = NULL
         WHERE id = $1",
    )
    .bind(agent_id)
    .bind(approved_by)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Says why a pending agent was not approved by itself.
pub(in crate::agents) async fn set_pending_reason(
    tx: &mut Tx<'_>,
    agent_id: &str,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE agents SET pending_reason = $2 WHERE id = $1")
        .bind(agent_id)
        .bind(reason)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Gives a pending agent whose claimed host is gone a host of its own.
pub(in crate::agents) async fn attach_host(
    tx: &mut Tx<'_>,
    agent_id: &str,
    host_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents SET host_id = $2, claims_host_id = NULL, claim_matched_on = NULL WHERE id = $1",
    )
    .bind(agent_id)
    .bind(host_id)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes a claim that was merged into the record it claimed.
pub(in crate::agents) async fn remove_claim(
    tx: &mut Tx<'_>,
    agent_id: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE agents SET deleted_at = $2, pending_csr = NULL WHERE id = $1")
        .bind(agent_id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Makes an agent revoked, for good.
pub(in crate::agents) async fn revoke(tx: &mut Tx<'_>, agent_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents SET status = 'revoked', pending_reason = NULL, pending_csr = NULL WHERE id = $1",
    )
    .bind(agent_id)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Locks the agents of these hosts and those that claim one of them.
pub(in crate::agents) async fn lock_agents_of_hosts(
    tx: &mut Tx<'_>,
    hosts: &[Uuid],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT a.id
         FROM agents a
         WHERE a.host_id = ANY($1)
            OR a.claims_host_id = ANY($1)
         ORDER BY a.id
         FOR UPDATE OF a",
    )
    .bind(hosts)
    .fetch_all(&mut **tx)
    .await
}

/// Locks the agent of a host unless it is revoked already: its id and organisation.
pub(in crate::agents) async fn lock_agent_of_host(
    tx: &mut Tx<'_>,
    host_id: Uuid,
) -> Result<Option<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.id, a.org_id
         FROM agents a
         WHERE a.host_id = $1
           AND a.deleted_at IS NULL
           AND a.status <> 'revoked'
         FOR UPDATE OF a",
    )
    .bind(host_id)
    .fetch_optional(&mut **tx)
    .await
}

/// Revokes every certificate of the agent that could still be used.
pub(in crate::agents) async fn revoke_certificates(
    tx: &mut Tx<'_>,
    agent_id: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO revoked_certificates (serial, reason, revoked_at, not_after)
         SELECT c.serial, $2, $3, c.not_after
         FROM agent_certificates c
         WHERE c.agent_id = $1
           AND c.not_after > $3
         ON CONFLICT (serial) DO NOTHING",
    )
    .bind(agent_id)
    .bind(reason)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Revokes every certificate of these agents that could still be used, and tells all nodes when `tx` commits.
pub(in crate::agents) async fn revoke_for_deletion(
    tx: &mut Tx<'_>,
    agent_ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO revoked_certificates (serial, reason, revoked_at, not_after)
         SELECT c.serial, 'host_deleted', $2, c.not_after
         FROM agent_certificates c
         WHERE c.agent_id = ANY($1)
           AND c.not_after > $2
         ON CONFLICT (serial) DO NOTHING",
    )
    .bind(agent_ids)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    let payloads: Vec<String> =
        agent_ids.iter().map(|id| AgentSignal::Revoked(id.clone()).to_string()).collect();
    sqlx::query("SELECT pg_notify($1, payload) FROM UNNEST($2::text[]) AS payload")
        .bind(AGENTS)
        .bind(payloads)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Whether a certificate is revoked.
pub(in crate::agents) async fn is_revoked(tx: &mut Tx<'_>, serial: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM revoked_certificates WHERE serial = $1)")
        .bind(serial)
        .fetch_one(&mut **tx)
        .await
}

/// Records a new certificate as the agent's newest.
pub(in crate::agents) async fn store_certificate(
    tx: &mut Tx<'_>,
    agent_id: &str,
    certificate: &ClientCertificate,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH issued AS (
             INSERT INTO agent_certificates (serial, agent_id, issued_at, not_after)
             VALUES ($2, $1, $5, $4)
         )
         UPDATE agents
         SET client_cert_serial = $2, client_cert_pem = $3, client_cert_not_after = $4, pending_csr = NULL
         WHERE id = $1",
    )
    .bind(agent_id)
    .bind(&certificate.serial)
    .bind(&certificate.pem)
    .bind(certificate.not_after)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Certificates revoked from `since` on that are not over yet.
pub(in crate::agents) async fn revoked_serials(
    pool: &Pool,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<RevokedSerial>, sqlx::Error> {
    let rows: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT serial, revoked_at
         FROM revoked_certificates
         WHERE ($1::timestamptz IS NULL OR revoked_at >= $1)
           AND (not_after IS NULL OR not_after > $2)
         ORDER BY revoked_at, serial",
    )
    .bind(since)
    .bind(now)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(serial, revoked_at)| RevokedSerial { serial, revoked_at }).collect())
}

/// Removes revocations and records of certificates that ended before `before`. Returns how many rows.
pub(in crate::agents) async fn purge_ended(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let revoked = sqlx::query("DELETE FROM revoked_certificates WHERE not_after < $1")
        .bind(before)
        .execute(pool)
        .await?;
    let issued =
        sqlx::query("DELETE FROM agent_certificates WHERE not_after < $1").bind(before).execute(pool).await?;
    Ok(revoked.rows_affected() + issued.rows_affected())
}
