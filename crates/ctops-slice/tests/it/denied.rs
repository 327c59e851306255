//! Refused attempts on their way into the trail.

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Problem, ProblemKind, Role};
use ctops_slice::audit::RequestContext;
use ctops_slice::audit::denied::{Attempt, collect, record};
use ctops_slice::{Actor, Credential};
use ctops_testkit::{TestDb, a_organisation, start_time};
use uuid::Uuid;

fn an_attempt(org: Uuid, user: u128, method: Method, path: &str, route: Option<&str>) -> Attempt {
    let credential = Credential::session(Uuid::nil(), DateTime::UNIX_EPOCH);
    let ip = [192, 0, 2, 1].into();
    let mut actor = Actor::with_roles((Uuid::from_u128(user), org), credential, [Role::Engineer], ip);
    actor.name = "Grace Hopper".into();
    let context = RequestContext::new("request-1", Some(ip), Some("curl/8"), Some(&actor));
    Attempt { actor, method, path: path.into(), route: route.map(str::to_owned), context }
}

async fn written(db: &TestDb) -> Vec<(String, String, String, i32, DateTime<Utc>)> {
    sqlx::query_as(
        "SELECT target_id, target_label, reason_code, repeats, at FROM audit_events WHERE action = 'access.denied'
         ORDER BY target_label, target_id, at",
    )
    .fetch_all(db.pool())
    .await
    .unwrap()
}

#[test]
fn refusals_matter_and_mistakes_do_not() {
    let with_id = an_attempt(Uuid::nil(), 1, Method::GET, "/hosts/1", Some("/hosts/{id}"));
    let without = an_attempt(Uuid::nil(), 1, Method::GET, "/nothing", None);
    let list = an_attempt(Uuid::nil(), 1, Method::GET, "/hosts", Some("/hosts"));
    for (kind, for_an_id, elsewhere) in [
        (ProblemKind::Forbidden, true, true),
        (ProblemKind::Unauthenticated, true, true),
        (ProblemKind::NotFound, true, false),
        (ProblemKind::Invalid, false, false),
        (ProblemKind::Malformed, false, false),
        (ProblemKind::Conflict, false, false),
        (ProblemKind::Stale, false, false),
        (ProblemKind::Limited, false, false),
        (ProblemKind::TooLarge, false, false),
        (ProblemKind::Unavailable, false, false),
        (ProblemKind::Internal, false, false),
    ] {
        let problem = Problem::new(kind, "any", "");
        assert_eq!(with_id.matters(&problem), for_an_id, "{kind:?}");
        assert_eq!(without.matters(&problem), elsewhere, "{kind:?}");
        assert_eq!(list.matters(&problem), elsewhere, "{kind:?}");
    }
}

/// Spec: audit-log 4
#[tokio::test]
async fn equal_attempts_of_a_minute_become_one_event_and_a_new_minute_another() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let attempt = an_attempt(org, 1, Method::DELETE, "/hosts/h7", Some("/hosts/{id}"));
    let now = start_time();
    for second in [0, 20, 59, 60, 61] {
        record(db.pool(), &attempt, &Problem::forbidden(), now + TimeDelta::seconds(second)).await;
    }
    assert_eq!(collect(db.pool(), now + TimeDelta::seconds(59)).await.unwrap(), 0, "the minute is not over");
    assert_eq!(collect(db.pool(), now + TimeDelta::seconds(60)).await.unwrap(), 1);
    assert_eq!(collect(db.pool(), now + TimeDelta::seconds(120)).await.unwrap(), 1);
    assert_eq!(collect(db.pool(), now + TimeDelta::seconds(999)).await.unwrap(), 0);
    let expected = |repeats, at| {
        (
            "h7".to_owned(),
            "DELETE /hosts/{id}".to_owned(),
            "forbidden".to_owned(),
            repeats,
            now + TimeDelta::seconds(at),
        )
    };
    assert_eq!(written(&db).await, [expected(3, 0), expected(2, 60)]);
}

#[tokio::test]
async fn people_operations_and_targets_are_counted_apart() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let route = Some("/hosts/{id}");
    for attempt in [
        an_attempt(org, 1, Method::GET, "/hosts/a", route),
        an_attempt(org, 2, Method::GET, "/hosts/a", route),
        an_attempt(org, 1, Method::DELETE, "/hosts/a", route),
        an_attempt(org, 1, Method::GET, "/hosts/b", route),
        an_attempt(other, 1, Method::GET, "/hosts/a", route),
    ] {
        record(db.pool(), &attempt, &Problem::not_found("host"), start_time()).await;
    }
    assert_eq!(collect(db.pool(), start_time() + TimeDelta::minutes(2)).await.unwrap(), 5);
    assert!(written(&db).await.iter().all(|event| event.3 == 1));
}

/// What was asked for stands in the trail as the last id of the path; text in its place is cut and cleaned.
#[tokio::test]
async fn the_target_is_the_last_id_of_the_path_cleaned_and_cut() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let long = format!("/hosts/{}", "x".repeat(500));
    let cases = [
        ("/a/1/b/2", Some("/a/{id}/b/{other}"), "2"),
        ("/b/1/run", Some("/b/{id}/run"), "1"),
        ("/c/tok_0123456789abcdef0123", Some("/c/{id}"), "[redacted]"),
        (long.as_str(), Some("/hosts/{id}"), ""),
    ];
    for (path, route, _) in cases {
        record(db.pool(), &an_attempt(org, 1, Method::GET, path, route), &Problem::forbidden(), start_time())
            .await;
    }
    collect(db.pool(), start_time() + TimeDelta::minutes(2)).await.unwrap();
    let targets: Vec<String> = written(&db).await.into_iter().map(|event| event.0).collect();
    for ((path, _, target), seen) in cases.iter().zip(&targets) {
        if target.is_empty() {
            assert!(seen.len() <= 60 && seen.starts_with("xxx"), "{seen}");
        } else {
            assert_eq!(seen, target, "{path}");
        }
    }
}

/// Two processes that collect at once write each refusal once.
#[tokio::test]
async fn collecting_twice_at_once_writes_nothing_twice() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    for number in 0..40 {
        let attempt = an_attempt(org, number, Method::GET, "/hosts/a", Some("/hosts/{id}"));
        record(db.pool(), &attempt, &Problem::forbidden(), start_time()).await;
    }
    let later = start_time() + TimeDelta::minutes(2);
    let (one, two) = tokio::join!(collect(db.pool(), later), collect(db.pool(), later));
    assert_eq!(one.unwrap() + two.unwrap(), 40);
    assert_eq!(written(&db).await.len(), 40);
}

/// A refusal stands whether it is counted or not.
#[tokio::test]
async fn a_refusal_that_cannot_be_counted_does_no_harm() {
    let db = TestDb::new().await;
    let attempt = an_attempt(Uuid::from_u128(1), 1, Method::GET, "/hosts/a", Some("/hosts/{id}"));
    db.pool().close().await;
    attempt.observe(db.pool(), &Problem::forbidden(), start_time()).await;
    assert!(collect(db.pool(), start_time()).await.is_err());
}
