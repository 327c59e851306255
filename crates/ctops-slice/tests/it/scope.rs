//! The one condition that decides which hosts somebody sees, on real rows.

use ctops_slice::{HostScope, in_scope};
use ctops_testkit::{TestDb, a_host, a_organisation};
use uuid::Uuid;

async fn a_group(db: &TestDb, org: Uuid, hosts: &[Uuid]) -> Uuid {
    let id = ctops_base::id::new_id();
    sqlx::query("INSERT INTO host_groups (id, org_id, name, created_at, updated_at) VALUES ($1, $2, $3, now(), now())")
        .bind(id)
        .bind(org)
        .bind(id.to_string())
        .execute(db.pool())
        .await
        .unwrap();
    for host in hosts {
        sqlx::query("INSERT INTO host_group_members (group_id, host_id, added_at) VALUES ($1, $2, now())")
            .bind(id)
            .bind(host)
            .execute(db.pool())
            .await
            .unwrap();
    }
    id
}

async fn seen(db: &TestDb, scope: &HostScope) -> Vec<String> {
    sqlx::query_scalar(concat!(
        "SELECT hostname FROM hosts h WHERE ",
        in_scope!("h.id", "$1"),
        " ORDER BY hostname"
    ))
    .bind(scope.ids())
    .fetch_all(db.pool())
    .await
    .unwrap()
}

/// Spec: host-groups 15, 16
#[tokio::test]
async fn a_scope_is_the_union_of_its_groups_each_host_once() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let mut hosts = Vec::new();
    for name in ["a", "b", "c"] {
        hosts.push(a_host(org).named(name).insert(db.pool()).await.id);
    }
    let (left, right) = (a_group(&db, org, &hosts[..2]).await, a_group(&db, org, &hosts[1..]).await);
    let empty = a_group(&db, org, &[]).await;
    assert_eq!(seen(&db, &HostScope::All).await, ["a", "b", "c"]);
    assert_eq!(seen(&db, &HostScope::limited([left])).await, ["a", "b"]);
    assert_eq!(seen(&db, &HostScope::limited([left, right, empty])).await, ["a", "b", "c"]);
    assert_eq!(seen(&db, &HostScope::limited([empty])).await, [""; 0]);
    assert_eq!(seen(&db, &HostScope::limited([])).await, [""; 0], "no set is no host, and not every host");
    assert_eq!(seen(&db, &HostScope::limited([Uuid::nil()])).await, [""; 0]);
    assert_eq!(seen(&db, &HostScope::All.narrowed_to(&[right])).await, ["b", "c"]);
}

/// Spec: host-groups 15
#[tokio::test]
async fn a_group_that_is_deleted_and_a_member_that_left_show_nothing_any_more() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let host = a_host(org).named("a").insert(db.pool()).await.id;
    let group = a_group(&db, org, &[host]).await;
    let scope = HostScope::limited([group]);
    assert_eq!(seen(&db, &scope).await, ["a"]);
    sqlx::query("UPDATE host_groups SET deleted_at = now()").execute(db.pool()).await.unwrap();
    assert_eq!(seen(&db, &scope).await, [""; 0]);
    sqlx::query("UPDATE host_groups SET deleted_at = NULL").execute(db.pool()).await.unwrap();
    assert_eq!(seen(&db, &scope).await, ["a"]);
    sqlx::query("DELETE FROM host_group_members").execute(db.pool()).await.unwrap();
    assert_eq!(seen(&db, &scope).await, [""; 0]);
}

/// A custom role with a selector is a set of hosts of its organisation; one whose groups have no hosts selects none.
///
/// Spec: users-teams-rbac 17, 19
#[tokio::test]
async fn the_selector_of_a_role_selects_by_all_its_terms_in_its_organisation_only() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let (a, b) = (
        a_host(org).named("a").insert(db.pool()).await.id,
        a_host(org).named("b").insert(db.pool()).await.id,
    );
    a_host(org).named("c").insert(db.pool()).await;
    a_host(other).named("x").insert(db.pool()).await;
    let (wide, narrow) = (a_group(&db, org, &[a, b]).await, a_group(&db, org, &[b]).await);
    let role = Uuid::from_u128(900);
    sqlx::query(
        "INSERT INTO custom_roles (id, org_id, name, permissions, created_at, updated_at)
         VALUES ($1, $2, 'r', '{hosts.read}', now(), now())",
    )
    .bind(role)
    .bind(org)
    .execute(db.pool())
    .await
    .unwrap();
    let scope = HostScope::limited([role]);
    assert_eq!(
        seen(&db, &scope).await,
        [""; 0],
        "a role without terms is the whole organisation, and is no set"
    );
    for (position, group, negated, expected) in
        [(0_i16, wide, false, vec!["a", "b"]), (1, narrow, true, vec!["a"]), (2, narrow, false, vec![])]
    {
        sqlx::query(
            "INSERT INTO custom_role_terms (role_id, position, kind, group_ids, negated)
             VALUES ($1, $2, 'host_groups', ARRAY[$3::uuid], $4)",
        )
        .bind(role)
        .bind(position)
        .bind(group)
        .bind(negated)
        .execute(db.pool())
        .await
        .unwrap();
        assert_eq!(seen(&db, &scope).await, expected, "after term {position}");
    }
}
