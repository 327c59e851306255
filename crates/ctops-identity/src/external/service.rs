//! Resolving identities, confirming links, removing them.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind, Role};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    CONFIRMATION_LIFE, Confirmation, ExternalIdentity, LinkedIdentity, Met, ProviderKind, Resolved,
    placeholder_address,
};
use super::store;
use crate::passwords::Secret;
use crate::users::membership::{self, Cause, MemberState, Membership, NewMember, NewPerson, RolesFrom};

/// Looks at tokens of confirmations, per client address.
const LOOKS: Rate = Rate { scope: "link_confirmation", limit: 10, window: Duration::from_secs(60) };

/// Who an authenticated identity is among our accounts: the linked one, a new one, one that must confirm first, or
/// nobody. Everything is written in `tx`; the caller commits it whatever the answer is.
///
/// # Errors
/// `limit_reached` when the organisation is full; `internal` when the database fails.
pub async fn resolve(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<Resolved, Problem> {
    if !identity.has_usable_subject() {
        return Ok(Resolved::Refused { reason: "the provider names no usable subject" });
    }
    // The lock also makes two first sign-ins of one identity wait for each other.
    if !membership::lock_organisation(tx, identity.org_id).await? {
        return Ok(Resolved::Refused { reason: "the organisation is deleted" });
    }
    if let Some(met) = store::find_linked(tx, identity).await.map_err(Problem::internal)? {
        return resolve_linked(tx, identity, &met, now).await;
    }
    if let Some(address) = identity.address() {
        if let Some(met) = store::find_by_address(tx, address.as_str()).await.map_err(Problem::internal)? {
            return resolve_known_address(tx, identity, &met, now).await;
        }
        if identity.email_trusted {
            return create(tx, identity, Some(address.as_str()), now).await;
        }
    }
    create(tx, identity, None, now).await
}

/// Why this account may not sign in to the organisation.
fn refusal(met: &Met, member: Option<&Membership>) -> Option<&'static str> {
    if !met.usable {
        return Some("the account is deactivated");
    }
    match member.map(|member| member.state) {
        Some(MemberState::Deactivated) => Some("the member is deactivated"),
        Some(MemberState::Removed) => Some("the member was removed"),
        Some(MemberState::Active | MemberState::Pending) | None => None,
    }
}

async fn resolve_linked(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
    met: &Met,
    now: DateTime<Utc>,
) -> Result<Resolved, Problem> {
    let member = membership::find(tx, identity.org_id, met.user_id).await?;
    if let Some(reason) = refusal(met, member.as_ref()) {
        return Ok(Resolved::Refused { reason });
    }
    let Some(member) = member else {
        return Ok(Resolved::Refused { reason: "the account is no member of the organisation" });
    };
    if member.roles_from == RolesFrom::Provider {
        follow_groups(tx, &member, identity.grantable_roles(), now).await?;
    }
    store::touch(tx, identity, now).await.map_err(Problem::internal)?;
    Ok(Resolved::Account { user_id: met.user_id, org_id: identity.org_id })
}

/// Gives a member whose roles come from groups those of the groups they are in now; without any they wait again.
async fn follow_groups(
    tx: &mut Tx<'_>,
    member: &Membership,
    roles: BTreeSet<Role>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let state = if roles.is_empty() { MemberState::Pending } else { MemberState::Active };
    let after = Membership { state, roles, ..member.clone() };
    if after != *member {
        let cause = Cause::system("the groups of the provider changed");
        membership::change(tx, member, &after, &cause, now).await?;
    }
    Ok(())
}

/// An account has the address: its own sign-in must confirm.
async fn resolve_known_address(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
    met: &Met,
    now: DateTime<Utc>,
) -> Result<Resolved, Problem> {
    let member = membership::find(tx, identity.org_id, met.user_id).await?;
    if let Some(reason) = refusal(met, member.as_ref()) {
        return Ok(Resolved::Refused { reason });
    }
    let token = random_token("link_");
    let confirmation = Confirmation {
        id: new_id(),
        org_id: identity.org_id,
        user_id: met.user_id,
        provider: identity.provider.as_str().to_owned(),
        provider_id: identity.provider_id,
        subject: identity.subject.to_owned(),
        name: identity.display_name(),
        roles: identity.grantable_roles(),
        created_at: now,
        expires_at: now + CONFIRMATION_LIFE,
    };
    let hash = sha256(token.as_bytes());
    store::insert_confirmation(tx, &hash, &confirmation).await.map_err(Problem::internal)?;
    let event = AuditEvent::by(By::Anonymous, Some(identity.org_id), "auth.sso.link_requested", "user")
        .on(met.user_id)
        .summary("somebody signed in through a provider with the address of this account");
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    Ok(Resolved::ConfirmFirst { token, expires_at: confirmation.expires_at })
}

/// A new account for an identity nobody has met. Without an address that can be trusted it gets a placeholder.
async fn create(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
    email: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Resolved, Problem> {
    membership::check_room(tx, identity.org_id).await?;
    let (user_id, name) = (new_id(), identity.display_name());
    let placeholder = placeholder_address(user_id);
    let person = NewPerson {
        id: user_id,
        email: email.unwrap_or(&placeholder),
        name: &name,
        password_hash: None,
        email_verified: email.is_some(),
    };
    if !membership::insert_person(tx, &person, now).await? {
        return Err(Problem::conflict("the address was taken a moment ago, sign in again"));
    }
    let roles = identity.grantable_roles();
    let member = NewMember {
        org_id: identity.org_id,
        user_id,
        state: if roles.is_empty() { MemberState::Pending } else { MemberState::Active },
        roles,
        roles_from: RolesFrom::Provider,
        invited_by: None,
    };
    membership::insert(tx, &member, now).await?;
    let linked = store::insert_link(tx, new_id(), identity, user_id, &name, now).await;
    linked.map_err(Problem::internal)?;
    let event = AuditEvent::by(By::System, Some(identity.org_id), "user.created", "user")
        .on(user_id)
        .summary(format!("created at the first sign-in through {}", identity.provider.as_str()))
        .change(None, Some(json!({ "state": member.state.as_str(), "roles": role_names(&member.roles) })));
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    Ok(Resolved::Account { user_id, org_id: identity.org_id })
}

fn role_names(roles: &BTreeSet<Role>) -> Vec<&'static str> {
    roles.iter().map(|role| role.as_str()).collect()
}

/// Forgets everybody a provider knows, when the provider is deleted. The accounts stay; how many identities went.
///
/// # Errors
/// `internal` when the database fails.
pub async fn forget_provider(
    tx: &mut Tx<'_>,
    provider: ProviderKind,
    provider_id: Uuid,
) -> Result<u64, Problem> {
    store::delete_provider(tx, provider.as_str(), provider_id).await.map_err(Problem::internal)
}

/// Whether a directory or identity provider decides at present whether this account may sign in: one that knows it, is
/// switched on, and is open with the licence.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn has_usable_provider(state: &AppState, user_id: Uuid) -> Result<bool, Problem> {
    let providers = store::enabled_providers_of(&state.pool, user_id).await.map_err(Problem::internal)?;
    for (kind, org_id) in providers {
        let entitlement = state.entitlements.of(org_id).await?;
        if ProviderKind::from_name(&kind).is_some_and(|kind| kind.is_open(&entitlement)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The identities of the actor's own account.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<LinkedIdentity>, Problem> {
    store::list(&state.pool, actor.user_id).await.map_err(Problem::internal)
}

/// What a token would link, for the page that asks.
pub(super) async fn preview(
    state: &AppState,
    actor: &Actor,
    token: &Secret,
) -> Result<Confirmation, Problem> {
    count_look(state, actor).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    find_confirmation(&mut tx, actor, token, state.clock.now()).await
}

/// Counts a look; before the transaction, so that it counts whatever becomes of that.
async fn count_look(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    throttle::hit(&state.pool, &LOOKS, &actor.ip.to_string(), state.clock.now()).await
}

async fn find_confirmation(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &Secret,
    now: DateTime<Utc>,
) -> Result<Confirmation, Problem> {
    let hash = sha256(token.reveal().as_bytes());
    let found = store::find_confirmation(tx, &hash, actor.user_id, now).await.map_err(Problem::internal)?;
    found.ok_or_else(|| {
        Problem::invalid_field("token", "invalid_token", "is not a valid confirmation for your account")
    })
}

/// Links the identity behind a token to the actor's account.
///
/// # Errors
/// `invalid_token`; `reauthentication_required` when the actor's last sign-in is older than the token: somebody at an
/// unlocked screen is not that account's own sign-in.
pub(super) async fn link(state: &AppState, actor: &Actor, token: &Secret) -> Result<(), Problem> {
    let now = state.clock.now();
    count_look(state, actor).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let confirmation = find_confirmation(&mut tx, actor, token, now).await?;
    let age = (now - confirmation.created_at).to_std().unwrap_or_default();
    actor.confirmed_within(age, now)?;
    if !membership::lock_organisation(&mut tx, confirmation.org_id).await? {
        return Err(Problem::not_found("organisation"));
    }
    join(&mut tx, &confirmation, now).await?;
    if !store::insert_confirmed(&mut tx, new_id(), &confirmation, now).await.map_err(Problem::internal)? {
        return Err(Problem::conflict("this identity is linked to an account already"));
    }
    store::use_confirmation(&mut tx, confirmation.id, now).await.map_err(Problem::internal)?;
    let mut event = AuditEvent::by_actor(actor, "auth.sso.linked", "user")
        .on(actor.user_id)
        .summary(format!("linked an identity of {}", confirmation.provider))
        .change(None, Some(json!({ "provider_id": confirmation.provider_id })));
    event.org_id = Some(confirmation.org_id);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Makes the account a member of the provider's organisation, unless it is one.
async fn join(tx: &mut Tx<'_>, confirmation: &Confirmation, now: DateTime<Utc>) -> Result<(), Problem> {
    let member = membership::find(tx, confirmation.org_id, confirmation.user_id).await?;
    if let Some(member) = member {
        return match member.state {
            MemberState::Active | MemberState::Pending => Ok(()),
            MemberState::Deactivated | MemberState::Removed => Err(Problem::new(
                ProblemKind::Forbidden,
                "forbidden",
                "you are no member of the organisation",
            )),
        };
    }
    membership::check_room(tx, confirmation.org_id).await?;
    let roles = confirmation.roles.clone();
    let member = NewMember {
        org_id: confirmation.org_id,
        user_id: confirmation.user_id,
        state: if roles.is_empty() { MemberState::Pending } else { MemberState::Active },
        roles,
        roles_from: RolesFrom::Provider,
        invited_by: None,
    };
    membership::insert(tx, &member, now).await
}

/// Removes an identity from the actor's account.
///
/// # Errors
/// `not_found`; `conflict` when it is the only way to sign in; `reauthentication_required`.
pub(super) async fn unlink(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let now = state.clock.now();
    actor.confirmed_within(crate::users::FRESH, now)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let other_way = store::has_other_way(&mut tx, actor.user_id, id).await.map_err(Problem::internal)?;
    if !store::delete(&mut tx, actor.user_id, id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("identity"));
    }
    if !other_way {
        return Err(Problem::conflict("this is the only way into your account; link another one first"));
    }
    let event = AuditEvent::by_actor(actor, "auth.sso.unlinked", "user")
        .on(actor.user_id)
        .summary("removed a linked identity");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
