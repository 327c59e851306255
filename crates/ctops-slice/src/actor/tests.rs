#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;

use super::*;

static READ: Permission = Permission { name: "things.read", roles: &Role::ALL, about: "See things." };
static ADMIN: Permission =
    Permission { name: "things.admin", roles: &[Role::OrgAdmin, Role::SuperAdmin], about: "Change things." };

fn actor(roles: &[Role]) -> Actor {
    let credential = Credential::session(Uuid::nil(), DateTime::UNIX_EPOCH);
    let ip = IpAddr::from([127, 0, 0, 1]);
    Actor::with_roles((Uuid::nil(), Uuid::from_u128(7)), credential, roles.iter().copied(), ip)
}

fn custom(permission: &Permission, scope: HostScope) -> Arc<[CustomRights]> {
    let permissions = BTreeSet::from([permission.name.to_owned()]);
    Arc::from([CustomRights { role_id: Uuid::from_u128(50), permissions, scope }])
}

fn sets(ids: &[u128]) -> HostScope {
    HostScope::limited(ids.iter().copied().map(Uuid::from_u128))
}

/// Spec: users-teams-rbac 4
#[test]
fn rights_are_the_union_of_all_roles() {
    let both = actor(&[Role::ReadOnly, Role::OrgAdmin]);
    assert_eq!(both.grant(&ADMIN).map(|g| g.org_id()).ok(), Some(Uuid::from_u128(7)));
    assert!(actor(&[Role::Engineer]).grant(&ADMIN).is_err());
    assert!(actor(&[Role::Engineer]).grant(&READ).is_ok());
}

#[test]
fn a_member_without_roles_holds_nothing() {
    assert!(actor(&[]).grant(&READ).is_err());
}

/// Spec: auth 5, 18, 32
#[test]
fn whoever_waits_reaches_their_own_account_only() {
    for (standing, code) in [
        (Standing::Pending, "membership_pending"),
        (Standing::MustEnrol, "mfa_enrolment_required"),
        (Standing::MustGiveAddress, "email_required"),
    ] {
        let mut waiting = actor(&[Role::SuperAdmin]);
        waiting.standing = standing;
        assert!(Access::OwnAccount.admit(Some(&waiting)).is_ok());
        assert!(Access::Public.admit(Some(&waiting)).is_ok());
        for access in [Access::SignedIn, Access::Needs(&READ)] {
            assert_eq!(access.admit(Some(&waiting)).unwrap_err().code(), code);
        }
        assert_eq!(waiting.grant(&READ).unwrap_err().code(), code);
    }
    for access in [Access::OwnAccount, Access::SignedIn, Access::Needs(&READ)] {
        assert_eq!(access.admit(None).unwrap_err().code(), "unauthenticated");
    }
}

/// Spec: users-teams-rbac 17, 19
#[test]
fn a_custom_role_adds_its_permissions_on_its_hosts_and_takes_none() {
    let mut person = actor(&[Role::ReadOnly]);
    person.scope = sets(&[1]);
    person.rights.custom = custom(&ADMIN, sets(&[2]));
    assert_eq!(person.grant(&ADMIN).unwrap().scope(), &sets(&[2]), "not on the hosts of the built-in role");
    assert_eq!(person.grant(&READ).unwrap().scope(), &sets(&[1]));
    person.rights.custom = custom(&READ, sets(&[2]));
    assert_eq!(person.grant(&READ).unwrap().scope(), &sets(&[1, 2]));
    person.rights.custom = custom(&READ, HostScope::All);
    assert!(person.grant(&READ).unwrap().scope().is_all());
}

/// Spec: auth 20
#[test]
fn a_key_uses_the_permissions_named_for_it_and_no_other() {
    let mut key = actor(&[Role::SuperAdmin]);
    key.rights.limit = Some(Arc::new(BTreeSet::from(["things.read".to_owned()])));
    assert!(key.grant(&READ).is_ok());
    assert_eq!(key.grant(&ADMIN).unwrap_err().code(), "forbidden");
    let mut reader = actor(&[Role::ReadOnly]);
    reader.rights.limit = Some(Arc::new(BTreeSet::from(["things.admin".to_owned()])));
    assert!(reader.grant(&ADMIN).is_err(), "a key never has more than its owner");
}

/// Spec: auth 17
#[test]
fn a_confirmation_counts_for_its_time_and_never_for_keys() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let five_minutes = Duration::from_secs(300);
    let mut person = actor(&[]);
    let code = |person: &Actor| person.confirmed_within(five_minutes, now).map_err(|problem| problem.code());
    assert_eq!(code(&person), Err("reauthentication_required"));
    for (ago, expected) in [(0, Ok(())), (300, Ok(())), (301, Err("reauthentication_required"))] {
        let Credential::Session { confirmed_at, .. } = &mut person.credential else { unreachable!() };
        *confirmed_at = now - TimeDelta::seconds(ago);
        assert_eq!(code(&person), expected, "{ago} s");
    }
    person.credential = Credential::ApiKey { id: Uuid::nil() };
    assert_eq!(code(&person), Err("forbidden"));
    assert_eq!(person.session_id(), None);
}

#[test]
fn sign_in_methods_are_named_and_found_again() {
    for method in SignInMethod::ALL {
        assert_eq!(SignInMethod::parse(method.as_str()), Some(method));
    }
    assert_eq!(SignInMethod::parse("magic"), None);
}
