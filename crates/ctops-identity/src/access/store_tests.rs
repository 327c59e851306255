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

async fn execute(db: &TestDb, statement: &str, ids: &[uuid::Uuid]) {
    let query =
        ids.iter().fold(sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())), |query, id| query.bind(*id));
    query.execute(db.pool()).await.unwrap();
}

async fn a_group(db: &TestDb, org: uuid::Uuid) -> uuid::Uuid {
    let group = new_id();
    let statement = "INSERT INTO host_groups (id, org_id, name, created_at, updated_at) VALUES ($1, $2, $1::text, now(), now())";
    execute(db, statement, &[group, org]).await;
    group
}

async fn a_team(db: &TestDb, org: uuid::Uuid, member: uuid::Uuid) -> uuid::Uuid {
    let team = new_id();
    let statement = "INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES ($1, $2, $1::text, now(), now())";
    execute(db, statement, &[team, org]).await;
    execute(
        db,
        "INSERT INTO team_members (team_id, user_id, added_at) VALUES ($1, $2, now())",
        &[team, member],
    )
    .await;
    team
}

/// Spec: host-groups 15, 19
/// Spec: users-teams-rbac 10, 12
#[tokio::test]
async fn scope_is_the_union_of_ones_own_groups_and_those_of_scoping_teams_and_never_of_administrators() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let ada = a_user(db.pool(), org, &[Role::Engineer]).await;
    let scope = async || of_member(db.pool(), ada, org).await.unwrap().unwrap().scope;
    assert_eq!(scope().await, HostScope::All, "no group at all is the whole organisation");
    let (own, of_team) = (a_group(&db, org).await, a_group(&db, org).await);
    execute(&db, "INSERT INTO user_host_scopes (user_id, group_id) VALUES ($1, $2)", &[ada, own]).await;
    assert_eq!(scope().await, HostScope::limited([own]));
    let team = a_team(&db, org, ada).await;
    let owned = "INSERT INTO team_host_groups (team_id, group_id, added_at) VALUES ($1, $2, now())";
    execute(&db, owned, &[team, of_team]).await;
    assert_eq!(scope().await, HostScope::limited([own]), "a team that does not scope");
    execute(&db, "UPDATE teams SET scoping = true", &[]).await;
    assert_eq!(scope().await, HostScope::limited([own, of_team]));
    execute(&db, "UPDATE host_groups SET deleted_at = now()", &[]).await;
    assert!(!scope().await.is_all(), "a deleted group never widens anybody");
    execute(&db, "UPDATE memberships SET roles = '{org_admin,engineer}'", &[]).await;
    assert_eq!(scope().await, HostScope::All);
}

#[tokio::test]
async fn groups_of_another_organisation_do_not_limit_here() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let ada = a_user(db.pool(), org, &[Role::Engineer]).await;
    let theirs = a_group(&db, other).await;
    execute(&db, "INSERT INTO user_host_scopes (user_id, group_id) VALUES ($1, $2)", &[ada, theirs]).await;
    assert_eq!(of_member(db.pool(), ada, org).await.unwrap().unwrap().scope, HostScope::All);
}

/// Spec: users-teams-rbac 17
#[tokio::test]
async fn custom_roles_come_from_the_person_and_their_teams_of_this_organisation_only() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let ada = a_user(db.pool(), org, &[]).await;
    let team = a_team(&db, org, ada).await;
    let mut roles = Vec::new();
    for org in [org, org, other] {
        let role = new_id();
        let statement = "INSERT INTO custom_roles (id, org_id, name, permissions, created_at, updated_at)
                         VALUES ($1, $2, $1::text, '{hosts.read}', now(), now())";
        execute(&db, statement, &[role, org]).await;
        roles.push(role);
    }
    let to_user = "INSERT INTO role_assignments (id, org_id, role_id, user_id, assigned_at) VALUES ($1, $2, $3, $4, now())";
    execute(&db, to_user, &[new_id(), org, roles[0], ada]).await;
    execute(&db, to_user, &[new_id(), other, roles[2], ada]).await;
    let to_team = "INSERT INTO role_assignments (id, org_id, role_id, team_id, assigned_at) VALUES ($1, $2, $3, $4, now())";
    execute(&db, to_team, &[new_id(), org, roles[1], team]).await;
    let group = a_group(&db, org).await;
    let term = "INSERT INTO custom_role_terms (role_id, position, kind, group_ids, negated)
                VALUES ($1, 0, 'host_groups', ARRAY[$2::uuid], false)";
    execute(&db, term, &[roles[1], group]).await;
    let member = of_member(db.pool(), ada, org).await.unwrap().unwrap();
    assert_eq!(member.standing, Standing::Active, "a custom role lets somebody in");
    let held: Vec<_> = member.rights.custom.iter().map(|role| (role.role_id, role.scope.clone())).collect();
    assert_eq!(held, [(roles[0], HostScope::All), (roles[1], HostScope::limited([roles[1]]))]);
}
