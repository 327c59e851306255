//! `Register`: known agents are answered, new ones admitted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::id::{new_agent_id, new_id};
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::sha256_hex;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::throttle::{self, Rate};
use serde_json::json;
use uuid::Uuid;

use super::admission::{Admission, decide, facts_for};
use super::approval::{self, Adoption, By as ApprovedBy};
use super::{absent, certificates};
use crate::agents::identity::{self, Candidate, MachineFacts, Proven, key_fingerprint};
use crate::agents::model::{AgentDeps, AgentStatus, RegisterInput, RegisterOutcome, RegisterStatus};
use crate::agents::store::registration as store;
use crate::agents::store::registration::{Collision, KnownAgent, NewAgent};
use crate::agents::store::{HistoryLine, add_history, announce};
use crate::enrolment::{self, EnrolmentToken, TokenStatus, merge_tags};
use crate::hosts::{self, HostIdentity, HostStatus, NewHost};

const MINUTE: Duration = Duration::from_secs(60);
/// Hex digits of a token's digest that rate limits count by (wire contract 4.6).
const TOKEN_KEY_DIGITS: usize = 16;

/// Registers an agent, or answers one that is known already.
///
/// A known key passes with a token that no longer admits new agents, whatever ended it (agents-enrolment 6): original
/// agents send their token with every call. Possession of the key is proven by the certificate request; without one an
/// approved agent gets neither token nor certificate, and the message says so.
///
/// # Errors
/// Kinds: `Invalid` (gRPC INVALID_ARGUMENT), `Limited` (RESOURCE_EXHAUSTED), `Unauthenticated` (UNAUTHENTICATED, one
/// text for every token that does not admit), `Conflict` with code `already_exists` (ALREADY_EXISTS), `Internal`.
pub async fn register(deps: &AgentDeps, input: RegisterInput) -> Result<RegisterOutcome, Problem> {
    let candidate = identity::check(&input)?;
    let now = deps.clock.now();
    count_call(deps, &input, now).await?;
    let token = enrolment::find_by_secret(&deps.pool, &input.enrolment_token, now).await?;
    let token = token.ok_or_else(not_admitted)?;
    let known = store::by_key(&deps.pool, &candidate.key_sha256).await.map_err(Problem::internal)?;
    let known = match known {
        Some(agent) => agent,
        None if token.status == TokenStatus::Active => {
            admit(deps, &token, &candidate, now).await?;
            let admitted =
                store::by_key(&deps.pool, &candidate.key_sha256).await.map_err(Problem::internal)?;
            admitted.ok_or_else(absent)?
        }
        None => return Err(not_admitted()),
    };
    if known.org_id != token.org_id {
        return Err(not_admitted());
    }
    answer(deps, &known, candidate.csr.as_ref(), now).await
}

/// The answer for a `Register` call that was held after `Pending`; called when [`crate::agents::AgentSignal::Approved`]
/// or [`crate::agents::AgentSignal::Revoked`] arrives for the agent id that the first answer named. Follows an approved
/// claim to the record it took over. Proof of possession was given by the held call.
///
/// # Errors
/// `NotFound` when the agent is gone; `Internal`.
pub async fn registration_answer(deps: &AgentDeps, agent_id: &str) -> Result<RegisterOutcome, Problem> {
    let now = deps.clock.now();
    let key = store::key_of(&deps.pool, agent_id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    let agent = store::by_key(&deps.pool, &key).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    let outcome = outcome(deps, &agent);
    match certificates::usable(&agent, now) {
        Some(certificate) if outcome.status == RegisterStatus::Active => {
            let jwt = deps.trust.tokens().sign(&agent.id, now).map_err(Problem::internal)?;
            Ok(RegisterOutcome { jwt: Some(jwt), certificate: Some(certificate.clone()), ..outcome })
        }
        _ => Ok(outcome),
    }
}

/// One text, whatever is wrong with the token.
fn not_admitted() -> Problem {
    Problem::new(ProblemKind::Unauthenticated, "unauthenticated", "enrolment token is not valid")
}

async fn count_call(deps: &AgentDeps, input: &RegisterInput, now: DateTime<Utc>) -> Result<(), Problem> {
    let source = input.source.map_or_else(|| "unknown".to_owned(), |ip| ip.to_canonical().to_string());
    let rate = Rate { scope: "agent.register", limit: deps.limits.per_source, window: MINUTE };
    throttle::hit(&deps.pool, &rate, &source, now).await?;
    let digest = sha256_hex(input.enrolment_token.as_bytes());
    let rate =
        Rate { scope: "agent.register_with_token", limit: deps.limits.per_source_and_token, window: MINUTE };
    throttle::hit(&deps.pool, &rate, &format!("{source} {}", &digest[..TOKEN_KEY_DIGITS]), now).await
}

async fn answer(
    deps: &AgentDeps,
    agent: &KnownAgent,
    proven: Option<&Proven>,
    now: DateTime<Utc>,
) -> Result<RegisterOutcome, Problem> {
    let outcome = outcome(deps, agent);
    match (outcome.status, proven) {
        (RegisterStatus::Active, Some(proven)) => {
            let certificate = certificates::ensure(deps, agent, proven, now).await?;
            let jwt = deps.trust.tokens().sign(&agent.id, now).map_err(Problem::internal)?;
            Ok(RegisterOutcome { jwt: Some(jwt), certificate: Some(certificate), ..outcome })
        }
        (RegisterStatus::Active, None) => Ok(RegisterOutcome {
            message: "agent is active, but a certificate request is missing: no token and no certificate are issued"
                .into(),
            ..outcome
        }),
        (RegisterStatus::Pending, Some(proven)) if agent.pending_csr.is_none() => {
            store::keep_csr(&deps.pool, &agent.id, &proven.der).await.map_err(Problem::internal)?;
            Ok(outcome)
        }
        _ => Ok(outcome),
    }
}

/// The answer without token and certificate.
fn outcome(deps: &AgentDeps, agent: &KnownAgent) -> RegisterOutcome {
    let (status, message) = match agent.status {
        AgentStatus::Active | AgentStatus::Offline => (RegisterStatus::Active, "agent is active"),
        AgentStatus::Pending if agent.claim.is_some() => {
            (RegisterStatus::Pending, "waits for approval to take over an existing host")
        }
        AgentStatus::Pending => (RegisterStatus::Pending, "waits for approval by an administrator"),
        AgentStatus::Revoked => (RegisterStatus::Revoked, "agent was rejected or revoked"),
    };
    let agent_ca_pem = match status {
        RegisterStatus::Active => deps.trust.agent_ca_bundle(),
        RegisterStatus::Pending | RegisterStatus::Revoked => String::new(),
    };
    RegisterOutcome {
        agent_id: agent.id.clone(),
        status,
        message: message.to_owned(),
        jwt: None,
        certificate: None,
        agent_ca_pem,
    }
}

/// Admits a key that nobody has, in one transaction that ends with the use of the token.
async fn admit(
    deps: &AgentDeps,
    token: &EnrolmentToken,
    candidate: &Candidate,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let facts = &candidate.facts;
    store::lock_identities(&mut tx, token.org_id, &candidate.key_sha256, facts)
        .await
        .map_err(Problem::internal)?;
    if store::by_key(&mut *tx, &candidate.key_sha256).await.map_err(Problem::internal)?.is_some() {
        // The same agent called twice at once, and the other call was first.
        return Ok(());
    }
    let policy = enrolment::reenrolment_policy(&mut *tx, token.org_id).await?;
    let (collisions, mut others) = locked_collisions(&mut tx, token.org_id, facts).await?;
    match decide(&collisions, policy, token.auto_approve)? {
        Admission::New => add(&mut tx, deps, token, candidate, None, now).await?,
        Admission::Claim(other) => add(&mut tx, deps, token, candidate, Some(other), now).await?,
        Admission::Adopt(other) => {
            let target = others.iter().position(|agent| agent.id == other.agent_id).ok_or_else(absent)?;
            let target = others.swap_remove(target);
            take_over(&mut tx, deps, token, candidate, (&target, other, &collisions), now).await?;
        }
    }
    if !enrolment::consume_use(&mut tx, token.id, now).await? {
        return Err(not_admitted());
    }
    tx.commit().await.map_err(Problem::internal)
}

/// Hosts that share an identity with the machine, with their agents locked, so that none of them comes online or is
/// decided about while this one is.
async fn locked_collisions(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    facts: &MachineFacts,
) -> Result<(Vec<Collision>, Vec<KnownAgent>), Problem> {
    let seen = store::collisions(tx, org_id, None, facts).await.map_err(Problem::internal)?;
    if seen.is_empty() {
        return Ok((seen, Vec::new()));
    }
    let ids: Vec<&str> = seen.iter().map(|other| other.agent_id.as_str()).collect();
    let agents = store::lock_agents(tx, &ids).await.map_err(Problem::internal)?;
    let seen = store::collisions(tx, org_id, None, facts).await.map_err(Problem::internal)?;
    Ok((seen, agents))
}

/// Adds a pending agent with a host of its own, or with a claim on an existing one; approves it when the token says so.
async fn add(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    token: &EnrolmentToken,
    candidate: &Candidate,
    claimed: Option<&Collision>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let id = new_agent_id();
    let host_id = match claimed {
        Some(_) => None,
        None => Some(create_host(tx, token.org_id, &candidate.facts, now).await?),
    };
    let reason = claimed.map(|other| {
        let matched_on = other.matched_on.in_words();
        format!("wants to take over host {}, matched by {matched_on}", other.hostname)
    });
    let new = NewAgent {
        id: &id,
        org_id: token.org_id,
        host_id,
        claim: claimed.map(|other| (other.host_id, other.matched_on)),
        pending_reason: reason.as_deref(),
        token_id: token.id,
        candidate,
        tags: &merge_tags([token.tags.clone(), candidate.tags.clone()]),
    };
    store::insert(tx, &new, now).await.map_err(Problem::internal)?;
    let line = HistoryLine {
        agent_id: &id,
        status: "pending",
        actor_id: None,
        reason: &format!("registered with enrolment token {}", token.label),
    };
    add_history(tx, &line, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by(By::Agent(id.clone()), Some(token.org_id), "agent.registered", "agent")
        .on(&id)
        .summary(format!(
            "agent on {} registered with enrolment token {}",
            candidate.facts.hostname, token.label
        ))
        .change(
            None,
            Some(json!({
                "hostname": candidate.facts.hostname,
                "status": "pending",
                "key_fingerprint": key_fingerprint(&candidate.key_sha256),
                "enrolment_token_id": token.id,
                "claims_host_id": claimed.map(|other| other.host_id),
            })),
        );
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    announce(tx, token.org_id).await.map_err(Problem::internal)?;
    if token.auto_approve && claimed.is_none() {
        let agent =
            store::lock_agents(tx, &[&id]).await.map_err(Problem::internal)?.pop().ok_or_else(absent)?;
        approval::activate(tx, deps, &agent, &ApprovedBy::Token(&token.label), now).await?;
    }
    Ok(())
}

pub(super) async fn create_host(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    facts: &MachineFacts,
    now: DateTime<Utc>,
) -> Result<Uuid, Problem> {
    let host = NewHost { id: new_id(), org_id, identity: host_identity(facts), status: HostStatus::Pending };
    hosts::create(tx, &host, now).await?;
    Ok(host.id)
}

/// The facts as the hosts slice takes them.
pub(super) fn host_identity(facts: &MachineFacts) -> HostIdentity {
    HostIdentity {
        hostname: facts.hostname.clone(),
        os: facts.os.clone(),
        os_version: facts.os_version.clone(),
        arch: facts.arch.clone(),
        machine_id: facts.machine_id.clone(),
        ip_addresses: facts.ip_addresses.clone(),
        identity_ips: facts.identity_ips.clone(),
        agent_version: facts.agent_version.clone(),
    }
}

/// Gives the existing record to the new key at once (hosts 23).
async fn take_over(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    token: &EnrolmentToken,
    candidate: &Candidate,
    (target, other, collisions): (&KnownAgent, &Collision, &[Collision]),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let adoption = Adoption {
        public_key: &candidate.public_key,
        key_sha256: &candidate.key_sha256,
        facts: &facts_for(&candidate.facts, other, collisions),
        tags: &merge_tags([token.tags.clone(), candidate.tags.clone()]),
        token_id: Some(token.id),
        csr: candidate.csr.as_ref(),
        matched_on: other.matched_on,
    };
    let by = ApprovedBy::Token(&token.label);
    approval::adopt(tx, deps, target, &adoption, &by, now).await
}
