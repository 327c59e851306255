#![allow(clippy::unwrap_used, clippy::expect_used)]

mod decisions;
mod leases;
mod reading;
mod registration;

use std::net::IpAddr;

use ctops_base::Role;
use ctops_base::id::{new_agent_id, new_id};
use ctops_pg::Tx;
use ctops_slice::{Actor, Credential, Grant};
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::AGENTS_APPROVE;
use super::identity::{Candidate, MachineFacts};
use super::model::{AgentStatus, MatchedOn};
use super::store::registration::{KnownAgent, NewAgent, by_key, insert};
use super::store::{HistoryLine, add_history, announce, set_versions, signal, trust};
use crate::hosts::{self, HostIdentity, HostStatus, NewHost};

/// One organisation with a token and an administrator.
struct Fixture {
    db: TestDb,
    org: Uuid,
    token: Uuid,
    user: Uuid,
    grant: Grant,
}

impl Fixture {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let user = a_user(db.pool(), org, &[Role::OrgAdmin]).await;
        let token = new_id();
        sqlx::query(
            "INSERT INTO agent_enrolment_tokens (id, org_id, label, token_hash, hint_prefix, hint_suffix, created_at)
             VALUES ($1, $2, 'test', sha256(convert_to($1::text, 'UTF8')), 'tok_abcd', 'wxyz', $3)",
        )
        .bind(token)
        .bind(org)
        .bind(start_time())
        .execute(db.pool())
        .await
        .unwrap();
        let credential = Credential::session(Uuid::nil(), start_time());
        let ip = IpAddr::from([127, 0, 0, 1]);
        let actor = Actor::with_roles((user, org), credential, [Role::OrgAdmin], ip);
        Self { grant: actor.grant(&AGENTS_APPROVE).unwrap(), db, org, token, user }
    }

    async fn begin(&self) -> Tx<'static> {
        self.db.pool().begin().await.unwrap()
    }

    /// A pending agent with a host of its own.
    async fn agent(&self, facts: MachineFacts) -> KnownAgent {
        let host_id = new_id();
        let identity = HostIdentity {
            hostname: facts.hostname.clone(),
            machine_id: facts.machine_id.clone(),
            identity_ips: facts.identity_ips.clone(),
            ..HostIdentity::default()
        };
        let host = NewHost { id: host_id, org_id: self.org, identity, status: HostStatus::Pending };
        let mut tx = self.begin().await;
        hosts::create(&mut tx, &host, start_time()).await.unwrap();
        let agent = self.insert(&mut tx, facts, Some(host_id), None).await;
        tx.commit().await.unwrap();
        agent
    }

    /// A pending agent that claims a host.
    async fn claim(&self, facts: MachineFacts, host_id: Uuid) -> KnownAgent {
        let mut tx = self.begin().await;
        let agent = self.insert(&mut tx, facts, None, Some((host_id, MatchedOn::Hostname))).await;
        tx.commit().await.unwrap();
        agent
    }

    async fn insert(
        &self,
        tx: &mut Tx<'_>,
        facts: MachineFacts,
        host_id: Option<Uuid>,
        claim: Option<(Uuid, MatchedOn)>,
    ) -> KnownAgent {
        let id = new_agent_id();
        let candidate = Candidate {
            public_key: format!("key of {id}"),
            key_sha256: ctops_crypto::secret::sha256(id.as_bytes()),
            facts,
            tags: Vec::new(),
            csr: None,
        };
        let new = NewAgent {
            id: &id,
            org_id: self.org,
            host_id,
            claim,
            pending_reason: claim.map(|_| "wants to take over a host"),
            token_id: self.token,
            candidate: &candidate,
            tags: &[],
        };
        insert(tx, &new, start_time()).await.unwrap();
        by_key(&mut **tx, &candidate.key_sha256).await.unwrap().unwrap()
    }

    async fn run(&self, sql: &'static str, id: &str) {
        sqlx::query(sql).bind(id).execute(self.db.pool()).await.unwrap();
    }

    async fn status(&self, agent_id: &str) -> AgentStatus {
        let name: String = sqlx::query_scalar("SELECT status FROM agents WHERE id = $1")
            .bind(agent_id)
            .fetch_one(self.db.pool())
            .await
            .unwrap();
        AgentStatus::from_name(&name).unwrap()
    }
}

fn named(hostname: &str) -> MachineFacts {
    MachineFacts { hostname: hostname.into(), ..MachineFacts::default() }
}

#[tokio::test]
async fn add_history_set_versions_signal_and_announce_write_what_they_are_told() {
    let f = Fixture::new().await;
    let (one, two) = (f.agent(named("a")).await, f.agent(named("b")).await);
    let mut tx = f.begin().await;
    let line = HistoryLine { agent_id: &one.id, status: "adopted", actor_id: Some(f.user), reason: "why" };
    add_history(&mut tx, &line, start_time()).await.unwrap();
    set_versions(&mut tx, &[two.id.clone(), one.id.clone()], &["2.0".into(), "1.0".into()]).await.unwrap();
    signal(&mut tx, &super::AgentSignal::Approved(one.id.clone())).await.unwrap();
    announce(&mut tx, f.org).await.unwrap();
    tx.commit().await.unwrap();
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT hostname, version FROM agents ORDER BY hostname")
            .fetch_all(f.db.pool())
            .await
            .unwrap();
    assert_eq!(rows, [("a".into(), Some("1.0".into())), ("b".into(), Some("2.0".into()))]);
    let lines: i64 = sqlx::query_scalar("SELECT count(*) FROM agent_status_history WHERE status = 'adopted'")
        .fetch_one(f.db.pool())
        .await
        .unwrap();
    assert_eq!(lines, 1);
}

#[tokio::test]
async fn trust_material_when_stored_is_read_back_and_only_one_authority_per_purpose_is_active() {
    let f = Fixture::new().await;
    let mut tx = f.begin().await;
    trust::lock(&mut tx, 1).await.unwrap();
    assert_eq!(trust::sealed_secret(&mut tx, "x").await.unwrap(), None);
    trust::insert_secret(&mut tx, "x", b"sealed", start_time()).await.unwrap();
    assert_eq!(trust::sealed_secret(&mut tx, "x").await.unwrap().as_deref(), Some(&b"sealed"[..]));
    let new = trust::NewAuthority {
        id: new_id(),
        purpose: "agent_ca",
        cert_pem: "pem",
        key_sealed: b"key",
        fingerprint: &"ab".repeat(32),
        not_before: start_time(),
        not_after: start_time(),
    };
    trust::insert_authority(&mut tx, &new, start_time()).await.unwrap();
    let known = trust::authorities(&mut tx, start_time()).await.unwrap();
    assert_eq!((known.len(), known[0].id, known[0].is_active), (1, new.id, true));
    let second = trust::NewAuthority { id: new_id(), fingerprint: &"cd".repeat(32), ..new };
    assert!(trust::insert_authority(&mut tx, &second, start_time()).await.is_err());
}
