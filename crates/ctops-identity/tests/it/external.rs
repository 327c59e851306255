//! Identities of directories and identity providers: who they are among our accounts.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_identity::external::{ExternalIdentity, ProviderKind, Resolved, forget_provider, resolve};
use serde_json::json;
use uuid::Uuid;

use crate::support::{App, Browser, EMAIL, PASSWORD, delete, get, post};

struct Someone<'a> {
    provider_id: Uuid,
    subject: &'a str,
    email: Option<&'a str>,
    trusted: bool,
    roles: &'a [Role],
}

impl<'a> Someone<'a> {
    fn new(provider_id: Uuid, subject: &'a str, email: &'a str) -> Self {
        Self { provider_id, subject, email: Some(email), trusted: true, roles: &[] }
    }
}

async fn org_of(app: &App) -> Uuid {
    sqlx::query_scalar("SELECT id FROM organisations ORDER BY created_at LIMIT 1")
        .fetch_one(app.db.pool())
        .await
        .unwrap()
}

async fn sign_in(app: &App, someone: &Someone<'_>) -> Resolved {
    let identity = ExternalIdentity {
        provider: ProviderKind::Ldap,
        provider_id: someone.provider_id,
        org_id: org_of(app).await,
        subject: someone.subject,
        email: someone.email,
        email_trusted: someone.trusted,
        name: "Grace Hopper",
        roles: someone.roles.iter().copied().collect(),
    };
    let mut tx = app.db.pool().begin().await.unwrap();
    let resolved = resolve(&mut tx, &identity, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    resolved
}

#[track_caller]
fn account(resolved: &Resolved) -> Uuid {
    match resolved {
        Resolved::Account { user_id, .. } => *user_id,
        other => panic!("no account: {other:?}"),
    }
}

#[track_caller]
fn token(resolved: Resolved) -> String {
    match resolved {
        Resolved::ConfirmFirst { token, .. } => token,
        other => panic!("nothing to confirm: {other:?}"),
    }
}

async fn state_of(app: &App, user_id: Uuid) -> (String, Vec<String>) {
    sqlx::query_as("SELECT state, roles FROM memberships WHERE user_id = $1")
        .bind(user_id)
        .fetch_one(app.db.pool())
        .await
        .unwrap()
}

async fn confirm(app: &App, browser: &Browser, token: &str) -> (u16, String) {
    let answer = app.send(post("/me/external-identities", json!({ "token": token })).with(browser)).await;
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned())
}

/// Spec: auth 31
#[tokio::test]
async fn unknown_identity_makes_a_pending_account_known_by_its_subject_from_then_on() {
    let (app, _) = App::set_up().await;
    let directory = new_id();
    let first = account(&sign_in(&app, &Someone::new(directory, "guid-1", "Grace@Example.com")).await);
    assert_eq!(state_of(&app, first).await, ("pending".into(), vec![]));
    let renamed = Someone::new(directory, "guid-1", "grace.m.hopper@example.com");
    assert_eq!(account(&sign_in(&app, &renamed).await), first, "the address may change");
    let twin = sign_in(&app, &Someone::new(directory, "guid-2", "grace@example.com")).await;
    assert!(matches!(twin, Resolved::ConfirmFirst { .. }), "the same address is not the same person");
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
}

/// Spec: auth 31; users-teams-rbac 7
#[tokio::test]
async fn mapped_groups_give_roles_and_follow_the_directory_but_never_super_admin() {
    let (app, _) = App::set_up().await;
    let directory = new_id();
    let with =
        |roles: &'static [Role]| Someone { roles, ..Someone::new(directory, "g", "grace@example.com") };
    let grace = account(&sign_in(&app, &with(&[Role::Engineer, Role::SuperAdmin])).await);
    assert_eq!(state_of(&app, grace).await, ("active".into(), vec!["engineer".into()]));
    sign_in(&app, &with(&[Role::ReadOnly])).await;
    assert_eq!(state_of(&app, grace).await, ("active".into(), vec!["read_only".into()]));
    sign_in(&app, &with(&[])).await;
    assert_eq!(state_of(&app, grace).await, ("pending".into(), vec![]), "out of all groups");
    app.execute("UPDATE memberships SET roles = '{org_admin}', state = 'active', roles_from = 'people' WHERE roles = '{}'")
        .await;
    sign_in(&app, &with(&[Role::ReadOnly])).await;
    assert_eq!(state_of(&app, grace).await.1, ["org_admin"], "what an administrator chose stays");
}

/// Spec: auth 31
#[tokio::test]
async fn known_address_is_linked_only_after_that_accounts_own_sign_in() {
    let (app, before) = App::set_up().await;
    let directory = new_id();
    app.clock.advance(TimeDelta::minutes(1));
    let someone = Someone::new(directory, "guid-1", EMAIL);
    let secret = token(sign_in(&app, &someone).await);
    assert_eq!(app.count("SELECT count(*) FROM external_identities").await, 0, "never silently");
    app.add_member("eve@example.com", &["super_admin"]).await;
    let eve = app.login("eve@example.com", PASSWORD, "203.0.113.1").await.browser();
    assert_eq!(confirm(&app, &eve, &secret).await, (422, "validation_failed".into()), "not her account");
    assert_eq!(confirm(&app, &before, &secret).await, (403, "reauthentication_required".into()));
    app.clock.advance(TimeDelta::seconds(1));
    let ada = app.login(EMAIL, PASSWORD, "203.0.113.2").await.browser();
    let preview =
        app.send(post("/me/external-identities/preview", json!({ "token": secret })).with(&ada)).await;
    assert_eq!(
        (preview.body["provider"].as_str(), preview.body["name"].as_str()),
        (Some("ldap"), Some("Grace Hopper"))
    );
    assert_eq!(confirm(&app, &ada, &secret).await.0, 204);
    assert_eq!(confirm(&app, &ada, &secret).await, (422, "validation_failed".into()), "single use");
    let me = app.send(get("/me").with(&ada)).await;
    assert_eq!(json!(account(&sign_in(&app, &someone).await)), me.body["user"]["id"]);
    assert_eq!(me.body["roles"], json!(["super_admin"]), "linking changes no role");
    assert!(app.audit().await.iter().any(|action| action == "auth.sso.linked"));
}

/// Spec: auth 31
#[tokio::test]
async fn confirmation_ends_after_fifteen_minutes() {
    let (app, _) = App::set_up().await;
    let secret = token(sign_in(&app, &Someone::new(new_id(), "guid-1", EMAIL)).await);
    app.clock.advance(TimeDelta::minutes(15));
    let ada = app.login(EMAIL, PASSWORD, "203.0.113.2").await.browser();
    assert_eq!(confirm(&app, &ada, &secret).await, (422, "validation_failed".into()));
}

/// Attack class 13: the same address in two directories.
#[tokio::test]
async fn same_address_in_two_directories_stays_two_people() {
    let (app, _) = App::set_up().await;
    let (ours, theirs) = (new_id(), new_id());
    let grace = account(&sign_in(&app, &Someone::new(ours, "guid-1", "grace@example.com")).await);
    let other = sign_in(&app, &Someone::new(theirs, "guid-1", "grace@example.com")).await;
    assert!(
        matches!(other, Resolved::ConfirmFirst { .. }),
        "the same subject of another directory is somebody else"
    );
    assert_eq!(account(&sign_in(&app, &Someone::new(ours, "guid-1", "grace@example.com")).await), grace);
}

/// Attack class 13: an address the provider does not vouch for.
#[tokio::test]
async fn untrusted_address_is_neither_taken_nor_linked() {
    let (app, _) = App::set_up().await;
    let provider = new_id();
    let claims = Someone { trusted: false, ..Someone::new(provider, "mallory", "ceo@example.com") };
    let mallory = account(&sign_in(&app, &claims).await);
    let (email, verified): (String, bool) =
        sqlx::query_as("SELECT email, email_verified_at IS NOT NULL FROM users WHERE id = $1")
            .bind(mallory)
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    assert!(ctops_identity::external::is_placeholder_address(&email) && !verified, "{email}");
    let ceo = account(&sign_in(&app, &Someone::new(provider, "ceo", "ceo@example.com")).await);
    assert_ne!(ceo, mallory, "the address is free for its owner");
    let of_ada = Someone { trusted: false, ..Someone::new(provider, "m2", EMAIL) };
    assert!(matches!(sign_in(&app, &of_ada).await, Resolved::ConfirmFirst { .. }));
}

/// Spec: users-teams-rbac 5
#[tokio::test]
async fn deactivated_and_removed_people_are_refused_by_link_and_by_address() {
    let (app, _) = App::set_up().await;
    let directory = new_id();
    let someone =
        Someone { roles: &[Role::Engineer], ..Someone::new(directory, "guid-1", "grace@example.com") };
    account(&sign_in(&app, &someone).await);
    let again = Someone::new(directory, "guid-2", "grace@example.com");
    for change in [
        "UPDATE memberships SET state = 'deactivated' WHERE 'engineer' = ANY(roles)",
        "UPDATE memberships SET state = 'removed' WHERE 'engineer' = ANY(roles)",
        "UPDATE users SET active = false WHERE email = 'grace@example.com'",
    ] {
        app.execute(change).await;
        assert!(matches!(sign_in(&app, &someone).await, Resolved::Refused { .. }), "{change}");
        assert!(matches!(sign_in(&app, &again).await, Resolved::Refused { .. }), "{change}");
    }
    app.execute("UPDATE organisations SET deleted_at = now()").await;
    let new = Someone::new(directory, "guid-3", "new@example.com");
    assert!(matches!(sign_in(&app, &new).await, Resolved::Refused { .. }));
}

#[tokio::test]
async fn unusable_subjects_are_refused_and_two_first_sign_ins_make_one_account() {
    let (app, _) = App::set_up().await;
    let directory = new_id();
    for bad in ["", " ", "a\0b"] {
        let refused = sign_in(&app, &Someone::new(directory, bad, "x@example.com")).await;
        assert!(matches!(refused, Resolved::Refused { .. }), "{bad:?}");
    }
    let someone = Someone::new(directory, "guid-1", "grace@example.com");
    let (first, second) = tokio::join!(sign_in(&app, &someone), sign_in(&app, &someone));
    assert_eq!(account(&first), account(&second));
    assert_eq!(app.count("SELECT count(*) FROM external_identities").await, 1);
}

#[tokio::test]
async fn person_removes_a_linked_identity_but_not_the_only_way_in() {
    let (app, ada) = App::set_up().await;
    let directory = new_id();
    let secret = token(sign_in(&app, &Someone::new(directory, "guid-1", EMAIL)).await);
    assert_eq!(confirm(&app, &ada, &secret).await.0, 204);
    let list = app.send(get("/me/external-identities").with(&ada)).await;
    let id = list.body["items"][0]["id"].as_str().unwrap().to_owned();
    let unlink = async |id: &str| {
        app.send(delete(&format!("/me/external-identities/{id}")).with(&ada)).await.status.as_u16()
    };
    app.execute("UPDATE users SET password_hash = NULL").await;
    assert_eq!(unlink(&id).await, 409);
    app.execute("UPDATE users SET password_hash = 'x'").await;
    assert_eq!(unlink(&new_id().to_string()).await, 404);
    assert_eq!(unlink(&id).await, 204);
    let grace = account(&sign_in(&app, &Someone::new(directory, "g", "grace@example.com")).await);
    let mut tx = app.db.pool().begin().await.unwrap();
    assert_eq!(forget_provider(&mut tx, ProviderKind::Ldap, directory).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(state_of(&app, grace).await.0, "pending", "accounts outlive their provider");
}
