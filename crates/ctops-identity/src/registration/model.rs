//! Who may register where, and what they type.

use std::time::Duration;

use chrono::TimeDelta;
use ctops_base::{FieldProblem, Problem};
use ctops_crypto::secret::constant_time_eq;
use ctops_slice::throttle::Rate;
use uuid::Uuid;

use crate::accounts::{Email, check_name};
use crate::passwords::{self, Context, Secret};
use crate::sign_in::is_local_path;

/// How long a registration waits for its address to be proved: as long as a link lives (auth 7).
pub(super) const LIFE: TimeDelta = TimeDelta::hours(24);
/// Registrations with one address, whether it has an account or not.
pub(super) const REGISTRATIONS_OF_ADDRESS: Rate =
    Rate { scope: "registration_address", limit: 5, window: Duration::from_secs(3600) };

/// An organisation that people may register with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenOrganisation {
    pub(super) id: Uuid,
    pub(super) name: String,
    /// Domains of addresses that may register; empty allows all.
    pub(super) allowed_domains: Vec<String>,
}

/// The organisation that an address registers with: the one that names its domain, else the first that takes every
/// domain. The request never says which.
///
/// # Errors
/// `wrong_state` when none takes registrations; `domain_not_allowed` on `email`.
pub(super) fn choose<'a>(
    open: &'a [OpenOrganisation],
    email: &Email,
) -> Result<&'a OpenOrganisation, Problem> {
    if open.is_empty() {
        return Err(closed());
    }
    let domain = email.as_str().rsplit('@').next().unwrap_or_default();
    let names_it = |one: &&OpenOrganisation| one.allowed_domains.iter().any(|allowed| allowed == domain);
    let chosen =
        open.iter().find(names_it).or_else(|| open.iter().find(|one| one.allowed_domains.is_empty()));
    chosen.ok_or_else(|| {
        Problem::invalid_field("email", "domain_not_allowed", "people with this domain cannot register")
    })
}

/// The refusal where people cannot register.
pub(super) fn closed() -> Problem {
    Problem::wrong_state("registration is not open; ask an administrator for an invitation")
}

/// A registration as it was asked for.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password: Secret,
    pub(super) password_confirmation: Secret,
    pub(super) redirect: Option<String>,
}

/// The part of a request that does not depend on the organisation.
pub(super) struct Applicant {
    pub(super) name: String,
    pub(super) email: Email,
}

impl Request {
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(&self) -> Result<Applicant, Problem> {
        let name = check_name("name", &self.name);
        let email = Email::parse("email", &self.email);
        let length = passwords::check_length("password", &self.password);
        let (typed, again) = (self.password.reveal(), self.password_confirmation.reveal());
        let same = constant_time_eq(typed.as_bytes(), again.as_bytes());
        let confirmed = if same { Ok(()) } else { Err(mismatch()) };
        let local = check_redirect(self.redirect.as_deref());
        match (name, email, length, confirmed, local) {
            (Ok(name), Ok(email), Ok(()), Ok(()), Ok(())) => Ok(Applicant { name, email }),
            (name, email, length, confirmed, local) => {
                let problems = [name.err(), email.err(), length.err(), confirmed.err(), local.err()];
                Err(Problem::invalid(problems.into_iter().flatten().collect()))
            }
        }
    }

    /// # Errors
    /// What the rule for new passwords says, with the organisation's own shortest length (auth 9).
    pub(super) fn check_password(
        &self,
        email: &Email,
        organisation: &OpenOrganisation,
        least_chars: u32,
    ) -> Result<(), Problem> {
        let context = Context { email: email.as_str(), organisation_name: &organisation.name };
        passwords::check("password", &self.password, context)
            .map_err(|field| Problem::invalid(vec![field]))?;
        let chars = self.password.reveal().chars().count();
        if chars < usize::try_from(least_chars).unwrap_or(usize::MAX) {
            let message = format!("has {chars} characters, at least {least_chars}");
            return Err(Problem::invalid_field("password", "too_short", message));
        }
        Ok(())
    }
}

fn mismatch() -> FieldProblem {
    FieldProblem {
        path: "password_confirmation".to_owned(),
        code: "mismatch",
        message: "differs from the password".to_owned(),
    }
}

/// Where a link leads after the address is verified: to a path of ours (auth 7).
///
/// # Errors
/// `not_local` on `redirect`.
pub(crate) fn check_redirect(path: Option<&str>) -> Result<(), FieldProblem> {
    match path {
        Some(path) if !is_local_path(path) => Err(FieldProblem {
            path: "redirect".to_owned(),
            code: "not_local",
            message: "must be a path of this server, at most 256 characters".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Somebody who waits for the proof of their address.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) organisation: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    /// An account has the address: its owner was told, and nothing else will come of this.
    pub(crate) address_taken: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn organisation(n: u128, allowed: &[&str]) -> OpenOrganisation {
        OpenOrganisation {
            id: Uuid::from_u128(n),
            name: format!("Organisation {n}"),
            allowed_domains: allowed.iter().map(|domain| (*domain).to_owned()).collect(),
        }
    }

    fn chosen(open: &[OpenOrganisation], email: &str) -> Result<u128, String> {
        let email = Email::parse("email", email).unwrap();
        match choose(open, &email) {
            Ok(one) => Ok(one.id.as_u128()),
            Err(problem) => {
                Err(problem.fields().first().map_or(problem.code(), |field| field.code).to_owned())
            }
        }
    }

    fn request(change: impl FnOnce(&mut Request)) -> Result<(), Vec<(String, &'static str)>> {
        let mut request = Request {
            name: "Grace Hopper".into(),
            email: "Grace@Example.com".into(),
            password: Secret::new("compiler of 1952"),
            password_confirmation: Secret::new("compiler of 1952"),
            redirect: None,
        };
        change(&mut request);
        let problem = match request.check() {
            Ok(_) => return Ok(()),
            Err(problem) => problem,
        };
        Err(problem.fields().iter().map(|field| (field.path.clone(), field.code)).collect())
    }

    /// Spec: auth 4
    #[test]
    fn organisation_that_names_the_domain_comes_before_those_that_take_all() {
        let open = [organisation(1, &[]), organisation(2, &["example.com", "example.net"])];
        assert_eq!(chosen(&open, "ada@example.net"), Ok(2));
        assert_eq!(chosen(&open, "ada@elsewhere.org"), Ok(1));
        assert_eq!(chosen(&open, "ada@sub.example.com"), Ok(1), "a domain is not its subdomains");
        assert_eq!(chosen(&open, "ada@example.com.evil.org"), Ok(1));
    }

    /// Spec: auth 4
    #[test]
    fn address_of_no_allowed_domain_and_a_closed_installation_are_refused() {
        let open = [organisation(2, &["example.com"])];
        assert_eq!(chosen(&open, "ada@elsewhere.org"), Err("domain_not_allowed".into()));
        assert_eq!(chosen(&open, "ada@example.com.elsewhere.org"), Err("domain_not_allowed".into()));
        assert_eq!(chosen(&[], "ada@example.com"), Err("wrong_state".into()));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        assert_eq!(request(|_| ()), Ok(()));
        let wrong = request(|request| {
            request.name = "G".into();
            request.email = "nowhere".into();
            request.password_confirmation = Secret::new("other");
            request.redirect = Some("//evil.example".into());
        });
        let expected = [
            ("name", "too_short"),
            ("email", "invalid"),
            ("password_confirmation", "mismatch"),
            ("redirect", "not_local"),
        ];
        assert_eq!(wrong.unwrap_err(), expected.map(|(path, code)| (path.to_owned(), code)));
        let long = "p".repeat(129);
        let wrong = request(|request| {
            request.password = Secret::new(long.clone());
            request.password_confirmation = Secret::new(long);
        });
        assert_eq!(wrong.unwrap_err(), [("password".to_owned(), "too_long")], "before anything is hashed");
    }

    /// Spec: auth 9
    #[test]
    fn organisation_may_ask_for_longer_passwords() {
        let request = Request {
            name: String::new(),
            email: String::new(),
            password: Secret::new("compiler of 1952"),
            password_confirmation: Secret::new(""),
            redirect: None,
        };
        let email = Email::parse("email", "grace@example.com").unwrap();
        let judged = |least| request.check_password(&email, &organisation(1, &[]), least);
        assert!(judged(12).is_ok() && judged(16).is_ok());
        assert_eq!(judged(17).unwrap_err().fields()[0].code, "too_short");
    }
}
