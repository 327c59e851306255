//! A browser's journey to a SAML provider and back.

use chrono::TimeDelta;
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

use super::library::{Accepted, Library, Parties, SamlRs};
use super::store::{self, NewAssertion};
use super::{acs_url, entity_id, gate};
use crate::arrival::{Person, provider_failed};
use crate::attempts::{self, Attempt, Begun, BrowserKey, LIFE};
use crate::identity_providers::{Kind, Protocol, Provider, SamlSettings, find_for_sign_in, open_secret};

/// The browser comes back with its ticket at once.
pub(super) const TICKET_LIFE: TimeDelta = TimeDelta::minutes(2);
/// Clocks of two machines may differ by this much (auth, limits).
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// Assertions are remembered for this long after the last moment that they could be presented at.
const REMEMBER: TimeDelta = TimeDelta::hours(1);

/// Where to send the browser, and what to give it.
pub(super) struct Departure {
    pub(super) url: String,
    pub(super) begun: Begun,
}

/// An answer that was verified.
pub(super) enum Verified {
    /// To a request of ours: the browser must come back with this ticket.
    Ticket(String),
    /// Unasked: who was asserted.
    Unasked(Box<(Provider, Attempt, Person)>),
}

fn settings(provider: &Provider) -> Result<&SamlSettings, Problem> {
    match &provider.protocol {
        Protocol::Saml(settings) => Ok(settings),
        Protocol::Oidc(_) => Err(Problem::internal("not a SAML provider")),
    }
}

/// Calls the library with both parties of the trust.
fn with_parties<T>(
    state: &AppState,
    provider: &Provider,
    work: impl FnOnce(&dyn Library, &Parties<'_>) -> T,
) -> Result<T, Problem> {
    let settings = settings(provider)?;
    let key_pem = open_secret(&state.seal, provider)?;
    let public_url = &state.installation.public_url;
    let (entity_id, acs_url) = (entity_id(public_url, provider.id), acs_url(public_url, provider.id));
    let parties = Parties {
        entity_id: &entity_id,
        acs_url: &acs_url,
        certificate_pem: &settings.own_certificate_pem,
        key_pem: &key_pem,
        metadata_xml: &settings.metadata_xml,
    };
    Ok(work(&SamlRs, &parties))
}

/// Our metadata for a provider.
///
/// # Errors
/// `not_found` for providers that are not offered.
pub(super) async fn own_metadata(state: &AppState, id: Uuid) -> Result<String, Problem> {
    let provider = find_for_sign_in(state, Kind::Saml, id).await?;
    with_parties(state, &provider, |library, parties| library.own_metadata(parties))?
        .map_err(Problem::internal)
}

/// Begins a journey.
///
/// # Errors
/// `not_found` for providers that are not offered.
pub(super) async fn depart(
    state: &AppState,
    id: Uuid,
    return_to: Option<&str>,
    confirms: Option<Actor>,
) -> Result<Departure, Problem> {
    let provider = find_for_sign_in(state, Kind::Saml, id).await?;
    let force = confirms.is_some();
    let departing = with_parties(state, &provider, |library, parties| library.request(parties, force))?;
    let departing = departing.map_err(provider_failed)?;
    let begun = attempts::begin(state, id, Some(departing.id), return_to, confirms.as_ref()).await?;
    Ok(Departure { url: departing.url, begun })
}

/// Verifies an answer and keeps it. The outer error is for answers that belong to nobody; the inner one is written into the
/// audit trail of the provider's organisation.
///
/// # Errors
/// `not_found`, `internal`; inside: `sign_in_replayed`, `sso_failed`.
pub(super) async fn verify(
    state: &AppState,
    id: Uuid,
    field: &str,
    relay_state: Option<&str>,
) -> Result<(Provider, Result<Verified, Problem>), Problem> {
    let provider = find_for_sign_in(state, Kind::Saml, id).await?;
    let outcome = verify_for(state, &provider, field, relay_state).await;
    Ok((provider, outcome))
}

async fn verify_for(
    state: &AppState,
    provider: &Provider,
    field: &str,
    relay_state: Option<&str>,
) -> Result<Verified, Problem> {
    let xml = gate::decode(field).map_err(provider_failed)?;
    let shape = gate::judge(&xml).map_err(provider_failed)?;
    let now = state.clock.now();
    let attempt = match shape.in_response_to.as_deref() {
        Some(request) => Some(attempts::find(state, provider.id, request).await?),
        None if settings(provider)?.allow_idp_initiated => None,
        None => return Err(provider_failed("sign-in that begins at the provider is switched off")),
    };
    let request = attempt.as_ref().and(shape.in_response_to.as_deref());
    let accepted =
        with_parties(state, provider, |library, parties| library.accept(parties, &xml, request, now))?;
    let accepted = accepted.map_err(provider_failed)?;
    if let Some(attempt) = attempt.as_ref().filter(|attempt| attempt.confirm_user_id.is_some()) {
        let fresh = accepted.authenticated_at.is_some_and(|at| at + SKEW >= attempt.created_at);
        if !fresh {
            return Err(provider_failed("the provider did not ask for credentials again"));
        }
    }
    let person = person(settings(provider)?, &accepted)?;
    keep(state, provider, attempt, &accepted, person, relay_state).await
}

/// Writes an assertion down: the second time it is a replay.
async fn keep(
    state: &AppState,
    provider: &Provider,
    attempt: Option<Attempt>,
    accepted: &Accepted,
    person: Person,
    relay_state: Option<&str>,
) -> Result<Verified, Problem> {
    let now = state.clock.now();
    let ticket = random_token("");
    let ticket_hash = sha256(ticket.as_bytes());
    let plain = serde_json::to_vec(&person).map_err(Problem::internal)?;
    let sealed = state.seal.seal(&sealed_name(&ticket_hash), &plain);
    let new = NewAssertion {
        provider_id: provider.id,
        id_hash: sha256(accepted.assertion_id.as_bytes()),
        ticket: attempt.as_ref().map(|attempt| (ticket_hash, attempt.id, sealed.as_slice())),
        forget_after: accepted.valid_until + SKEW + REMEMBER,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let is_new = store::insert(&mut tx, &new, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    if !is_new {
        return Err(attempts::replayed());
    }
    if attempt.is_some() {
        return Ok(Verified::Ticket(ticket));
    }
    let unasked = Attempt {
        id: Uuid::nil(),
        provider_id: provider.id,
        confirm_user_id: None,
        return_to: relay_state.unwrap_or("/").to_owned(),
        created_at: now,
        expires_at: now + LIFE,
    };
    Ok(Verified::Unasked(Box::new((provider.clone(), unasked, person))))
}

/// Takes the browser back that a ticket was given to.
///
/// # Errors
/// `sign_in_replayed`, `not_found`.
pub(super) async fn arrive(
    state: &AppState,
    id: Uuid,
    ticket: &str,
    key: &BrowserKey,
) -> Result<(Provider, Attempt, Person), Problem> {
    let provider = find_for_sign_in(state, Kind::Saml, id).await?;
    let (hash, now) = (sha256(ticket.as_bytes()), state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let taken = store::take(&mut tx, id, &hash, now - TICKET_LIFE, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    let (attempt_id, sealed) = taken.ok_or_else(attempts::replayed)?;
    let attempt = attempts::finish_found(state, attempt_id, key).await?;
    let plain = state.seal.open(&sealed_name(&hash), &sealed).map_err(Problem::internal)?;
    Ok((provider, attempt, serde_json::from_slice(&plain).map_err(Problem::internal)?))
}

fn sealed_name(ticket_hash: &[u8; 32]) -> String {
    use base64::Engine;
    format!("saml_assertions.person:{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ticket_hash))
}

/// The person that an assertion describes, by the provider's attribute map.
fn person(settings: &SamlSettings, accepted: &Accepted) -> Result<Person, Problem> {
    let map = &settings.attributes;
    let values = |name: &str| {
        let found = accepted.attributes.iter().filter(|(known, _)| !name.is_empty() && known == name);
        found
            .flat_map(|(_, values)| values)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect::<Vec<_>>()
    };
    let subject = match map.subject.as_str() {
        "" => accepted.name_id.clone(),
        name => values(name).first().map(|value| (*value).to_owned()),
    };
    let subject = subject.ok_or_else(|| {
        let detail =
            "the provider sends no lasting id: have it send a persistent NameID, or name an attribute";
        Problem::new(ProblemKind::Unauthenticated, "sso_no_subject", detail).caused_by("no usable NameID")
    })?;
    let is_second_factor = |context: &String| settings.second_factor_contexts.contains(context);
    Ok(Person {
        subject,
        email: values(&map.email).first().map(|value| (*value).to_owned()),
        // SAML has no word for it; administrators say whether they trust the provider.
        email_verified: false,
        name: values(&map.name).first().map(|value| (*value).to_owned()).unwrap_or_default(),
        groups: values(&map.groups).into_iter().map(str::to_owned).collect(),
        second_factor: accepted.context.as_ref().is_some_and(is_second_factor),
        authenticated_at: accepted.authenticated_at,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::DateTime;

    use super::*;
    use crate::identity_providers::AttributeMap;

    fn accepted() -> Accepted {
        Accepted {
            assertion_id: "_a".to_owned(),
            name_id: Some("alice-4711".to_owned()),
            attributes: vec![
                ("mail".to_owned(), vec!["alice@example.com".to_owned()]),
                ("uid".to_owned(), vec!["alice".to_owned()]),
                ("groups".to_owned(), vec!["ops".to_owned(), String::new()]),
                ("groups".to_owned(), vec!["admins".to_owned()]),
            ],
            context: Some("https://refeds.org/profile/mfa".to_owned()),
            authenticated_at: None,
            valid_until: DateTime::UNIX_EPOCH,
        }
    }

    fn settings() -> SamlSettings {
        let attributes = AttributeMap {
            subject: String::new(),
            email: "mail".to_owned(),
            name: "displayName".to_owned(),
            groups: "groups".to_owned(),
        };
        let second_factor_contexts = vec!["https://refeds.org/profile/mfa".to_owned()];
        SamlSettings { attributes, second_factor_contexts, ..SamlSettings::default() }
    }

    /// Spec: auth 18, 34, 35
    #[test]
    fn attributes_become_a_person_by_the_map() {
        let found = person(&settings(), &accepted()).unwrap();
        assert_eq!(
            (found.subject.as_str(), found.email.as_deref()),
            ("alice-4711", Some("alice@example.com"))
        );
        assert_eq!((found.groups, found.second_factor), (vec!["ops".to_owned(), "admins".to_owned()], true));
        assert!(!found.email_verified, "an assertion alone verifies no address");
        let mut by_attribute = settings();
        by_attribute.attributes.subject = "uid".to_owned();
        by_attribute.second_factor_contexts.clear();
        let found = person(&by_attribute, &accepted()).unwrap();
        assert_eq!((found.subject.as_str(), found.second_factor), ("alice", false));
    }

    /// Spec: auth 34
    #[test]
    fn assertion_without_a_lasting_id_is_refused() {
        let transient = Accepted { name_id: None, ..accepted() };
        assert_eq!(person(&settings(), &transient).unwrap_err().code(), "sso_no_subject");
        let mut missing = settings();
        missing.attributes.subject = "employeeNumber".to_owned();
        assert_eq!(person(&missing, &accepted()).unwrap_err().code(), "sso_no_subject");
    }
}
