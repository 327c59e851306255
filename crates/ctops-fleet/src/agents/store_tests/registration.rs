use super::*;
use crate::agents::store::registration::{
    NewKey, collisions, keep_csr, key_of, lock_agents, lock_identities, replace_key,
};

#[tokio::test]
async fn insert_then_by_key_gives_the_same_agent_until_it_is_deleted() {
    let f = Fixture::new().await;
    let agent = f.agent(MachineFacts { machine_id: Some("m".into()), ..named("web-1") }).await;
    assert_eq!((agent.status, agent.org_id, agent.token_id), (AgentStatus::Pending, f.org, Some(f.token)));
    assert_eq!(agent.facts.machine_id.as_deref(), Some("m"));
    assert!(agent.claim.is_none() && agent.certificate.is_none() && !agent.certificate_is_revoked);
    let key = key_of(f.db.pool(), &agent.id).await.unwrap().unwrap();
    assert_eq!(key, agent.key_sha256);
    f.run("UPDATE agents SET deleted_at = now() WHERE id = $1", &agent.id).await;
    assert!(by_key(f.db.pool(), &key).await.unwrap().is_none());
    assert!(key_of(f.db.pool(), &agent.id).await.unwrap().is_some(), "its key is still known");
}

#[tokio::test]
async fn insert_of_a_second_live_agent_with_the_same_key_fails() {
    let f = Fixture::new().await;
    let agent = f.agent(named("web-1")).await;
    let failed = sqlx::query(
        "INSERT INTO agents (id, org_id, hostname, public_key, public_key_sha256, status, registered_at)
         SELECT $1, org_id, 'other', public_key, public_key_sha256, 'pending', registered_at FROM agents WHERE id = $2",
    )
    .bind(new_agent_id())
    .bind(&agent.id)
    .execute(f.db.pool())
    .await;
    assert!(failed.unwrap_err().as_database_error().unwrap().is_unique_violation());
}

/// Spec: hosts 20
#[tokio::test]
async fn collisions_when_several_hosts_match_come_surest_first_and_never_from_outside() {
    let f = Fixture::new().await;
    let by_address = f
        .agent(MachineFacts { identity_ips: vec!["10.0.0.7".into(), "10.0.0.8".into()], ..named("a") })
        .await;
    let by_name = f.agent(named("WEB-1")).await;
    let by_machine = f.agent(MachineFacts { machine_id: Some("m".into()), ..named("c") }).await;
    f.agent(named("unrelated")).await;
    let gone = f.agent(MachineFacts { machine_id: Some("m".into()), ..named("gone") }).await;
    let facts = MachineFacts {
        machine_id: Some("m".into()),
        identity_ips: vec!["10.0.0.7".into(), "10.0.0.9".into()],
        ..named("web-1")
    };
    let mut tx = f.begin().await;
    hosts::soft_delete(&mut tx, gone.host_id.unwrap(), None, start_time()).await.unwrap();
    lock_identities(&mut tx, f.org, b"key", &facts).await.unwrap();
    let found = collisions(&mut tx, f.org, None, &facts).await.unwrap();
    let order: Vec<_> = found.iter().map(|other| (other.agent_id.clone(), other.matched_on)).collect();
    assert_eq!(
        order,
        [
            (by_machine.id, MatchedOn::MachineId),
            (by_name.id, MatchedOn::Hostname),
            (by_address.id, MatchedOn::Address)
        ]
    );
    assert_eq!(found[2].shared_ips, ["10.0.0.7"]);
    assert_eq!((found[0].host_status, found[0].agent_status), (HostStatus::Pending, AgentStatus::Pending));
    let own = collisions(&mut tx, f.org, by_machine.host_id, &facts).await.unwrap();
    assert_eq!(own.len(), 2, "a host does not collide with itself");
    assert!(collisions(&mut tx, Uuid::nil(), None, &facts).await.unwrap().is_empty(), "another organisation");
    let nameless = collisions(&mut tx, f.org, None, &named("unknown")).await.unwrap();
    assert!(nameless.is_empty(), "no machine id, no name, no address: nothing in common with anybody");
}

#[tokio::test]
async fn collisions_among_many_hosts_use_the_indexes() {
    let f = Fixture::new().await;
    sqlx::query(
        "INSERT INTO hosts (id, org_id, hostname, machine_id, identity_ips, created_at, updated_at)
         SELECT gen_random_uuid(), $1, 'h-' || n, 'm-' || n, ARRAY['10.1.' || n / 250 || '.' || n % 250], $2, $2
         FROM generate_series(1, 5000) AS n",
    )
    .bind(f.org)
    .bind(start_time())
    .execute(f.db.pool())
    .await
    .unwrap();
    sqlx::query("ANALYZE hosts").execute(f.db.pool()).await.unwrap();
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT h.id FROM hosts h
         WHERE h.org_id = (SELECT id FROM organisations LIMIT 1)
           AND h.deleted_at IS NULL
           AND (h.machine_id = 'm-7' OR lower(h.hostname) = lower('h-9') OR h.identity_ips && ARRAY['10.1.0.3'])",
    )
    .fetch_all(f.db.pool())
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("hosts_machine_id_idx") && plan.contains("hosts_identity_ips_idx"), "{plan}");
    assert!(!plan.contains("Seq Scan on hosts"), "{plan}");
}

#[tokio::test]
async fn lock_identities_when_held_makes_the_same_identity_wait_and_no_other() {
    let f = Fixture::new().await;
    let mut first = f.begin().await;
    lock_identities(&mut first, f.org, b"key-1", &named("Web-1")).await.unwrap();
    let mut other = f.begin().await;
    lock_identities(&mut other, f.org, b"key-2", &named("web-2")).await.unwrap();
    sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *other).await.unwrap();
    assert!(lock_identities(&mut other, f.org, b"key-2", &named("WEB-1")).await.is_err());
}

#[tokio::test]
async fn lock_agents_gives_live_ones_in_the_order_of_their_ids() {
    let f = Fixture::new().await;
    let (a, b, gone) = (f.agent(named("a")).await, f.agent(named("b")).await, f.agent(named("c")).await);
    f.run("UPDATE agents SET deleted_at = now() WHERE id = $1", &gone.id).await;
    let mut tx = f.begin().await;
    let locked = lock_agents(&mut tx, &[&b.id, &gone.id, &a.id, "zzz"]).await.unwrap();
    let mut expected = vec![a.id, b.id];
    expected.sort();
    assert_eq!(locked.into_iter().map(|agent| agent.id).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn keep_csr_keeps_the_first_request_of_a_pending_agent() {
    let f = Fixture::new().await;
    let agent = f.agent(named("a")).await;
    keep_csr(f.db.pool(), &agent.id, b"one").await.unwrap();
    keep_csr(f.db.pool(), &agent.id, b"two").await.unwrap();
    let kept = by_key(f.db.pool(), &agent.key_sha256).await.unwrap().unwrap().pending_csr;
    assert_eq!(kept.as_deref(), Some(&b"one"[..]));
}

#[tokio::test]
async fn replace_key_keeps_id_host_and_machine_and_drops_the_certificate() {
    let f = Fixture::new().await;
    let agent = f.agent(MachineFacts { machine_id: Some("m".into()), ..named("a") }).await;
    f.run(
        "UPDATE agents SET client_cert_pem = 'p', client_cert_serial = 'aa', client_cert_not_after = now() WHERE id = $1",
        &agent.id,
    )
    .await;
    let mut tx = f.begin().await;
    let new = NewKey {
        public_key: "new key",
        key_sha256: &[7; 32],
        facts: &named("renamed"),
        tags: &[],
        token_id: None,
        pending_csr: Some(b"csr"),
    };
    replace_key(&mut tx, &agent.id, &new).await.unwrap();
    tx.commit().await.unwrap();
    let after = by_key(f.db.pool(), &[7; 32]).await.unwrap().unwrap();
    assert_eq!((&after.id, after.host_id, after.status), (&agent.id, agent.host_id, agent.status));
    assert_eq!(after.facts.machine_id.as_deref(), Some("m"), "an agent that sends none does not erase it");
    assert_eq!((after.facts.hostname.as_str(), after.certificate), ("renamed", None));
    assert!(by_key(f.db.pool(), &agent.key_sha256).await.unwrap().is_none());
}
