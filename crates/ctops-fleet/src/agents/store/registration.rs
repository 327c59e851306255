//! What `Register` reads and writes.

use chrono::{DateTime, Utc};
use ctops_crypto::secret::sha256;
use ctops_pg::{Pool, Tx};
use sqlx::types::Json;
use uuid::Uuid;

use crate::agents::identity::{Candidate, MachineFacts};
use crate::agents::model::{AgentStatus, ClientCertificate, MatchedOn};
use crate::enrolment::Tag;
use crate::hosts::HostStatus;

/// An agent as registration and decisions see it.
#[derive(Clone, Debug)]
pub(in crate::agents) struct KnownAgent {
    pub(in crate::agents) id: String,
    pub(in crate::agents) org_id: Uuid,
    pub(in crate::agents) host_id: Option<Uuid>,
    pub(in crate::agents) status: AgentStatus,
    pub(in crate::agents) public_key: String,
    pub(in crate::agents) key_sha256: Vec<u8>,
    pub(in crate::agents) facts: MachineFacts,
    pub(in crate::agents) tags: Vec<Tag>,
    pub(in crate::agents) token_id: Option<Uuid>,
    /// The host that a waiting re-enrolment would take over, and what matched.
    pub(in crate::agents) claim: Option<(Uuid, MatchedOn)>,
    pub(in crate::agents) pending_csr: Option<Vec<u8>>,
    pub(in crate::agents) certificate: Option<ClientCertificate>,
    pub(in crate::agents) certificate_is_revoked: bool,
}

#[derive(sqlx::FromRow)]
pub(super) struct AgentRow {
    id: String,
    org_id: Uuid,
    host_id: Option<Uuid>,
    hostname: String,
    public_key: String,
    public_key_sha256: Vec<u8>,
    status: String,
    version: Option<String>,
    os: Option<String>,
    os_version: Option<String>,
    arch: Option<String>,
    machine_id: Option<String>,
    ip_addresses: Vec<String>,
    identity_ips: Vec<String>,
    tags: Json<Vec<Tag>>,
    enrolment_token_id: Option<Uuid>,
    claims_host_id: Option<Uuid>,
    claim_matched_on: Option<String>,
    pending_csr: Option<Vec<u8>>,
    client_cert_pem: Option<String>,
    client_cert_serial: Option<String>,
    client_cert_not_after: Option<DateTime<Utc>>,
    certificate_is_revoked: bool,
}

impl TryFrom<AgentRow> for KnownAgent {
    type Error = sqlx::Error;

    fn try_from(row: AgentRow) -> Result<Self, sqlx::Error> {
        let status = parse_status(&row.status)?;
        Ok(Self {
            id: row.id,
            org_id: row.org_id,
            host_id: row.host_id,
            status,
            public_key: row.public_key,
            key_sha256: row.public_key_sha256,
            facts: MachineFacts {
                hostname: row.hostname,
                os: row.os,
                os_version: row.os_version,
                arch: row.arch,
                agent_version: row.version,
                machine_id: row.machine_id,
                ip_addresses: row.ip_addresses,
                identity_ips: row.identity_ips,
            },
            tags: row.tags.0,
            token_id: row.enrolment_token_id,
            claim: row.claims_host_id.zip(row.claim_matched_on.as_deref().and_then(MatchedOn::from_name)),
            pending_csr: row.pending_csr,
            certificate: certificate(row.client_cert_pem, row.client_cert_serial, row.client_cert_not_after),
            certificate_is_revoked: row.certificate_is_revoked,
        })
    }
}

/// A status as the database names it.
pub(super) fn parse_status(name: &str) -> Result<AgentStatus, sqlx::Error> {
    AgentStatus::from_name(name)
        .ok_or_else(|| sqlx::Error::Decode(format!("{name:?} is not an agent status").into()))
}

/// A certificate, when all its columns are there.
pub(super) fn certificate(
    pem: Option<String>,
    serial: Option<String>,
    not_after: Option<DateTime<Utc>>,
) -> Option<ClientCertificate> {
    let ((pem, serial), not_after) = pem.zip(serial).zip(not_after)?;
    Some(ClientCertificate { pem, serial, not_after })
}

/// The live agent with this key.
pub(in crate::agents) async fn by_key<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    key_sha256: &[u8],
) -> Result<Option<KnownAgent>, sqlx::Error> {
    let row: Option<AgentRow> = sqlx::query_as(
        "SELECT a.id, a.org_id, a.host_id, a.hostname, a.public_key, a.public_key_sha256, a.status, a.version, a.os,
                a.os_version, a.arch, a.machine_id, a.ip_addresses, a.identity_ips, a.tags, a.enrolment_token_id,
                a.claims_host_id, a.claim_matched_on, a.pending_csr, a.client_cert_pem, a.client_cert_serial,
                a.client_cert_not_after,
                EXISTS (SELECT 1 FROM revoked_certificates r WHERE r.serial = a.client_cert_serial)
                    AS certificate_is_revoked
         FROM agents a
         WHERE a.public_key_sha256 = $1
           AND a.deleted_at IS NULL",
    )
    .bind(key_sha256)
    .fetch_optional(executor)
    .await?;
    row.map(KnownAgent::try_from).transpose()
}

/// Locks live agents, in the order of their ids, and reads them.
pub(in crate::agents) async fn lock_agents(
    tx: &mut Tx<'_>,
    ids: &[&str],
) -> Result<Vec<KnownAgent>, sqlx::Error> {
    let rows: Vec<AgentRow> = sqlx::query_as(
        "SELECT a.id, a.org_id, a.host_id, a.hostname, a.public_key, a.public_key_sha256, a.status, a.version, a.os,
                a.os_version, a.arch, a.machine_id, a.ip_addresses, a.identity_ips, a.tags, a.enrolment_token_id,
                a.claims_host_id, a.claim_matched_on, a.pending_csr, a.client_cert_pem, a.client_cert_serial,
                a.client_cert_not_after,
                EXISTS (SELECT 1 FROM revoked_certificates r WHERE r.serial = a.client_cert_serial)
                    AS certificate_is_revoked
         FROM agents a
         WHERE a.id = ANY($1)
           AND a.deleted_at IS NULL
         ORDER BY a.id
         FOR UPDATE OF a",
    )
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(KnownAgent::try_from).collect()
}

/// The id of the live record that an agent's key belongs to: its own, or the one an approved claim took over.
pub(in crate::agents) async fn key_of(pool: &Pool, agent_id: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT public_key_sha256 FROM agents WHERE id = $1")
        .bind(agent_id)
        .fetch_optional(pool)
        .await
}

/// Holds, until the transaction ends, the right to decide about a key, a machine id, a host name and addresses, so that
/// two agents that claim the same one are looked at one after the other.
pub(in crate::agents) async fn lock_identities(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    key_sha256: &[u8],
    facts: &MachineFacts,
) -> Result<(), sqlx::Error> {
    let digest = |kind: &str, value: &[u8]| {
        let hash = sha256(&[org_id.as_bytes(), kind.as_bytes(), b"\0", value].concat());
        i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    };
    let mut locks =
        vec![digest("key", key_sha256), digest("hostname", facts.hostname.to_lowercase().as_bytes())];
    locks.extend(facts.machine_id.as_ref().map(|id| digest("machine_id", id.as_bytes())));
    locks.extend(facts.identity_ips.iter().map(|ip| digest("address", ip.as_bytes())));
    // One order for everybody, so that nobody waits in a circle.
    locks.sort_unstable();
    locks.dedup();
    sqlx::query("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k")
        .bind(&locks)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// A live host that shares an identity with a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agents) struct Collision {
    pub(in crate::agents) host_id: Uuid,
    pub(in crate::agents) hostname: String,
    pub(in crate::agents) host_status: HostStatus,
    pub(in crate::agents) agent_id: String,
    pub(in crate::agents) agent_status: AgentStatus,
    pub(in crate::agents) matched_on: MatchedOn,
    /// The addresses both have.
    pub(in crate::agents) shared_ips: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct CollisionRow {
    host_id: Uuid,
    hostname: String,
    #[sqlx(try_from = "String")]
    host_status: HostStatus,
    agent_id: String,
    agent_status: String,
    same_machine: bool,
    same_hostname: bool,
    shared_ips: Vec<String>,
}

/// Live hosts with an agent that share machine id, host name or an identity address with `facts`: the surest match
/// first, then the most recently seen. `own_host` is left out.
pub(in crate::agents) async fn collisions(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    own_host: Option<Uuid>,
    facts: &MachineFacts,
) -> Result<Vec<Collision>, sqlx::Error> {
    let rows: Vec<CollisionRow> = sqlx::query_as(
        "SELECT h.id AS host_id, h.hostname, v.status AS host_status, a.id AS agent_id, a.status AS agent_status,
                COALESCE(h.machine_id = $3, false) AS same_machine,
                COALESCE(lower(h.hostname) = lower($4), false) AS same_hostname,
                ARRAY(SELECT unnest(h.identity_ips) INTERSECT SELECT unnest($5::text[])) AS shared_ips
         FROM hosts h
         JOIN host_vitals v ON v.host_id = h.id
         JOIN agents a ON a.host_id = h.id AND a.deleted_at IS NULL
         WHERE h.org_id = $1
           AND h.deleted_at IS NULL
           AND h.id IS DISTINCT FROM $2
           AND (h.machine_id = $3 OR lower(h.hostname) = lower($4) OR h.identity_ips && $5)
         ORDER BY same_machine DESC, same_hostname DESC, v.last_seen_at DESC NULLS LAST, h.id
         LIMIT 64",
    )
    .bind(org_id)
    .bind(own_host)
    .bind(&facts.machine_id)
    .bind(facts.own_hostname())
    .bind(&facts.identity_ips)
    .fetch_all(&mut **tx)
    .await?;
    let collision = |row: CollisionRow| {
        let matched_on = match (row.same_machine, row.same_hostname) {
            (true, _) => MatchedOn::MachineId,
            (false, true) => MatchedOn::Hostname,
            (false, false) => MatchedOn::Address,
        };
        Ok(Collision {
            host_id: row.host_id,
            hostname: row.hostname,
            host_status: row.host_status,
            agent_id: row.agent_id,
            agent_status: parse_status(&row.agent_status)?,
            matched_on,
            shared_ips: row.shared_ips,
        })
    };
    rows.into_iter().map(collision).collect()
}

/// A new, pending agent.
pub(in crate::agents) struct NewAgent<'a> {
    pub(in crate::agents) id: &'a str,
    pub(in crate::agents) org_id: Uuid,
    pub(in crate::agents) host_id: Option<Uuid>,
    pub(in crate::agents) claim: Option<(Uuid, MatchedOn)>,
    pub(in crate::agents) pending_reason: Option<&'a str>,
    pub(in crate::agents) token_id: Uuid,
    pub(in crate::agents) candidate: &'a Candidate,
    pub(in crate::agents) tags: &'a [Tag],
}

/// Adds an agent that waits for approval.
pub(in crate::agents) async fn insert(
    tx: &mut Tx<'_>,
    new: &NewAgent<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let facts = &new.candidate.facts;
    sqlx::query(
        "INSERT INTO agents
             (id, org_id, host_id, hostname, public_key, public_key_sha256, status, version, os, os_version, arch,
              machine_id, ip_addresses, identity_ips, enrolment_token_id, pending_reason, claims_host_id,
              claim_matched_on, tags, registered_at, pending_csr)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(new.id)
    .bind(new.org_id)
    .bind(new.host_id)
    .bind(&facts.hostname)
    .bind(&new.candidate.public_key)
    .bind(&new.candidate.key_sha256[..])
    .bind(&facts.agent_version)
    .bind(&facts.os)
    .bind(&facts.os_version)
    .bind(&facts.arch)
    .bind(&facts.machine_id)
    .bind(&facts.ip_addresses)
    .bind(&facts.identity_ips)
    .bind(new.token_id)
    .bind(new.pending_reason)
    .bind(new.claim.map(|(host_id, _)| host_id))
    .bind(new.claim.map(|(_, matched_on)| matched_on.as_str()))
    .bind(Json(new.tags))
    .bind(now)
    .bind(new.candidate.csr.as_ref().map(|proven| proven.der.as_slice()))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Keeps the certificate request of an agent that waits for approval and sent none before.
pub(in crate::agents) async fn keep_csr(pool: &Pool, agent_id: &str, der: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents SET pending_csr = $2 WHERE id = $1 AND status = 'pending' AND pending_csr IS NULL",
    )
    .bind(agent_id)
    .bind(der)
    .execute(pool)
    .await
    .map(drop)
}

/// What an adoption gives to the existing record.
pub(in crate::agents) struct NewKey<'a> {
    pub(in crate::agents) public_key: &'a str,
    pub(in crate::agents) key_sha256: &'a [u8],
    pub(in crate::agents) facts: &'a MachineFacts,
    pub(in crate::agents) tags: &'a [Tag],
    pub(in crate::agents) token_id: Option<Uuid>,
    pub(in crate::agents) pending_csr: Option<&'a [u8]>,
}

/// Replaces the key of an agent and everything that hangs on it; id, host and approval stay.
pub(in crate::agents) async fn replace_key(
    tx: &mut Tx<'_>,
    agent_id: &str,
    new: &NewKey<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents
         SET public_key = $2, public_key_sha256 = $3, hostname = $4, version = $5, os = $6, os_version = $7, arch = $8,
             machine_id = COALESCE($9, machine_id), ip_addresses = $10, identity_ips = $11, tags = $12,
             enrolment_token_id = $13, pending_csr = $14,
             client_cert_pem = NULL, client_cert_serial = NULL, client_cert_not_after = NULL
         WHERE id = $1",
    )
    .bind(agent_id)
    .bind(new.public_key)
    .bind(new.key_sha256)
    .bind(&new.facts.hostname)
    .bind(&new.facts.agent_version)
    .bind(&new.facts.os)
    .bind(&new.facts.os_version)
    .bind(&new.facts.arch)
    .bind(&new.facts.machine_id)
    .bind(&new.facts.ip_addresses)
    .bind(&new.facts.identity_ips)
    .bind(Json(new.tags))
    .bind(new.token_id)
    .bind(new.pending_csr)
    .execute(&mut **tx)
    .await
    .map(drop)
}
