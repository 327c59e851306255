#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const AGENT: &str = "aaaaaaaaaaaaaaaaaaaaaaaa";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn state(status: AgentStatus, session: Option<u128>) -> LeaseState {
    LeaseState {
        agent_id: AGENT.into(),
        org_id: Uuid::from_u128(1),
        host_id: Uuid::from_u128(2),
        status,
        lease: session.map(|session| Lease {
            session_id: Uuid::from_u128(session),
            node_id: Uuid::from_u128(9),
            began_at: at(0),
            interval_seconds: 30,
        }),
    }
}

fn began(session: u128) -> LeaseChange {
    change(session, LeaseEvent::Began { interval_seconds: 30 })
}

fn ended(session: u128, end: LeaseEnd) -> LeaseChange {
    change(session, LeaseEvent::Ended(end))
}

fn change(session: u128, event: LeaseEvent) -> LeaseChange {
    LeaseChange {
        agent_id: AGENT.into(),
        session_id: Uuid::from_u128(session),
        node_id: Uuid::from_u128(9),
        event,
        at: at(i64::try_from(session).unwrap()),
    }
}

/// Status after, session of the lease after, whether the host is told online, and the reasons in the history.
fn outcome(
    before: LeaseState,
    changes: &[LeaseChange],
) -> (AgentStatus, Option<u128>, Option<bool>, Vec<&'static str>) {
    let outcome = fold(vec![before], changes);
    let agent = &outcome.agents[0];
    (
        agent.after.status,
        agent.after.lease.map(|lease| lease.session_id.as_u128()),
        outcome.hosts().first().map(|host| host.online),
        outcome.lines.iter().map(|line| line.reason).collect(),
    )
}

/// Spec: hosts 1, 3
#[test]
fn fold_when_a_stream_begins_and_ends_follows_it() {
    use AgentStatus::{Active, Offline};
    assert_eq!(outcome(state(Offline, None), &[began(5)]), (Active, Some(5), Some(true), vec!["connected"]));
    assert_eq!(
        outcome(state(Active, None), &[began(5)]),
        (Active, Some(5), Some(true), vec![]),
        "first contact"
    );
    assert_eq!(
        outcome(state(Active, Some(5)), &[ended(5, LeaseEnd::Closed)]),
        (Offline, None, Some(false), vec!["closed"])
    );
    assert_eq!(
        outcome(state(Offline, None), &[began(5), ended(5, LeaseEnd::Silent), began(6)]),
        (Active, Some(6), Some(true), vec!["connected", "silent", "connected"])
    );
}

/// Spec: hosts 4
#[test]
fn fold_when_a_newer_stream_took_over_ignores_the_older_one() {
    use AgentStatus::Active;
    let overtaken = [began(5), began(6), ended(5, LeaseEnd::Superseded)];
    assert_eq!(outcome(state(Active, None), &overtaken), (Active, Some(6), Some(true), vec![]));
    assert_eq!(
        outcome(state(Active, Some(6)), &[ended(5, LeaseEnd::Closed)]),
        (Active, Some(6), None, vec![])
    );
    assert_eq!(outcome(state(Active, Some(6)), &[began(5)]), (Active, Some(6), None, vec![]), "late news");
}

/// Spec: hosts 6
#[test]
fn fold_when_the_agent_is_not_approved_never_brings_it_online() {
    use AgentStatus::{Pending, Revoked};
    for status in [Revoked, Pending] {
        assert_eq!(outcome(state(status, None), &[began(5)]), (status, None, None, vec![]));
        let left_over = outcome(state(status, Some(5)), &[ended(5, LeaseEnd::Revoked)]);
        assert_eq!(left_over, (status, None, None, vec![]), "its lease goes, its status stays");
    }
}

#[test]
fn fold_when_nothing_changes_writes_nothing() {
    let same = fold(vec![state(AgentStatus::Active, Some(6))], &[ended(5, LeaseEnd::Closed)]);
    assert_eq!((same.without_lease().count(), same.with_lease().count(), same.statuses().count()), (0, 0, 0));
    let unknown = fold(Vec::new(), &[began(5)]);
    assert!(unknown.hosts().is_empty());
}

#[test]
fn fold_when_the_interval_is_absurd_keeps_within_the_limits() {
    for (announced, kept) in [(0, 5), (30, 30), (u32::MAX, 300)] {
        let begin = change(5, LeaseEvent::Began { interval_seconds: announced });
        let outcome = fold(vec![state(AgentStatus::Active, None)], &[begin]);
        assert_eq!(outcome.agents[0].after.lease.unwrap().interval_seconds, kept);
    }
}

/// Spec: hosts 4
#[test]
fn fold_when_another_node_has_a_newer_stream_then_the_older_one_is_told_to_end() {
    let elsewhere = |session| LeaseChange { node_id: Uuid::from_u128(8), ..began(session) };
    let superseded = |lease, change| {
        let outcome = fold(vec![state(AgentStatus::Active, lease)], &[change]);
        outcome
            .superseded
            .iter()
            .map(|(node, session)| (node.as_u128(), session.as_u128()))
            .collect::<Vec<_>>()
    };
    assert_eq!(superseded(Some(5), elsewhere(6)), [(9, 5)], "the older one is on its former node");
    assert_eq!(superseded(Some(6), elsewhere(5)), [(8, 5)], "the late news are about the older one");
    assert_eq!(superseded(Some(5), began(6)), [], "a node sees to its own streams");
    assert_eq!(superseded(None, elsewhere(6)), []);
    let ended_elsewhere = LeaseChange { node_id: Uuid::from_u128(8), ..ended(6, LeaseEnd::Closed) };
    assert_eq!(superseded(Some(5), ended_elsewhere), []);
}
