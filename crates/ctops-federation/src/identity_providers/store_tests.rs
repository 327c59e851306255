#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_pg::Tx;
use ctops_slice::Grant;
use ctops_testkit::{TestDb, a_organisation, a_user, start_time};
use uuid::Uuid;

use super::IDENTITY_PROVIDERS_WRITE;
use super::model::{Protocol, Provider, RoleRule};
use super::settings::OidcSettings;
use super::store::{
    count, delete, enabled_saml, find, find_enabled, insert, list, lock, serves_super_admin, update,
};

fn provider(org_id: Uuid, protocol: Protocol) -> Provider {
    Provider {
        id: new_id(),
        org_id,
        name: "Corporate".to_owned(),
        enabled: true,
        protocol,
        allowed_domains: vec!["example.com".to_owned()],
        trust_email: true,
        role_map: vec![RoleRule { group: "ops".to_owned(), role: "engineer".to_owned() }],
        default_role: Some(Role::ReadOnly),
        secret: Some(b"sealed".to_vec()),
        secret_set_at: Some(start_time()),
        secret_set_by: None,
        version: 1,
        created_at: start_time(),
        updated_at: start_time(),
    }
}

fn oidc(org_id: Uuid) -> Provider {
    provider(
        org_id,
        Protocol::Oidc(OidcSettings {
            issuer: "https://idp.example.com".to_owned(),
            ..OidcSettings::default()
        }),
    )
}

fn grant(org_id: Uuid) -> Grant {
    Grant::of_operator(org_id, &IDENTITY_PROVIDERS_WRITE)
}

async fn add(db: &TestDb, provider: &Provider) {
    let mut tx: Tx<'_> = db.pool().begin().await.unwrap();
    insert(&mut tx, provider).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn provider_that_was_written_reads_the_same_in_its_own_organisation_only() {
    let db = TestDb::new().await;
    let (org, other) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let written = oidc(org);
    add(&db, &written).await;
    let read = find(db.pool(), &grant(org), written.id).await.unwrap().unwrap();
    assert_eq!(
        (read.protocol, read.role_map, read.default_role),
        (written.protocol, written.role_map, Some(Role::ReadOnly))
    );
    assert_eq!((read.secret, read.allowed_domains), (written.secret, written.allowed_domains));
    assert!(find(db.pool(), &grant(other), written.id).await.unwrap().is_none());
    assert!(list(db.pool(), &grant(other)).await.unwrap().is_empty());
    assert_eq!(list(db.pool(), &grant(org)).await.unwrap().len(), 1);
    assert!(find_enabled(db.pool(), written.id).await.unwrap().is_some());
}

#[tokio::test]
async fn change_and_deletion_count_and_a_deleted_provider_keeps_no_secret() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let mut written = oidc(org);
    add(&db, &written).await;
    written.enabled = false;
    written.default_role = None;
    let now = start_time() + TimeDelta::minutes(1);
    let mut tx: Tx<'_> = db.pool().begin().await.unwrap();
    assert_eq!(count(&mut tx, &grant(org)).await.unwrap(), 1);
    update(&mut tx, &written, now).await.unwrap();
    let locked = lock(&mut tx, &grant(org), written.id).await.unwrap().unwrap();
    assert_eq!((locked.version, locked.updated_at, locked.default_role), (2, now, None));
    tx.commit().await.unwrap();
    assert!(find_enabled(db.pool(), written.id).await.unwrap().is_none(), "switched off");
    let mut tx: Tx<'_> = db.pool().begin().await.unwrap();
    delete(&mut tx, written.id, now).await.unwrap();
    assert_eq!(count(&mut tx, &grant(org)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert!(find(db.pool(), &grant(org), written.id).await.unwrap().is_none());
    let secret: Option<Vec<u8>> = sqlx::query_scalar("SELECT secret FROM identity_providers WHERE id = $1")
        .bind(written.id)
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(secret, None);
}

#[tokio::test]
async fn provider_that_a_super_admin_comes_through_is_recognised() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let (written, saml) = (oidc(org), provider(org, Protocol::Saml(Box::default())));
    add(&db, &written).await;
    add(&db, &saml).await;
    assert_eq!(enabled_saml(db.pool()).await.unwrap()[0].id, saml.id);
    for (role, expected) in [(Role::OrgAdmin, false), (Role::SuperAdmin, true)] {
        let user = a_user(db.pool(), org, &[role]).await;
        sqlx::query(
            "INSERT INTO external_identities (id, org_id, user_id, provider, provider_id, subject, name, linked_at, last_used_at)
             VALUES ($1, $2, $3, 'oidc', $4, $5, 'Ada', now(), now())",
        )
        .bind(new_id())
        .bind(org)
        .bind(user)
        .bind(written.id)
        .bind(role.as_str())
        .execute(db.pool())
        .await
        .unwrap();
        let mut tx: Tx<'_> = db.pool().begin().await.unwrap();
        assert_eq!(serves_super_admin(&mut tx, written.id).await.unwrap(), expected, "{role}");
        assert!(!serves_super_admin(&mut tx, saml.id).await.unwrap());
    }
}
