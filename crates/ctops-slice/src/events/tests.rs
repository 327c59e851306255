#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use ctops_base::Role;

use super::*;
use crate::actor::Credential;

fn actor(user: u128, org: u128) -> Actor {
    let credential = Credential::session(Uuid::nil(), DateTime::UNIX_EPOCH);
    let ip = IpAddr::from([127, 0, 0, 1]);
    Actor::with_roles((Uuid::from_u128(user), Uuid::from_u128(org)), credential, [Role::ReadOnly], ip)
}

fn hub() -> (EventHub, Clock) {
    let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
    (EventHub::new(clock.clone()), clock)
}

async fn names(follower: &mut Follower, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..count {
        let event = tokio::time::timeout(Duration::from_secs(5), follower.next()).await.unwrap().unwrap();
        found.push(format!("{event:?}"));
    }
    found
}

#[tokio::test]
async fn a_follower_sees_its_topics_of_its_organisation_only() {
    let (hub, _) = hub();
    let mut follower = hub.follow(&actor(1, 1), vec!["fleet".into()], None).unwrap();
    hub.publish(Uuid::from_u128(2), "fleet", "other-org", "{}");
    hub.publish(Uuid::from_u128(1), "host:9", "other-topic", "{}");
    hub.publish(Uuid::from_u128(1), "fleet", "mine", "{}");
    let seen = names(&mut follower, 1).await;
    assert!(seen[0].contains("mine"), "{seen:?}");
}

#[tokio::test]
async fn a_reconnect_continues_after_the_last_event_it_saw() {
    let (hub, _) = hub();
    for name in ["one", "two", "three"] {
        hub.publish(Uuid::from_u128(1), "fleet", name, "{}");
    }
    let mut follower = hub.follow(&actor(1, 1), vec!["fleet".into()], Some(&hub.event_id(1))).unwrap();
    let seen = names(&mut follower, 2).await;
    assert!(seen[0].contains("two") && seen[1].contains("three"), "{seen:?}");
}

#[tokio::test]
async fn a_reconnect_after_the_buffer_or_a_restart_is_reset() {
    let (hub, clock) = hub();
    hub.publish(Uuid::from_u128(1), "fleet", "old", "{}");
    hub.publish(Uuid::from_u128(1), "fleet", "old-too", "{}");
    clock.advance(TimeDelta::minutes(6));
    hub.publish(Uuid::from_u128(1), "fleet", "new", "{}");
    for id in [hub.event_id(1), "nonsense".into(), format!("{}.1", Uuid::new_v4().simple()), hub.event_id(99)]
    {
        let mut follower = hub.follow(&actor(1, 1), vec!["fleet".into()], Some(&id)).unwrap();
        assert!(names(&mut follower, 1).await[0].contains("reset"), "{id}");
    }
}

#[tokio::test]
async fn the_ninth_stream_of_a_user_is_refused_until_one_ends() {
    let (hub, _) = hub();
    let mut held: Vec<_> =
        (0..MAX_STREAMS_PER_USER).map(|_| hub.follow(&actor(1, 1), vec![], None).unwrap()).collect();
    assert_eq!(hub.follow(&actor(1, 1), vec![], None).err().unwrap().code(), "rate_limited");
    assert!(hub.follow(&actor(2, 1), vec![], None).is_ok(), "another user is not affected");
    held.pop();
    assert!(hub.follow(&actor(1, 1), vec![], None).is_ok());
}

#[tokio::test]
async fn watched_topics_are_those_with_a_live_stream() {
    let (hub, _) = hub();
    let follower = hub.follow(&actor(1, 1), vec!["host:7".into()], None).unwrap();
    assert_eq!(hub.watched("host:").len(), 1);
    drop(follower);
    assert!(hub.watched("host:").is_empty());
}

#[tokio::test]
async fn a_last_event_ends_the_stream() {
    let (hub, _) = hub();
    let mut follower = hub.follow(&actor(1, 1), vec!["host:7".into()], None).unwrap();
    hub.publish_last(Uuid::from_u128(1), "host:7", "host.deleted", "{}");
    assert_eq!(names(&mut follower, 1).await.len(), 1);
    assert!(follower.next().await.is_none());
}
