//! What an invitation is, and who may accept it.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem, ProblemKind, Role};
use ctops_crypto::secret::constant_time_eq;
use ctops_slice::throttle::Rate;
use uuid::Uuid;

use crate::accounts::{Email, check_name};
use crate::passwords::{self, Secret};
use crate::users::parse_role_names;

/// How long a link lives (auth 27).
pub(super) const LIFE: TimeDelta = TimeDelta::days(7);
/// What every token begins with.
pub(super) const TOKEN_PREFIX: &str = "inv_";
/// Looks at links and attempts to accept one, per client address (auth 28).
pub(super) const LOOKS: Rate = Rate { scope: "invitation_look", limit: 10, window: Duration::from_secs(60) };
/// Letters that one organisation's administrators can cause.
pub(super) const LETTERS: Rate =
    Rate { scope: "invitation_mail", limit: 60, window: Duration::from_secs(3600) };

/// State of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvitationState {
    Live,
    Expired,
    Accepted,
    Cancelled,
}

impl InvitationState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Accepted => "accepted",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An invitation.
#[derive(Clone, Debug)]
pub(super) struct Invitation {
    pub(super) id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) email: String,
    pub(super) roles: BTreeSet<Role>,
    pub(super) team_ids: Vec<Uuid>,
    pub(super) host_group_ids: Vec<Uuid>,
    pub(super) invited_by: Option<(Uuid, String)>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) accepted_at: Option<DateTime<Utc>>,
    pub(super) cancelled_at: Option<DateTime<Utc>>,
}

impl Invitation {
    pub(super) fn state(&self, now: DateTime<Utc>) -> InvitationState {
        if self.accepted_at.is_some() {
            InvitationState::Accepted
        } else if self.cancelled_at.is_some() {
            InvitationState::Cancelled
        } else if self.expires_at <= now {
            InvitationState::Expired
        } else {
            InvitationState::Live
        }
    }

    /// # Errors
    /// `wrong_state`, saying why the link does not work.
    pub(super) fn must_be_live(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        match self.state(now) {
            InvitationState::Live => Ok(()),
            InvitationState::Expired => {
                Err(Problem::wrong_state("the invitation has expired; ask for a new one"))
            }
            InvitationState::Accepted => Err(Problem::wrong_state("the invitation was accepted already")),
            InvitationState::Cancelled => Err(Problem::wrong_state("the invitation was cancelled")),
        }
    }
}

/// An invitation as an administrator wants it.
#[derive(Clone, Debug)]
pub(super) struct NewInvitation {
    pub(super) email: Email,
    pub(super) roles: BTreeSet<Role>,
    pub(super) team_ids: Vec<Uuid>,
    pub(super) host_group_ids: Vec<Uuid>,
}

impl NewInvitation {
    /// Checks what can be checked without the database.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable; `role_not_scopable` on `host_group_ids` when an
    /// administrator is to be scoped.
    pub(super) fn check(
        email: &str,
        roles: &[String],
        mut team_ids: Vec<Uuid>,
        mut host_group_ids: Vec<Uuid>,
    ) -> Result<Self, Problem> {
        let email = Email::parse("email", email);
        let roles = parse_role_names("roles", roles);
        for ids in [&mut team_ids, &mut host_group_ids] {
            ids.sort_unstable();
            ids.dedup();
        }
        match (email, roles) {
            (Ok(email), Ok(roles)) => {
                let administers = roles.iter().any(|role| *role >= Role::OrgAdmin);
                if administers && !host_group_ids.is_empty() {
                    let message = "administrators see every host";
                    return Err(Problem::invalid_field("host_group_ids", "role_not_scopable", message));
                }
                Ok(Self { email, roles, team_ids, host_group_ids })
            }
            (email, roles) => {
                Err(Problem::invalid([email.err(), roles.err()].into_iter().flatten().collect()))
            }
        }
    }
}

/// The account that has an invited address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownAccount {
    pub(super) user_id: Uuid,
    /// The account itself may be used.
    pub(super) usable: bool,
    /// It is a pending or active member of some organisation, so its owner can sign in.
    pub(super) can_sign_in: bool,
}

/// The account that a new person makes.
pub(super) struct NewAccount {
    pub(super) name: String,
    pub(super) password: Secret,
    pub(super) password_confirmation: Secret,
}

impl NewAccount {
    /// Checks name and password and returns the name trimmed.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(&self, context: passwords::Context<'_>) -> Result<String, Problem> {
        let name = check_name("name", &self.name);
        let password = passwords::check("password", &self.password, context);
        let typed = self.password.reveal().as_bytes();
        let again = self.password_confirmation.reveal().as_bytes();
        let same = if constant_time_eq(typed, again) { Ok(()) } else { Err(mismatch()) };
        match (name, password, same) {
            (Ok(name), Ok(()), Ok(())) => Ok(name),
            (name, password, same) => {
                let problems = [name.err(), password.err(), same.err()];
                Err(Problem::invalid(problems.into_iter().flatten().collect()))
            }
        }
    }
}

fn mismatch() -> FieldProblem {
    FieldProblem {
        path: "password_confirmation".to_owned(),
        code: "mismatch",
        message: "differs from the password".to_owned(),
    }
}

/// A token that belongs to no invitation.
pub(super) fn unknown_token() -> Problem {
    Problem::invalid_field("token", "invalid_token", "is not the token of an invitation")
}

/// Whether a signed-in account is the invited one (auth 28).
///
/// # Errors
/// `invitation_for_another_address`, `email_not_verified`.
pub(super) fn judge_address(invited: &str, email: &str, verified: bool) -> Result<(), Problem> {
    if Email::fold(invited) != Email::fold(email) {
        let detail = "the invitation is for another e-mail address than that of your account";
        return Err(Problem::new(ProblemKind::Forbidden, "invitation_for_another_address", detail));
    }
    if !verified {
        let detail = "verify your e-mail address before you accept";
        return Err(Problem::new(ProblemKind::Forbidden, "email_not_verified", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(
        email: &str,
        roles: &[&str],
        groups: Vec<Uuid>,
    ) -> Result<NewInvitation, Vec<(String, &'static str)>> {
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        NewInvitation::check(email, &roles, vec![], groups)
            .map_err(|problem| problem.fields().iter().map(|f| (f.path.clone(), f.code)).collect())
    }

    /// Spec: auth 27
    #[test]
    fn an_invitation_names_an_address_and_known_roles() {
        assert_eq!(
            check(" Bob@Example.com", &["engineer"], vec![]).unwrap().email.as_str(),
            "bob@example.com"
        );
        let problems = check("nobody", &[], vec![]).unwrap_err();
        assert_eq!(problems, [("email".into(), "invalid"), ("roles".into(), "required")]);
        assert_eq!(check("a@b.c", &["god"], vec![]).unwrap_err(), [("roles".into(), "invalid")]);
    }

    /// Spec: users-teams-rbac 16
    #[test]
    fn administrators_are_not_scoped_by_an_invitation() {
        let group = vec![Uuid::from_u128(1)];
        assert!(check("a@b.c", &["engineer"], group.clone()).is_ok());
        let problems = check("a@b.c", &["engineer", "org_admin"], group).unwrap_err();
        assert_eq!(problems, [("host_group_ids".into(), "role_not_scopable")]);
    }

    /// Spec: auth 28
    #[test]
    fn only_the_invited_and_verified_address_accepts() {
        let code = |email, verified| judge_address("Bob@Example.com", email, verified).map_err(|p| p.code());
        assert_eq!(code("bob@example.COM ", true), Ok(()));
        assert_eq!(code("bob@example.com", false), Err("email_not_verified"));
        for other in ["eve@example.com", "bob@example.com.evil.org", "", "bob@exam\u{440}le.com"] {
            assert_eq!(code(other, true), Err("invitation_for_another_address"), "{other}");
        }
    }

    /// Spec: auth 27
    #[test]
    fn an_invitation_lives_seven_days_and_once() {
        let created_at = DateTime::UNIX_EPOCH;
        let invitation = Invitation {
            id: Uuid::nil(),
            org_id: Uuid::nil(),
            email: String::new(),
            roles: BTreeSet::new(),
            team_ids: vec![],
            host_group_ids: vec![],
            invited_by: None,
            created_at,
            sent_at: created_at,
            expires_at: created_at + LIFE,
            accepted_at: None,
            cancelled_at: None,
        };
        assert!(invitation.must_be_live(created_at + LIFE - TimeDelta::seconds(1)).is_ok());
        assert_eq!(invitation.state(created_at + TimeDelta::days(7)), InvitationState::Expired);
        let accepted = Invitation { accepted_at: Some(created_at), ..invitation.clone() };
        assert_eq!(accepted.must_be_live(created_at).unwrap_err().code(), "wrong_state");
        let cancelled = Invitation { cancelled_at: Some(created_at), ..invitation };
        assert_eq!(cancelled.state(created_at), InvitationState::Cancelled);
    }
}
