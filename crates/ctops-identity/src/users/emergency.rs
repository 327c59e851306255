//! What the operator may do on the server's own machine, when nobody can sign in any more (users-teams-rbac 8).
//! Whoever runs these commands could change the database directly; here it is audited.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Clock, Problem, Role};
use ctops_crypto::secret::random_token;
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::throttle;
use serde_json::json;
use uuid::Uuid;

use super::membership::{self, Cause, MemberState, Membership, NewMember, NewPerson, RolesFrom};
use super::store;
use crate::accounts::{Email, check_name};
use crate::passwords::{self, Passwords, Secret};
use crate::second_factor;
use crate::sign_in::ACCOUNT_LOCK;

/// A super_admin the operator made.
pub struct CreatedSuperAdmin {
    /// The user.
    pub user_id: Uuid,
    /// The password that was made up; none when the operator chose one.
    pub password: Option<String>,
}

/// Creates an account that is super_admin of the organisation with `slug`, or of the oldest one.
///
/// # Errors
/// `validation_failed`; `conflict` when the address is taken: that account can be promoted; `not_found`.
pub async fn create_super_admin(
    pool: &Pool,
    clock: &Clock,
    passwords: &Passwords,
    (email, name): (&str, &str),
    slug: Option<&str>,
    password: Option<Secret>,
) -> Result<CreatedSuperAdmin, Problem> {
    let now = clock.now();
    let email = Email::parse("email", email).map_err(|problem| Problem::invalid(vec![problem]))?;
    let name = check_name("name", name).map_err(|problem| Problem::invalid(vec![problem]))?;
    let made_up = password.is_none().then(|| random_token(""));
    let password = password.unwrap_or_else(|| Secret::new(made_up.clone().unwrap_or_default()));
    let context = passwords::Context { email: email.as_str(), organisation_name: "" };
    passwords::check("password", &password, context).map_err(|problem| Problem::invalid(vec![problem]))?;
    let hash = passwords.turn().await?.hash(password).await?;
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let org_id = lock_organisation(&mut tx, slug).await?;
    let person = NewPerson {
        id: new_id(),
        email: email.as_str(),
        name: &name,
        password_hash: Some(&hash),
        email_verified: true,
    };
    if !membership::insert_person(&mut tx, &person, now).await? {
        return Err(Problem::conflict("an account has this address already; promote it instead"));
    }
    insert_super_admin(&mut tx, org_id, person.id, now).await?;
    let event = AuditEvent::by(By::SupportCli, Some(org_id), "user.created", "user")
        .on(person.id)
        .summary("the operator created a super_admin on the server's machine")
        .change(None, Some(json!({ "email": email.as_str(), "roles": ["super_admin"] })));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(CreatedSuperAdmin { user_id: person.id, password: made_up })
}

/// Makes an account an active super_admin, whatever it was before.
///
/// # Errors
/// `not_found` for the account or the organisation.
pub async fn promote_super_admin(
    pool: &Pool,
    clock: &Clock,
    email: &str,
    slug: Option<&str>,
) -> Result<(), Problem> {
    let now = clock.now();
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let org_id = lock_organisation(&mut tx, slug).await?;
    let user_id = find_account(&mut tx, email).await?;
    store::revive_account(&mut tx, user_id, now).await.map_err(Problem::internal)?;
    let reason = "promoted by the operator on the server's machine";
    match membership::find(&mut tx, org_id, user_id).await? {
        Some(before) => {
            let mut roles = before.roles.clone();
            roles.insert(Role::SuperAdmin);
            let after = Membership {
                state: MemberState::Active,
                roles,
                roles_from: RolesFrom::People,
                ..before.clone()
            };
            membership::change(&mut tx, &before, &after, &Cause::operator(reason), now).await?;
        }
        None => {
            insert_super_admin(&mut tx, org_id, user_id, now).await?;
            let event = AuditEvent::by(By::SupportCli, Some(org_id), "user.role_changed", "user")
                .on(user_id)
                .summary(reason)
                .change(None, Some(json!({ "roles": ["super_admin"] })));
            audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
        }
    }
    tx.commit().await.map_err(Problem::internal)
}

/// Lifts the lock that failed sign-ins put on an account.
///
/// # Errors
/// `not_found` when nobody has the address.
pub async fn unlock_account(pool: &Pool, clock: &Clock, email: &str) -> Result<(), Problem> {
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let user_id = find_account(&mut tx, email).await?;
    throttle::clear(pool, ACCOUNT_LOCK.scope, &Email::fold(email)).await?;
    let event = AuditEvent::by(By::SupportCli, None, "auth.login.unlocked", "user")
        .on(user_id)
        .summary("the operator unlocked an account on the server's machine");
    audit::append(&mut tx, &event, clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Removes every second factor of an account, so that its password alone lets it in.
///
/// # Errors
/// `not_found` when nobody has the address.
pub async fn clear_second_factor(pool: &Pool, clock: &Clock, email: &str) -> Result<(), Problem> {
    let now = clock.now();
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let user_id = find_account(&mut tx, email).await?;
    second_factor::clear(&mut tx, user_id).await?;
    let event = AuditEvent::by(By::SupportCli, None, "auth.mfa.reset", "user")
        .on(user_id)
        .summary("the operator removed the second factors of an account on the server's machine");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

async fn lock_organisation(tx: &mut Tx<'_>, slug: Option<&str>) -> Result<Uuid, Problem> {
    let found = store::find_organisation(tx, slug).await.map_err(Problem::internal)?;
    let org_id = found.ok_or_else(|| Problem::not_found("organisation"))?;
    if !membership::lock_organisation(tx, org_id).await? {
        return Err(Problem::not_found("organisation"));
    }
    Ok(org_id)
}

async fn find_account(tx: &mut Tx<'_>, email: &str) -> Result<Uuid, Problem> {
    let found = store::find_account(tx, &Email::fold(email)).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("account"))
}

async fn insert_super_admin(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let member = NewMember {
        org_id,
        user_id,
        state: MemberState::Active,
        roles: BTreeSet::from([Role::SuperAdmin]),
        roles_from: RolesFrom::People,
        invited_by: None,
    };
    membership::insert(tx, &member, now).await
}
