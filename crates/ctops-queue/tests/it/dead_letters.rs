//! What administrators do with records that could not be applied.

use std::sync::Arc;

use ctops_base::PageRequest;
use ctops_base::clock::Clock;
use ctops_pg::Pool;
use ctops_queue::dead_letters::{
    DeadLetter, LetterStatus, LettersOf, Replays, count_waiting, discard, forget_replayed, get, list,
    replay_requested, request_replay,
};
use ctops_queue::{Handler, Queue, Topic};
use ctops_testkit::{TestDb, a_clock, a_host, a_organisation, start_time};
use tempfile::TempDir;

use crate::applier::{Applier, Consumer, Then, applied, database, dead_letters, run_sql, until_applied};
use crate::support::{open, small};

const PAGE: PageRequest = PageRequest { page: 1, page_size: 50 };

/// A database in which a consumer has parked these payloads.
async fn parked(payloads: &[&'static str]) -> (TestDb, TempDir) {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = open(small(directory.path(), &[Topic::METRICS_RAW])).await;
    let mut records: Vec<_> = payloads.iter().map(|payload| ("key".into(), (*payload).into())).collect();
    records.push(("key".into(), "last".into()));
    log.publish_many(Topic::METRICS_RAW, records).await.unwrap();
    let consumer = Consumer::start(&log, db.pool(), &applier());
    until_applied(db.pool(), 1).await;
    consumer.stop().await;
    assert_eq!(dead_letters(db.pool()).await.len(), payloads.len());
    run_sql(db.pool(), "DELETE FROM applied").await;
    (db, directory)
}

fn applier() -> Arc<Applier> {
    Applier::new(|_| Then::Commit)
}

async fn letters(pool: &Pool) -> Vec<DeadLetter> {
    list(pool, LettersOf::Everybody, None, PAGE).await.unwrap().items
}

async fn request(pool: &Pool, id: i64) -> bool {
    let mut tx = pool.begin().await.unwrap();
    let done = request_replay(&mut tx, id, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn run(pool: &Pool) -> Replays {
    let handlers: Vec<Arc<dyn Handler>> = vec![applier()];
    replay_requested(pool, &a_clock(), &handlers).await.unwrap()
}

/// Lets the table take what it refused before.
async fn repair(pool: &Pool) {
    run_sql(pool, "ALTER TABLE applied DROP CONSTRAINT applied_no_poison").await;
}

/// Spec: deployment 1
#[tokio::test]
async fn replay_after_the_repair_applies_the_letter_once() {
    let (db, _directory) = parked(&["poison", "poison"]).await;
    let pool = db.pool();
    let id = letters(pool).await[0].id;
    repair(pool).await;
    assert_eq!(run(pool).await, Replays::default(), "nothing was asked for");
    assert!(request(pool, id).await);
    assert!(!request(pool, id).await, "asked for already");
    assert_eq!(
        get(pool, LettersOf::Everybody, id, 0).await.unwrap().unwrap().0.status(),
        LetterStatus::Requested
    );
    assert_eq!(run(pool).await, Replays { applied: 1, refused: 0 });
    assert_eq!(run(pool).await, Replays::default());
    assert!(!request(pool, id).await, "a replayed letter is not replayed again");
    assert_eq!(applied(pool).await, ["poison"]);
    assert_eq!(
        letters(pool).await.iter().map(DeadLetter::status).collect::<Vec<_>>(),
        [LetterStatus::Replayed, LetterStatus::Waiting]
    );
}

#[tokio::test]
async fn replays_in_two_processes_at_once_apply_the_letter_once() {
    let (db, _directory) = parked(&["poison"; 20]).await;
    let pool = db.pool();
    repair(pool).await;
    for letter in letters(pool).await {
        assert!(request(pool, letter.id).await);
    }
    let (one, other) = tokio::join!(run(pool), run(pool));
    assert_eq!(one.applied + other.applied, 20);
    assert_eq!(applied(pool).await.len(), 20);
}

#[tokio::test]
async fn replay_that_is_refused_again_waits_with_the_new_reason_and_leaves_no_row() {
    for (payload, reason) in [
        ("poison", "the database refused a value with code 23514 (applied_no_poison)"),
        ("park", "asked to"),
        ("panic", "the handler panicked: the handler met a panic record"),
    ] {
        let (db, _directory) = parked(&[payload]).await;
        let id = letters(db.pool()).await[0].id;
        run_sql(db.pool(), "UPDATE dead_letters SET reason = 'the old one'").await;
        request(db.pool(), id).await;
        assert_eq!(run(db.pool()).await, Replays { applied: 0, refused: 1 });
        let letter = &letters(db.pool()).await[0];
        assert_eq!(
            (letter.status(), letter.reason.as_str(), letter.refusals),
            (LetterStatus::Waiting, reason, 2)
        );
        assert_eq!(applied(db.pool()).await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn replay_without_a_consumer_is_refused_and_one_that_meets_a_broken_database_comes_later() {
    let (db, _directory) = parked(&["poison"]).await;
    let (pool, id) = (db.pool(), letters(db.pool()).await[0].id);
    request(pool, id).await;
    assert_eq!(replay_requested(pool, &a_clock(), &[]).await.unwrap(), Replays { applied: 0, refused: 1 });
    assert_eq!(letters(pool).await[0].reason, "this version has no consumer for it");
    request(pool, id).await;
    run_sql(pool, "ALTER TABLE applied RENAME TO elsewhere").await;
    let handlers: Vec<Arc<dyn Handler>> = vec![applier()];
    replay_requested(pool, &Clock::system(), &handlers).await.unwrap_err();
    assert_eq!(letters(pool).await[0].status(), LetterStatus::Requested, "it is tried again");
    run_sql(pool, "ALTER TABLE elsewhere RENAME TO applied").await;
    repair(pool).await;
    assert_eq!(run(pool).await, Replays { applied: 1, refused: 0 });
}

#[tokio::test]
async fn letters_are_listed_newest_first_by_status_and_page() {
    let (db, _directory) = parked(&["poison", "park", "panic"]).await;
    let pool = db.pool();
    let all = letters(pool).await;
    assert!(all.is_sorted_by(|one, next| one.id > next.id));
    assert_eq!(
        (all[0].payload_bytes, all[0].group.as_str(), all[0].topic.as_str()),
        (5, "metrics", "metrics.raw")
    );
    request(pool, all[1].id).await;
    for (status, count) in
        [(LetterStatus::Waiting, 2), (LetterStatus::Requested, 1), (LetterStatus::Replayed, 0)]
    {
        let page = list(pool, LettersOf::Everybody, Some(status), PAGE).await.unwrap();
        assert_eq!((page.total, page.items.len()), (count, count as usize), "{status:?}");
    }
    let second = PageRequest { page: 2, page_size: 2 };
    let page = list(pool, LettersOf::Everybody, None, second).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].id, page.total), (1, all[2].id, 3));
    let (_, beginning) = get(pool, LettersOf::Everybody, all[2].id, 3).await.unwrap().unwrap();
    assert_eq!(beginning, b"poi");
    assert_eq!(count_waiting(pool).await.unwrap(), [("metrics".into(), "metrics.raw".into(), 3)]);
}

#[tokio::test]
async fn letter_of_another_organisations_host_does_not_exist() {
    let (db, _directory) = parked(&["poison"]).await;
    let pool = db.pool();
    let (owner, other) = (a_organisation(pool).await, a_organisation(pool).await);
    let host = a_host(owner).insert(pool).await;
    let id = letters(pool).await[0].id;
    let seen_by = |org| async move {
        let listed = list(pool, LettersOf::Organisation(org), None, PAGE).await.unwrap().total == 1;
        let found = get(pool, LettersOf::Organisation(org), id, 0).await.unwrap().is_some();
        assert_eq!(listed, found);
        found
    };
    assert!(seen_by(owner).await && seen_by(other).await, "it belongs to no host");
    sqlx::query("UPDATE dead_letters SET key = $1")
        .bind(host.id.as_bytes().as_slice())
        .execute(pool)
        .await
        .unwrap();
    assert!(seen_by(owner).await);
    assert!(!seen_by(other).await);
}

#[tokio::test]
async fn discarded_letter_is_gone_and_old_replayed_ones_are_forgotten() {
    let (db, _directory) = parked(&["poison", "poison"]).await;
    let pool = db.pool();
    let ids: Vec<i64> = letters(pool).await.iter().map(|letter| letter.id).collect();
    let mut tx = pool.begin().await.unwrap();
    assert!(discard(&mut tx, ids[0]).await.unwrap());
    assert!(!discard(&mut tx, ids[0]).await.unwrap());
    tx.commit().await.unwrap();
    repair(pool).await;
    request(pool, ids[1]).await;
    run(pool).await;
    assert_eq!(forget_replayed(pool, start_time()).await.unwrap(), 0);
    assert_eq!(forget_replayed(pool, start_time() + chrono::TimeDelta::seconds(1)).await.unwrap(), 1);
    assert!(letters(pool).await.is_empty());
}
