#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn member(state: MemberState, roles: &[Role]) -> Membership {
    Membership {
        org_id: Uuid::nil(),
        user_id: Uuid::from_u128(1),
        state,
        roles: roles.iter().copied().collect(),
        roles_from: RolesFrom::Provider,
    }
}

fn judged(actor: &[Role], before: &[Role], after: &[Role]) -> Result<(), &'static str> {
    let (before, after) = (member(MemberState::Active, before), member(MemberState::Active, after));
    let roles = actor.iter().copied().collect();
    judge(Uuid::from_u128(2), &roles, &before, &after).map_err(|problem| problem.code())
}

/// Spec: users-teams-rbac 7
#[test]
fn only_a_super_admin_grants_or_takes_super_admin() {
    use Role::{Engineer, OrgAdmin, ReadOnly, SuperAdmin};
    assert_eq!(judged(&[SuperAdmin], &[Engineer], &[SuperAdmin]), Ok(()));
    assert_eq!(judged(&[SuperAdmin], &[SuperAdmin], &[Engineer]), Ok(()));
    for (before, after) in [(Engineer, SuperAdmin), (SuperAdmin, Engineer), (SuperAdmin, SuperAdmin)] {
        assert_eq!(judged(&[OrgAdmin], &[before], &[after]), Err("super_admin_required"));
    }
    for granted in [OrgAdmin, Engineer, ReadOnly] {
        assert_eq!(judged(&[OrgAdmin], &[ReadOnly], &[granted]), Ok(()));
    }
}

/// A custom role may let an engineer manage people, but not make administrators.
#[test]
fn nobody_grants_or_takes_a_role_stronger_than_their_own() {
    use Role::{Engineer, OrgAdmin, ReadOnly};
    assert_eq!(judged(&[Engineer], &[ReadOnly], &[Engineer]), Ok(()));
    assert_eq!(judged(&[Engineer], &[ReadOnly], &[OrgAdmin]), Err("forbidden"));
    assert_eq!(judged(&[Engineer], &[OrgAdmin], &[ReadOnly]), Err("forbidden"));
    assert_eq!(judged(&[], &[ReadOnly], &[ReadOnly]), Err("forbidden"));
}

/// Spec: users-teams-rbac 6
#[test]
fn nobody_changes_themselves_whatever_their_roles() {
    let me = member(MemberState::Active, &[Role::SuperAdmin]);
    let problem = judge(me.user_id, &Role::ALL.into(), &me, &me).unwrap_err();
    assert_eq!((problem.code(), problem.kind()), ("cannot_change_self", ProblemKind::Conflict));
}

/// Spec: users-teams-rbac 5
#[test]
fn states_lead_to_each_other_as_the_rules_say() {
    use MemberState::{Active, Deactivated, Pending, Removed};
    let to = |from, state| {
        let patch = UserPatch { roles: None, state: Some(state) };
        patch.apply(&member(from, &[Role::Engineer])).map(|m| m.state).map_err(|p| p.code())
    };
    assert_eq!(to(Pending, Active), Ok(Active));
    assert_eq!(to(Active, Deactivated), Ok(Deactivated));
    assert_eq!(to(Deactivated, Active), Ok(Active));
    assert_eq!(to(Pending, Deactivated), Err("wrong_state"));
    for state in [Pending, Removed] {
        assert_eq!(to(Active, state), Err("wrong_state"));
    }
    for state in MemberState::ALL {
        assert_eq!(to(Removed, state), Err("wrong_state"), "restoring is an operation of its own");
    }
}

#[test]
fn approval_without_a_role_is_refused() {
    let patch = UserPatch { roles: None, state: Some(MemberState::Active) };
    let problem = patch.apply(&member(MemberState::Pending, &[])).unwrap_err();
    assert_eq!(problem.fields()[0].path, "roles");
}

#[test]
fn roles_chosen_by_people_no_longer_follow_the_provider() {
    let patch = UserPatch { roles: Some([Role::ReadOnly].into()), state: None };
    let after = patch.apply(&member(MemberState::Active, &[Role::Engineer])).unwrap();
    assert_eq!(after.roles_from, RolesFrom::People);
    let untouched = UserPatch { roles: None, state: Some(MemberState::Deactivated) };
    let after = untouched.apply(&member(MemberState::Active, &[Role::Engineer])).unwrap();
    assert_eq!(after.roles_from, RolesFrom::Provider);
}

#[test]
fn role_names_are_read_with_the_alias_and_others_refused() {
    let parse = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        parse_role_names("roles", &names).map_err(|problem| problem.code)
    };
    assert_eq!(
        parse(&["engineer", "engineer", "instance_admin"]),
        Ok([Role::Engineer, Role::OrgAdmin].into())
    );
    assert_eq!(parse(&[]), Err("required"));
    for bad in ["Super_Admin", "root", "", "super_admin "] {
        assert_eq!(parse(&["read_only", bad]), Err("invalid"), "{bad:?}");
    }
}

fn some_roles() -> impl Strategy<Value = BTreeSet<Role>> {
    prop::sample::subsequence(Role::ALL.to_vec(), 0..=4).prop_map(|roles| roles.into_iter().collect())
}

proptest! {
    #[test]
    fn without_super_admin_no_change_ever_touches_one(
        actor in some_roles(), before in some_roles(), after in some_roles(),
    ) {
        prop_assume!(!actor.contains(&Role::SuperAdmin));
        prop_assume!(before.contains(&Role::SuperAdmin) || after.contains(&Role::SuperAdmin));
        let member = |roles| Membership { roles, ..member(MemberState::Active, &[]) };
        prop_assert!(judge(Uuid::nil(), &actor, &member(before), &member(after)).is_err());
    }
}
