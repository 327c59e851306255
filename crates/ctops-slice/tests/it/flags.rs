//! Feature flags in the database.

use ctops_base::ProblemKind;
use ctops_slice::flags::{self, FLAGS, Flag};
use ctops_testkit::{TestDb, a_organisation};
use uuid::Uuid;

async fn turn(db: &TestDb, org: Uuid, key: &str, value: bool) {
    sqlx::query(
        "INSERT INTO feature_flags (org_id, key, value, updated_at) VALUES ($1, $2, $3, now())
         ON CONFLICT (org_id, key) DO UPDATE SET value = EXCLUDED.value",
    )
    .bind(org)
    .bind(key)
    .bind(value)
    .execute(db.pool())
    .await
    .unwrap();
}

/// Spec: settings 13, 14
#[tokio::test]
async fn every_flag_has_its_default_until_it_is_turned_and_acts_at_once_for_its_organisation() {
    let db = TestDb::new().await;
    let (ours, theirs) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    for flag in FLAGS {
        assert_eq!(flags::is_on(db.pool(), ours, flag).await.unwrap(), flag.default, "{}", flag.key);
        turn(&db, ours, flag.key, !flag.default).await;
        assert_eq!(flags::is_on(db.pool(), ours, flag).await.unwrap(), !flag.default, "{}", flag.key);
        assert_eq!(flags::is_on(db.pool(), theirs, flag).await.unwrap(), flag.default, "{}", flag.key);
        turn(&db, ours, flag.key, flag.default).await;
        assert_eq!(flags::is_on(db.pool(), ours, flag).await.unwrap(), flag.default, "{}", flag.key);
    }
}

/// Spec: settings 14
#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    flags::demand(db.pool(), org, &flags::CALENDAR).await.unwrap();
    turn(&db, org, "calendar", false).await;
    let refused = flags::demand(db.pool(), org, &flags::CALENDAR).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ProblemKind::NotFound, "not_found"));
    assert!(!refused.detail().contains("calendar"), "its name is nobody's business: {}", refused.detail());
}

/// A row for a flag that administrators may not turn, from a time when they could, counts for nothing.
#[tokio::test]
async fn a_flag_nobody_may_turn_keeps_its_default_whatever_is_stored() {
    static FIXED: Flag = Flag {
        key: "fixed",
        default: false,
        public: false,
        configurable: false,
        about: "For the test.",
        owner: "test",
        removal: None,
    };
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    turn(&db, org, "fixed", true).await;
    assert!(!flags::is_on(db.pool(), org, &FIXED).await.unwrap());
    assert!(flags::demand(db.pool(), org, &FIXED).await.is_err());
}

#[tokio::test]
async fn a_database_that_does_not_answer_switches_nothing_on() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    db.pool().close().await;
    let failed = flags::demand(db.pool(), org, &flags::CALENDAR).await.unwrap_err();
    assert_eq!(failed.kind(), ProblemKind::Internal);
}

#[test]
fn flags_are_found_by_their_exact_key() {
    for flag in FLAGS {
        assert_eq!(flags::by_key(flag.key), Some(flag));
        assert_eq!(flags::by_key(&flag.key.to_uppercase()), None);
    }
    assert_eq!(flags::by_key(""), None);
}
