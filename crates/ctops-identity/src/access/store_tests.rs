#![allow(clippy::unwrap_used)]

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::{TestDb, a_organisation, a_user};

use super::*;

#[tokio::test]
async fn member_has_the_roles_of_that_organisation_only() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let ada = a_user(db.pool(), org, &[Role::Engineer, Role::ReadOnly]).await;
    let found = of_member(db.pool(), ada, org).await.unwrap().unwrap();
    assert_eq!(found.rights, Rights::of([Role::Engineer, Role::ReadOnly].into()));
    assert_eq!((found.standing, found.scope), (Standing::Active, HostScope::All));
    assert_eq!(of_member(db.pool(), ada, other).await.unwrap(), None);
    assert_eq!(of_member(db.pool(), new_id(), org).await.unwrap(), None);
}

/// Spec: auth 5
#[tokio::test]
async fn member_without_any_role_waits() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[]).await;
    assert_eq!(of_member(db.pool(), ada, org).await.unwrap().unwrap().standing, Standing::Pending);
}

/// Spec: users-teams-rbac 5
#[tokio::test]
async fn member_who_is_deactivated_or_removed_or_whose_organisation_is_deleted_is_nobody() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[Role::SuperAdmin]).await;
    for (state, expected) in [
        ("pending", Some(Standing::Pending)),
        ("deactivated", None),
        ("removed", None),
        ("active", Some(Standing::Active)),
    ] {
        sqlx::query("UPDATE memberships SET state = $1").bind(state).execute(db.pool()).await.unwrap();
        let found = of_member(db.pool(), ada, org).await.unwrap();
        assert_eq!(found.map(|member| member.standing), expected, "{state}");
    }
    sqlx::query("UPDATE organisations SET deleted_at = now()").execute(db.pool()).await.unwrap();
    assert_eq!(of_member(db.pool(), ada, org).await.unwrap(), None);
}
