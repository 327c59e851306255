use std::time::Duration;

use chrono::TimeDelta;
use ctops_testkit::wait_for;

use super::*;
use crate::agents::store::leases::{
    Lease, StreamLine, add_lines, add_node, delete_leases, give_up_nodes, lock_states, lost_leases,
    prolong_node, put_leases, set_statuses, shorten_node, try_lead,
};

#[tokio::test]
async fn leases_when_put_are_read_back_replaced_and_deleted() {
    let f = Fixture::new().await;
    let (a, b) = (f.agent(named("a")).await, f.agent(named("b")).await);
    let claim = f.claim(named("c"), a.host_id.unwrap()).await;
    let ids = [a.id.as_str(), b.id.as_str(), claim.id.as_str()];
    let lease =
        Lease { session_id: new_id(), node_id: new_id(), began_at: start_time(), interval_seconds: 30 };
    let mut tx = f.begin().await;
    let states = lock_states(&mut tx, &ids).await.unwrap();
    assert_eq!(states.len(), 2, "a claim has no host and no stream");
    assert!(states.iter().all(|state| state.lease.is_none() && state.org_id == f.org));
    put_leases(&mut tx, &[(&states[0], lease), (&states[1], lease)]).await.unwrap();
    let newer = Lease { session_id: new_id(), interval_seconds: 5, ..lease };
    put_leases(&mut tx, &[(&states[0], newer)]).await.unwrap();
    let held: Vec<_> =
        lock_states(&mut tx, &ids).await.unwrap().into_iter().map(|state| state.lease).collect();
    assert_eq!(held, [Some(newer), Some(lease)]);
    delete_leases(&mut tx, &[&states[0].agent_id]).await.unwrap();
    let held: Vec<_> =
        lock_states(&mut tx, &ids).await.unwrap().into_iter().map(|state| state.lease).collect();
    assert_eq!(held, [None, Some(lease)]);
}

/// Spec: hosts 4
#[tokio::test]
async fn lock_states_when_it_waited_for_another_transaction_sees_the_lease_that_one_put() {
    let f = Fixture::new().await;
    let agent = f.agent(named("a")).await;
    let older =
        Lease { session_id: new_id(), node_id: new_id(), began_at: start_time(), interval_seconds: 30 };
    let newer = Lease { session_id: new_id(), node_id: new_id(), ..older };
    let mut tx = f.begin().await;
    let states = lock_states(&mut tx, &[&agent.id]).await.unwrap();
    put_leases(&mut tx, &[(&states[0], older)]).await.unwrap();
    tx.commit().await.unwrap();

    let mut writer = f.begin().await;
    let states = lock_states(&mut writer, &[&agent.id]).await.unwrap();
    put_leases(&mut writer, &[(&states[0], newer)]).await.unwrap();
    let (mut sweeper, id) = (f.begin().await, agent.id.clone());
    let waiting = tokio::spawn(async move { lock_states(&mut sweeper, &[&id]).await });
    wait_for(Duration::from_secs(20), || async {
        let waits: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(f.db.pool())
        .await
        .unwrap();
        waits.then_some(())
    })
    .await;
    writer.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap()[0].lease, Some(newer));
}

/// Spec: hosts 6
#[tokio::test]
async fn set_statuses_never_touches_agents_that_are_not_approved() {
    let f = Fixture::new().await;
    let (active, pending, revoked) =
        (f.agent(named("a")).await, f.agent(named("b")).await, f.agent(named("c")).await);
    f.run("UPDATE agents SET status = 'active' WHERE id = $1", &active.id).await;
    f.run("UPDATE agents SET status = 'revoked' WHERE id = $1", &revoked.id).await;
    let mut tx = f.begin().await;
    let all = [
        (active.id.as_str(), AgentStatus::Offline),
        (pending.id.as_str(), AgentStatus::Active),
        (revoked.id.as_str(), AgentStatus::Active),
    ];
    set_statuses(&mut tx, &all).await.unwrap();
    let lines = [
        StreamLine {
            agent_id: active.id.clone(),
            status: AgentStatus::Offline,
            reason: "closed",
            at: start_time(),
        },
        StreamLine {
            agent_id: active.id.clone(),
            status: AgentStatus::Active,
            reason: "connected",
            at: start_time(),
        },
    ];
    add_lines(&mut tx, &lines).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.status(&active.id).await, AgentStatus::Offline);
    assert_eq!(f.status(&pending.id).await, AgentStatus::Pending);
    assert_eq!(f.status(&revoked.id).await, AgentStatus::Revoked);
    let reasons: Vec<String> = sqlx::query_scalar("SELECT reason FROM agent_status_history ORDER BY id")
        .fetch_all(f.db.pool())
        .await
        .unwrap();
    assert_eq!(reasons, ["closed", "connected"], "in their order");
}

/// Spec: hosts 2
#[tokio::test]
async fn nodes_when_given_up_lose_their_leases_and_find_out() {
    let f = Fixture::new().await;
    let (dead, alive) = (new_id(), new_id());
    let (now, pool) = (start_time(), f.db.pool());
    add_node(pool, dead, "dead", now, now + TimeDelta::seconds(1)).await.unwrap();
    add_node(pool, alive, "alive", now, now + TimeDelta::seconds(60)).await.unwrap();
    let (a, b) = (f.agent(named("a")).await, f.agent(named("b")).await);
    let mut tx = f.begin().await;
    let states = lock_states(&mut tx, &[&a.id, &b.id]).await.unwrap();
    for (state, node_id) in states.iter().zip([dead, alive]) {
        let lease = Lease { session_id: new_id(), node_id, began_at: now, interval_seconds: 30 };
        put_leases(&mut tx, &[(state, lease)]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = f.begin().await;
    assert!(try_lead(&mut tx, 7).await.unwrap());
    let mut second = f.begin().await;
    assert!(!try_lead(&mut second, 7).await.unwrap(), "one leader");
    assert!(lost_leases(&mut tx, 10).await.unwrap().is_empty());
    assert_eq!(give_up_nodes(&mut tx, now + TimeDelta::seconds(1)).await.unwrap(), 0, "at its very end");
    assert_eq!(give_up_nodes(&mut tx, now + TimeDelta::seconds(2)).await.unwrap(), 1);
    let lost = lost_leases(&mut tx, 10).await.unwrap();
    assert_eq!(lost.iter().map(|(_, _, node)| *node).collect::<Vec<_>>(), [dead]);
    tx.commit().await.unwrap();
    assert_eq!(prolong_node(pool, dead, now, (now, now)).await.unwrap(), None);
    let until = now + TimeDelta::seconds(90);
    assert_eq!(prolong_node(pool, alive, until, (now, now)).await.unwrap(), Some(Vec::new()));
    for (until, left) in [(100, 90), (10, 10)] {
        shorten_node(pool, alive, now + TimeDelta::seconds(until)).await.unwrap();
        let end: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("SELECT lease_until FROM ingest_nodes").fetch_one(pool).await.unwrap();
        assert_eq!(end, now + TimeDelta::seconds(left));
    }
}
