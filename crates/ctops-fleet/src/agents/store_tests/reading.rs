use ctops_base::PageRequest;

use super::*;
use crate::agents::store::reading::{count, find, history, page, stream_identity};

const ALL: PageRequest = PageRequest { page: 1, page_size: 200 };

#[tokio::test]
async fn page_count_and_find_agree_and_keep_organisations_apart() {
    let f = Fixture::new().await;
    for n in 0..25 {
        f.agent(named(&format!("h-{n}"))).await;
    }
    let stranger = Fixture::new().await;
    let mut seen = Vec::new();
    for number in 1..=4 {
        let request = PageRequest { page: number, page_size: 10 };
        seen.extend(
            page(f.db.pool(), &f.grant, None, request).await.unwrap().into_iter().map(|agent| agent.id),
        );
    }
    assert_eq!(seen.len(), 25);
    assert!(find(f.db.pool(), &f.grant, &seen[0]).await.unwrap().is_some());
    assert!(find(f.db.pool(), &stranger.grant, &seen[0]).await.unwrap().is_none());
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
    for (status, expected) in [(None, 25), (Some(AgentStatus::Pending), 25), (Some(AgentStatus::Active), 0)] {
        assert_eq!(count(f.db.pool(), &f.grant, status).await.unwrap(), expected);
        let rows = page(f.db.pool(), &f.grant, status, ALL).await.unwrap();
        assert_eq!(i64::try_from(rows.len()).unwrap(), expected);
    }
    assert_eq!(count(f.db.pool(), &stranger.grant, None).await.unwrap(), 0);
}

/// Spec: hosts 19
#[tokio::test]
async fn page_of_pending_agents_shows_the_claimed_host_before_any_other_match() {
    let f = Fixture::new().await;
    let owner = f.agent(named("web-1")).await;
    let twin = f.agent(MachineFacts { machine_id: Some("m".into()), ..named("twin") }).await;
    f.run("UPDATE agents SET status = 'offline' WHERE id = $1", &owner.id).await;
    f.run("UPDATE agents SET status = 'offline' WHERE id = $1", &twin.id).await;
    let claim = f
        .claim(MachineFacts { machine_id: Some("m".into()), ..named("web-1") }, owner.host_id.unwrap())
        .await;
    let rows = page(f.db.pool(), &f.grant, Some(AgentStatus::Pending), ALL).await.unwrap();
    assert_eq!(rows.len(), 1);
    let other = rows[0].collision.clone().unwrap();
    assert_eq!((other.host_id, other.matched_on), (owner.host_id.unwrap(), MatchedOn::Hostname));
    assert_eq!(rows[0].pending_reason.as_deref(), Some("wants to take over a host"));
    let rest = page(f.db.pool(), &f.grant, None, ALL).await.unwrap();
    assert!(
        rest.iter().all(|agent| agent.id == claim.id || agent.collision.is_none()),
        "only pending ones collide"
    );
}

#[tokio::test]
async fn history_continues_after_a_line_and_belongs_to_one_organisation() {
    let f = Fixture::new().await;
    let agent = f.agent(named("web-1")).await;
    let mut tx = f.begin().await;
    for reason in ["one", "two", "three"] {
        // All at the same moment: the number decides.
        let line = HistoryLine { agent_id: &agent.id, status: "active", actor_id: Some(f.user), reason };
        add_history(&mut tx, &line, start_time()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let first = history(f.db.pool(), &f.grant, &agent.id, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|entry| entry.reason.as_str()).collect::<Vec<_>>(), ["three", "two"]);
    assert_eq!(first[0].actor.as_ref().unwrap().0, f.user);
    let rest = history(f.db.pool(), &f.grant, &agent.id, Some((first[1].at, first[1].id)), 2).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.reason.as_str()).collect::<Vec<_>>(), ["one"]);
    let stranger = Fixture::new().await;
    assert!(history(f.db.pool(), &stranger.grant, &agent.id, None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn stream_identity_of_a_claim_has_no_host_and_of_a_deleted_agent_is_none() {
    let f = Fixture::new().await;
    let owner = f.agent(named("web-1")).await;
    let claim = f.claim(named("web-1"), owner.host_id.unwrap()).await;
    let stream = stream_identity(f.db.pool(), &owner.id).await.unwrap().unwrap();
    assert_eq!((stream.host_id, stream.org_id, stream.status), (owner.host_id, f.org, AgentStatus::Pending));
    assert_eq!(stream_identity(f.db.pool(), &claim.id).await.unwrap().unwrap().host_id, None);
    f.run("UPDATE agents SET deleted_at = now() WHERE id = $1", &claim.id).await;
    assert_eq!(stream_identity(f.db.pool(), &claim.id).await.unwrap(), None);
}
