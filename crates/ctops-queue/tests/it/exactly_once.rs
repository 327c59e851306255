//! Each record is applied exactly once, whatever dies between applying and committing, and whatever carries the records.
//! The fixture's topic must have one partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ctops_queue::{Queue, Topic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;

use crate::applier::{Applier, Consumer, Then, applied, database, dead_letters, stored, until_applied};
use crate::conformance::Fixture;
use crate::support::{LIMIT, numbers};

const TOPIC: Topic = Topic::METRICS_RAW;

/// Makes one test of every case below.
macro_rules! exactly_once {
    ($fixture:ty: $($case:ident)*) => { $(
        #[tokio::test]
        async fn $case() {
            $crate::exactly_once::$case::<$fixture>().await;
        }
    )* };
    ($fixture:ty) => {
        exactly_once! { $fixture:
            consumer_applies_everything_and_stores_the_offset_with_it
            connection_lost_before_the_commit_applies_each_record_once
            task_aborted_before_the_commit_applies_each_record_once
            consumers_that_die_at_random_moments_apply_each_record_once
            records_that_cannot_be_applied_are_parked_alone
        }
    };
}

async fn fill(queue: &dyn Queue, from: usize, to: usize) {
    let records = (from..to).map(|number| ("key".into(), number.to_string().into())).collect();
    timeout(LIMIT, queue.publish_many(TOPIC, records)).await.unwrap().unwrap();
}

async fn filled<F: Fixture>(count: usize) -> F {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 0, count).await;
    fixture
}

fn committing() -> Arc<Applier> {
    Applier::new(|_| Then::Commit)
}

/// Says yes the first time.
fn once() -> impl Fn() -> bool + Send + Sync {
    let done = AtomicBool::new(false);
    move || !done.swap(true, Ordering::SeqCst)
}

pub(crate) async fn consumer_applies_everything_and_stores_the_offset_with_it<F: Fixture>() {
    let (db, fixture) = (database().await, filled::<F>(120).await);
    let consumer = Consumer::on(fixture.queue(), db.pool(), &committing());
    until_applied(db.pool(), 120).await;
    assert_eq!(stored(db.pool()).await.map(|(_, next)| next), Some(120));
    consumer.stop().await;

    fill(fixture.queue().as_ref(), 120, 130).await;
    let consumer = Consumer::on(fixture.queue(), db.pool(), &committing());
    until_applied(db.pool(), 130).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(130), "the second consumer continued");
    assert_eq!(dead_letters(db.pool()).await, []);
}

pub(crate) async fn connection_lost_before_the_commit_applies_each_record_once<F: Fixture>() {
    let (db, fixture) = (database().await, filled::<F>(120).await);
    let first = once();
    let applier =
        Applier::new(
            move |records| {
                if records[0].offset == 50 && first() { Then::LoseConnection } else { Then::Commit }
            },
        );
    let consumer = Consumer::on(fixture.queue(), db.pool(), &applier);
    until_applied(db.pool(), 120).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(120));
    assert_eq!(dead_letters(db.pool()).await, []);
}

pub(crate) async fn task_aborted_before_the_commit_applies_each_record_once<F: Fixture>() {
    let (db, fixture) = (database().await, filled::<F>(120).await);
    let hanging = Applier::new(|records| if records[0].offset == 50 { Then::Hang } else { Then::Commit });
    let consumer = Consumer::on(fixture.queue(), db.pool(), &hanging);
    hanging.hanging.notified().await;
    assert_eq!(applied(db.pool()).await, numbers(50));
    consumer.abort().await;
    let consumer = Consumer::on(fixture.queue(), db.pool(), &committing());
    until_applied(db.pool(), 120).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(120));
}

/// Spec: deployment 2
pub(crate) async fn consumers_that_die_at_random_moments_apply_each_record_once<F: Fixture>() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let db = database().await;
    let mut fixture = filled::<F>(2_000).await;
    let mut random = StdRng::seed_from_u64(seed);
    while applied(db.pool()).await.len() < 2_000 {
        // The batch in which this consumer hangs and is killed; before it, connections are lost now and then.
        let (hangs_at, loses): (u64, u64) = (random.random_range(0..500), random.random_range(2..9));
        let start = stored(db.pool()).await.map_or(0, |(_, next)| next.cast_unsigned());
        let last_loss = AtomicU64::new(u64::MAX);
        let applier = Applier::new(move |records| {
            let first = records[0].offset;
            if first >= start + hangs_at {
                Then::Hang
            } else if (first / 50).is_multiple_of(loses) && last_loss.swap(first, Ordering::SeqCst) != first {
                Then::LoseConnection
            } else {
                Then::Commit
            }
        });
        let consumer = Consumer::on(fixture.queue(), db.pool(), &applier);
        tokio::select! {
            () = applier.hanging.notified() => {}
            () = until_applied(db.pool(), 2_000) => {}
        }
        consumer.abort().await;
        if random.random_bool(0.3) {
            fixture = fixture.restart().await;
        }
    }
    assert_eq!(applied(db.pool()).await, numbers(2_000), "seed {seed}");
    assert_eq!(dead_letters(db.pool()).await, [], "seed {seed}");
}

/// Spec: deployment 1
pub(crate) async fn records_that_cannot_be_applied_are_parked_alone<F: Fixture>() {
    let (db, fixture) = (database().await, F::start().await);
    let payloads = ["0", "poison", "2", "park", "4"];
    let records = payloads.map(|payload| ("key".into(), payload.into())).to_vec();
    fixture.queue().publish_many(TOPIC, records).await.unwrap();
    let consumer = Consumer::on(fixture.queue(), db.pool(), &committing());
    until_applied(db.pool(), 3).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, ["0", "2", "4"]);
    let letters = dead_letters(db.pool()).await;
    let payloads: Vec<&str> = letters.iter().map(|(payload, _)| payload.as_str()).collect();
    assert_eq!(payloads, ["poison", "park"]);
}
