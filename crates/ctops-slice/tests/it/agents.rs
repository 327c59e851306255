//! Announcements of work, and the consumer that hands out what agents delivered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ctops_pg::Tx;
use ctops_pg::notify::{AGENTS, Notice, Notifications};
use ctops_proto::queue::AgentEvent;
use ctops_queue::{Handler, HandlerError, Record, Topic};
use ctops_slice::agents::{EventsConsumer, WorkNotice, announce_work_for_all, host_of, org_of};
use ctops_slice::{AgentEvents, announce_work, announce_work_for_org};
use ctops_testkit::TestDb;
use prost::Message;
use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

/// Long enough for a busy machine, short enough to fail in time.
const SOON: Duration = Duration::from_secs(20);

async fn next(receiver: &mut Receiver<Notice>) -> WorkNotice {
    loop {
        let notice = tokio::time::timeout(SOON, receiver.recv()).await.expect("a notice in time").unwrap();
        if let Notice::Message { payload, .. } = notice {
            return WorkNotice::parse(&payload).expect("a notice about work");
        }
    }
}

#[tokio::test]
async fn announcements_arrive_when_their_transaction_commits_and_only_then() {
    let db = TestDb::new().await;
    let notifications = Notifications::start(db.pool(), &[AGENTS]).await.unwrap();
    let mut heard = notifications.subscribe();
    let org = Uuid::from_u128(77);
    let mut forgotten = db.pool().begin().await.unwrap();
    announce_work(&mut forgotten, &[Uuid::from_u128(1)]).await.unwrap();
    forgotten.rollback().await.unwrap();
    let hosts: BTreeSet<Uuid> = (0..1_000).map(Uuid::from_u128).collect();
    let mut tx = db.pool().begin().await.unwrap();
    announce_work(&mut tx, &hosts.iter().copied().collect::<Vec<_>>()).await.unwrap();
    announce_work(&mut tx, &[]).await.unwrap();
    announce_work_for_org(&mut tx, org).await.unwrap();
    announce_work_for_all(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut named = BTreeSet::new();
    let mut notices = 0;
    let after = loop {
        match next(&mut heard).await {
            WorkNotice::Hosts(some) => named.extend(some),
            other => break other,
        }
        notices += 1;
    };
    assert_eq!((named, notices), (hosts, 5), "216 hosts fit into one notice, and an empty list says nothing");
    assert_eq!((after, next(&mut heard).await), (WorkNotice::Org(org), WorkNotice::All));
    notifications.shutdown().await;
}

/// What handlers were given, in order: their name and the ids of the hosts.
type Given = Arc<Mutex<Vec<(&'static str, Vec<u128>)>>>;

/// A feature that notes what it is given.
struct Notes {
    name: &'static str,
    given: Given,
    fails: bool,
}

#[async_trait]
impl AgentEvents for Notes {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        if self.fails {
            return Err(HandlerError::Data("does not like it".into()));
        }
        sqlx::query("SELECT 1").execute(&mut **tx).await?;
        assert!(events.iter().all(|event| org_of(event) == Uuid::from_u128(9)));
        let hosts = events.iter().map(|event| host_of(event).as_u128()).collect();
        self.given.lock().unwrap().push((self.name, hosts));
        Ok(())
    }
}

fn record(offset: u64, payload: Vec<u8>) -> Record {
    Record { offset, key: Bytes::new(), payload: payload.into(), appended_at_ms: 0 }
}

fn event(host: u128) -> Vec<u8> {
    let event = AgentEvent {
        host_id: Uuid::from_u128(host).to_string(),
        org_id: Uuid::from_u128(9).to_string(),
        agent_id: "a".repeat(24),
        received_at_ms: 1_780_488_000_000,
        ..AgentEvent::default()
    };
    event.encode_to_vec()
}

#[tokio::test]
async fn events_reach_every_feature_in_order_and_what_is_no_event_is_put_aside() {
    let db = TestDb::new().await;
    let given = Arc::new(Mutex::new(Vec::new()));
    let feature =
        |name, fails| -> Arc<dyn AgentEvents> { Arc::new(Notes { name, given: given.clone(), fails }) };
    let consumer = EventsConsumer::new(vec![feature("one", false), feature("two", false)]);
    assert_eq!((consumer.group(), consumer.topic()), ("events", Topic::EVENTS_RAW));
    assert_eq!(format!("{consumer:?}"), r#"["one", "two"]"#);
    let records = [record(3, event(1)), record(4, b"\xff".to_vec()), record(8, event(2))];
    let mut tx = db.pool().begin().await.unwrap();
    let parked = consumer.apply(&mut tx, &records).await.unwrap();
    assert_eq!(parked.iter().map(|parked| parked.offset).collect::<Vec<_>>(), [4]);
    assert_eq!(*given.lock().unwrap(), [("one", vec![1, 2]), ("two", vec![1, 2])]);
    given.lock().unwrap().clear();
    let parked = consumer.apply(&mut tx, &records[1..2]).await.unwrap();
    assert_eq!((parked.len(), given.lock().unwrap().len()), (1, 0), "nobody is asked about nothing");

    let picky = EventsConsumer::new(vec![feature("picky", true), feature("after", false)]);
    let refused = picky.apply(&mut tx, &records[..1]).await;
    assert!(matches!(refused, Err(HandlerError::Data(_))));
    assert!(
        given.lock().unwrap().is_empty(),
        "the batch is tried again in halves, so nobody else sees it yet"
    );
}
