//! Approval, by a person or by the token, and adoption: both paths use the same functions (agents-enrolment 14).

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_pg::Tx;
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent, By as AuditBy};
use ctops_slice::licence::HOST_LIMIT_REACHED;
use serde_json::json;
use uuid::Uuid;

use super::admission::facts_for;
use super::registration::{create_host, host_identity};
use super::{absent, certificates};
use crate::agents::AGENTS_APPROVE;
use crate::agents::identity::{MachineFacts, Proven, key_fingerprint, prove};
use crate::agents::model::{AgentDeps, AgentSignal, AgentStatus, MatchedOn};
use crate::agents::store::decisions::{self, DecisionHead};
use crate::agents::store::registration::{self as registration, Collision, KnownAgent, NewKey};
use crate::agents::store::{HistoryLine, add_history, announce, signal};
use crate::enrolment::Tag;
use crate::hosts::{self, HostStatus};

/// Who approves.
pub(super) enum By<'a> {
    /// A person.
    Person(&'a Actor),
    /// A token that needs nobody, by its label.
    Token(&'a str),
}

impl By<'_> {
    fn user_id(&self) -> Option<Uuid> {
        match self {
            By::Person(actor) => Some(actor.user_id),
            By::Token(_) => None,
        }
    }

    fn reason(&self, done: &str) -> String {
        match self {
            By::Person(_) => done.to_owned(),
            By::Token(label) => format!("{done} by enrolment token {label}"),
        }
    }

    fn event(&self, org_id: Uuid, action: &'static str) -> AuditEvent {
        match self {
            By::Person(actor) => AuditEvent::by_actor(actor, action, "agent"),
            By::Token(label) => AuditEvent::by(AuditBy::System, Some(org_id), action, "agent")
                .because(format!("enrolment token {label}")),
        }
    }
}

/// What an adoption gives to the existing record.
pub(super) struct Adoption<'a> {
    pub(super) public_key: &'a str,
    pub(super) key_sha256: &'a [u8],
    pub(super) facts: &'a MachineFacts,
    pub(super) tags: &'a [Tag],
    pub(super) token_id: Option<Uuid>,
    pub(super) csr: Option<&'a Proven>,
    pub(super) matched_on: MatchedOn,
}

/// Approves a pending agent. Returns the id of the agent that is active now: for a claim, the one of the host it took
/// over.
///
/// # Errors
/// `forbidden` without `agents.approve`; `not_found`; `wrong_state` unless it is pending; `conflict` naming the host when
/// one that is online has the same identity, or the claimed one's agent was revoked (hosts 25); `host_limit_reached` when
/// the licence has no seat left (agents-enrolment 15); `internal`.
pub async fn approve_agent(deps: &AgentDeps, actor: &Actor, agent_id: &str) -> Result<String, Problem> {
    let grant = actor.grant(&AGENTS_APPROVE)?;
    let now = deps.clock.now();
    let head = decisions::find_for_decision(&deps.pool, &grant, agent_id).await.map_err(Problem::internal)?;
    let head = head.ok_or_else(absent)?;
    let by = By::Person(actor);
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let outcome = approve_pending(&mut tx, deps, &head, &by, now).await;
    let Err(problem) = &outcome else {
        tx.commit().await.map_err(Problem::internal)?;
        tracing::info!(agent.id = outcome.as_deref().unwrap_or_default(), "agent was approved");
        return outcome;
    };
    tx.rollback().await.map_err(Problem::internal)?;
    if problem.code() == HOST_LIMIT_REACHED {
        let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
        note_blocked(&mut tx, actor.org_id, &by, problem, now).await?;
        tx.commit().await.map_err(Problem::internal)?;
    }
    outcome
}

/// Writes down that an approval was refused because all seats are taken.
async fn note_blocked(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    by: &By<'_>,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let event = match by {
        By::Person(actor) => AuditEvent::by_actor(actor, "licence.cap_blocked", "organisation"),
        By::Token(label) => {
            AuditEvent::by(AuditBy::System, Some(org_id), "licence.cap_blocked", "organisation")
                .because(format!("enrolment token {label}"))
        }
    };
    let event = event.on(org_id).summary(format!("an approval was refused: {}", problem.detail()));
    audit::append(tx, &event.denied(HOST_LIMIT_REACHED), now).await.map_err(Problem::internal)
}

/// Approves the agent in the caller's transaction.
async fn approve_pending(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    head: &DecisionHead,
    by: &By<'_>,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let ids: Vec<&str> =
        [Some(head.id.as_str()), head.claimed_agent_id.as_deref()].into_iter().flatten().collect();
    let mut locked = registration::lock_agents(tx, &ids).await.map_err(Problem::internal)?;
    let own = locked.iter().position(|agent| agent.id == head.id).ok_or_else(absent)?;
    let agent = locked.swap_remove(own);
    if agent.status != AgentStatus::Pending {
        let status = agent.status.as_str();
        return Err(Problem::wrong_state(format!(
            "only pending agents can be approved, this one is {status}"
        )));
    }
    let collisions = registration::collisions(tx, agent.org_id, agent.host_id, &agent.facts)
        .await
        .map_err(Problem::internal)?;
    refuse_online(&collisions)?;
    match (agent.claim, locked.pop()) {
        (Some((host_id, matched_on)), Some(target)) => {
            merge(tx, deps, (&agent, &target), (host_id, matched_on), &collisions, by, now).await?;
            Ok(target.id)
        }
        (Some(_), None) => {
            // The claimed host was deleted meanwhile, so this machine is a new one.
            let host_id = create_host(tx, agent.org_id, &agent.facts, now).await?;
            decisions::attach_host(tx, &agent.id, host_id).await.map_err(Problem::internal)?;
            activate(tx, deps, &KnownAgent { host_id: Some(host_id), ..agent.clone() }, by, now).await?;
            Ok(agent.id)
        }
        (None, _) => {
            activate(tx, deps, &agent, by, now).await?;
            Ok(agent.id)
        }
    }
}

/// An online host with the same identity forbids an approval.
fn refuse_online(collisions: &[Collision]) -> Result<(), Problem> {
    match collisions.iter().find(|other| other.host_status == HostStatus::Online) {
        Some(other) => Err(Problem::conflict(format!(
            "host {} is online and has the same {}",
            other.hostname,
            other.matched_on.in_words()
        ))),
        None => Ok(()),
    }
}

/// Makes a locked, pending agent with a host active, and signs the request that waits. When all seats of the licence are
/// taken, an agent whose token approves by itself stays pending with that reason (licensing 13).
///
/// # Errors
/// `host_limit_reached` for people; `internal`.
pub(super) async fn activate(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    agent: &KnownAgent,
    by: &By<'_>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    match (deps.entitlements.take_seat(tx, agent.org_id).await, by) {
        (Err(problem), By::Token(_)) if problem.code() == HOST_LIMIT_REACHED => {
            note_blocked(tx, agent.org_id, by, &problem, now).await?;
            let reason = problem.detail();
            return decisions::set_pending_reason(tx, &agent.id, reason).await.map_err(Problem::internal);
        }
        (outcome, _) => outcome?,
    }
    decisions::activate(tx, &agent.id, by.user_id(), now).await.map_err(Problem::internal)?;
    let line = HistoryLine {
        agent_id: &agent.id,
        status: "active",
        actor_id: by.user_id(),
        reason: &by.reason("approved"),
    };
    add_history(tx, &line, now).await.map_err(Problem::internal)?;
    let event = by
        .event(agent.org_id, "agent.approved")
        .on(&agent.id)
        .summary(format!("{} the agent on {}", by.reason("approved"), agent.facts.hostname))
        .change(
            Some(json!({"status": "pending"})),
            Some(json!({"status": "active", "key_fingerprint": key_fingerprint(&agent.key_sha256)})),
        );
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    if let Some(der) = &agent.pending_csr
        && let Some(proven) = prove(der, &agent.public_key)?
    {
        certificates::issue(tx, &deps.trust, &agent.id, &proven.csr, now).await?;
    }
    if let Some(host_id) = agent.host_id {
        hosts::set_status(tx, &[host_id], HostStatus::Unknown, now).await?;
    }
    signal(tx, &AgentSignal::Approved(agent.id.clone())).await.map_err(Problem::internal)?;
    announce(tx, agent.org_id).await.map_err(Problem::internal)
}

/// Gives a host's locked record to another key: id, host and approval stay, the old certificates end (hosts 23).
pub(super) async fn adopt(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    target: &KnownAgent,
    new: &Adoption<'_>,
    by: &By<'_>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let host_id = target.host_id.ok_or_else(absent)?;
    decisions::revoke_certificates(tx, &target.id, "adopted", now).await.map_err(Problem::internal)?;
    let key = NewKey {
        public_key: new.public_key,
        key_sha256: new.key_sha256,
        facts: new.facts,
        tags: new.tags,
        token_id: new.token_id,
        pending_csr: new.csr.map(|proven| proven.der.as_slice()),
    };
    registration::replace_key(tx, &target.id, &key).await.map_err(Problem::internal)?;
    hosts::reidentify(tx, host_id, &host_identity(new.facts), now).await?;
    let (old_key, new_key) = (key_fingerprint(&target.key_sha256), key_fingerprint(new.key_sha256));
    let matched_on = new.matched_on.in_words();
    let line = HistoryLine {
        agent_id: &target.id,
        status: "adopted",
        actor_id: by.user_id(),
        reason: &format!("matched by {matched_on}; key {old_key} was replaced by {new_key}"),
    };
    add_history(tx, &line, now).await.map_err(Problem::internal)?;
    let event = by
        .event(target.org_id, "agent.adopted")
        .on(&target.id)
        .summary(format!("a new key took over host {}, matched by {matched_on}", new.facts.hostname))
        .change(Some(json!({"key_fingerprint": old_key})), Some(json!({"key_fingerprint": new_key})));
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    announce(tx, target.org_id).await.map_err(Problem::internal)?;
    if target.status == AgentStatus::Pending {
        let renamed = KnownAgent {
            public_key: new.public_key.to_owned(),
            key_sha256: new.key_sha256.to_vec(),
            facts: new.facts.clone(),
            pending_csr: new.csr.map(|proven| proven.der.clone()),
            ..target.clone()
        };
        return activate(tx, deps, &renamed, by, now).await;
    }
    match new.csr {
        Some(proven) => certificates::issue(tx, &deps.trust, &target.id, &proven.csr, now).await.map(drop),
        None => Ok(()),
    }
}

/// Carries an approved claim out: the claimed host's record gets the claim's key, and the claim is gone.
async fn merge(
    tx: &mut Tx<'_>,
    deps: &AgentDeps,
    (claim, target): (&KnownAgent, &KnownAgent),
    (host_id, matched_on): (Uuid, MatchedOn),
    collisions: &[Collision],
    by: &By<'_>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if target.status == AgentStatus::Revoked {
        let detail = "the agent of the host it wants to take over was revoked; delete that host first";
        return Err(Problem::conflict(detail));
    }
    // The claimed host need not collide any more, for example after its machine was renamed.
    let facts = match collisions.iter().find(|other| other.host_id == host_id) {
        Some(chosen) => facts_for(&claim.facts, chosen, collisions),
        None => MachineFacts { hostname: target.facts.hostname.clone(), ..claim.facts.clone() },
    };
    let csr = match &claim.pending_csr {
        Some(der) => prove(der, &claim.public_key)?,
        None => None,
    };
    decisions::remove_claim(tx, &claim.id, now).await.map_err(Problem::internal)?;
    let adoption = Adoption {
        public_key: &claim.public_key,
        key_sha256: &claim.key_sha256,
        facts: &facts,
        tags: &claim.tags,
        token_id: claim.token_id,
        csr: csr.as_ref(),
        matched_on,
    };
    adopt(tx, deps, target, &adoption, by, now).await?;
    signal(tx, &AgentSignal::Approved(claim.id.clone())).await.map_err(Problem::internal)
}
