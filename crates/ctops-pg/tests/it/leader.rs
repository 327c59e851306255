//! Election by a lease.

use ctops_base::id::new_id;
use ctops_pg::Pool;
use ctops_pg::leader::{Candidate, LEASE};
use ctops_testkit::TestDb;
use tokio::time::Instant;

fn candidate(pool: &Pool, label: &str) -> Candidate {
    Candidate::new(pool.clone(), "jobs", new_id(), label.to_owned())
}

async fn let_run_out(pool: &Pool) {
    sqlx::query("UPDATE leader_leases SET lease_until = clock_timestamp() - interval '1 millisecond'")
        .execute(pool)
        .await
        .unwrap();
}

/// Spec: deployment 4
#[tokio::test]
async fn lease_when_it_is_held_then_no_other_candidate_gets_it_until_it_ran_out() {
    let db = TestDb::new().await;
    let (one, other) = (candidate(db.pool(), "one"), candidate(db.pool(), "other"));
    let began = Instant::now();
    let until = one.hold().await.unwrap().unwrap();
    assert!(until < began + LEASE, "the holder stops before the lease ends");
    assert_eq!(other.hold().await.unwrap(), None);
    assert_eq!(other.holder().await.unwrap().as_deref(), Some("one"));
    assert!(one.hold().await.unwrap().unwrap() >= until, "it is prolonged");

    let_run_out(db.pool()).await;
    assert_eq!(other.holder().await.unwrap(), None);
    assert!(other.hold().await.unwrap().is_some());
    assert_eq!(one.hold().await.unwrap(), None, "the former holder finds out");
}

#[tokio::test]
async fn lease_when_given_up_is_free_at_once_and_only_its_holder_can_give_it_up() {
    let db = TestDb::new().await;
    let (one, other) = (candidate(db.pool(), "one"), candidate(db.pool(), "other"));
    one.hold().await.unwrap();
    other.give_up().await.unwrap();
    assert_eq!(other.hold().await.unwrap(), None);
    one.give_up().await.unwrap();
    assert!(other.hold().await.unwrap().is_some());
}

/// Spec: deployment 4
#[tokio::test]
async fn lease_when_many_ask_at_once_then_exactly_one_holds_it() {
    let db = TestDb::new().await;
    let candidates: Vec<Candidate> =
        (0..8).map(|number| candidate(db.pool(), &format!("candidate {number}"))).collect();
    for _ in 0..5 {
        let answers = futures_util::future::join_all(candidates.iter().map(Candidate::hold)).await;
        assert_eq!(answers.into_iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(), 1);
        let_run_out(db.pool()).await;
    }
}
