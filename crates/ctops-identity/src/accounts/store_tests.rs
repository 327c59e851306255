#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::{TestDb, a_organisation, a_user};

use super::*;

#[tokio::test]
async fn user_names_of_removed_people_stay_and_unknown_ids_are_left_out() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[Role::ReadOnly]).await;
    sqlx::query("UPDATE users SET name = 'Ada', active = false, deleted_at = now() WHERE id = $1")
        .bind(ada)
        .execute(db.pool())
        .await
        .unwrap();
    let names = user_names(db.pool(), &[ada, new_id()]).await.unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [(ada, "Ada".to_owned())]);
    assert!(store::user_names(db.pool(), &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn organisation_by_id_is_found_and_another_id_is_not() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    assert_eq!(organisation(db.pool(), org).await.unwrap().id, org);
    assert_eq!(store::organisation(db.pool(), new_id()).await.unwrap(), None);
    assert_eq!(organisation(db.pool(), new_id()).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn profile_is_that_of_one_organisation_only() {
    let db = TestDb::new().await;
    let (org, other_org) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let ada = a_user(db.pool(), org, &[Role::Engineer, Role::ReadOnly]).await;
    let found = profile(db.pool(), ada, org).await.unwrap();
    assert_eq!(found.roles, BTreeSet::from([Role::Engineer, Role::ReadOnly]));
    assert_eq!((found.user_id, found.organisation.id, found.email_verified), (ada, org, true));
    assert_eq!(profile(db.pool(), ada, other_org).await.unwrap_err().code(), "not_found");
    assert_eq!(store::profile(db.pool(), new_id(), org).await.unwrap(), None);
}

#[test]
fn a_role_this_program_does_not_know_gives_no_rights() {
    assert_eq!(parse_roles(&["engineer".into(), "galactic_admin".into()]), BTreeSet::from([Role::Engineer]));
}
