//! Claims to a person, by the provider's claim map.

use serde_json::{Map, Value};

use super::id_token::{IdToken, strings};
use crate::arrival::Person;
use crate::identity_providers::ClaimMap;

/// Groups of one person that are looked at.
const MAX_GROUPS: usize = 1000;

/// A claim by its name or, where there is none of that name, by the way that its dots describe.
fn at<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if name.is_empty() {
        return None;
    }
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_object()?.get(step))
    })
}

/// Whether everything that the map names is there.
pub(super) fn complete(map: &ClaimMap, claims: &Map<String, Value>) -> bool {
    [&map.email, &map.name, &map.groups].into_iter().all(|name| name.is_empty() || at(claims, name).is_some())
}

/// The person that the claims describe.
pub(super) fn person(map: &ClaimMap, token: &IdToken, claims: &Map<String, Value>) -> Person {
    let text = |name: &str| at(claims, name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Some providers write the flag as text. It speaks of the standard claim only.
    let verified = matches!(claims.get("email_verified"), Some(Value::Bool(true)))
        || claims.get("email_verified").and_then(Value::as_str) == Some("true");
    Person {
        subject: token.subject.clone(),
        email: text(&map.email).map(str::to_owned),
        email_verified: verified && map.email == "email",
        name: text(&map.name).unwrap_or_default().to_owned(),
        groups: strings(at(claims, &map.groups)).take(MAX_GROUPS).map(str::to_owned).collect(),
        second_factor: token.second_factor,
        authenticated_at: token.authenticated_at,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn read(map: &ClaimMap, claims: &Value) -> Person {
        let claims = claims.as_object().unwrap();
        let (subject, second_factor) = ("alice".to_owned(), false);
        person(
            map,
            &IdToken { subject, claims: claims.clone(), second_factor, authenticated_at: None },
            claims,
        )
    }

    /// Spec: auth 33
    #[test]
    fn address_counts_as_verified_only_when_the_provider_says_so_of_that_claim() {
        let map = ClaimMap::default();
        for (flag, verified) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(false), false),
            (json!("TRUE"), false),
            (json!(1), false),
        ] {
            let claims = json!({"email": "alice@example.com", "email_verified": flag});
            assert_eq!(read(&map, &claims).email_verified, verified, "{flag}");
        }
        assert!(!read(&map, &json!({"email": "alice@example.com"})).email_verified);
        let other = ClaimMap { email: "upn".to_owned(), ..ClaimMap::default() };
        let claims = json!({"upn": "root@example.com", "email": "alice@example.com", "email_verified": true});
        let person = read(&other, &claims);
        assert_eq!((person.email.as_deref(), person.email_verified), (Some("root@example.com"), false));
    }

    /// Spec: auth 33, 35
    #[test]
    fn claims_are_found_by_name_and_by_way() {
        let map = ClaimMap { groups: "realm_access.roles".to_owned(), ..ClaimMap::default() };
        let nested = json!({"name": "Alice", "realm_access": {"roles": ["ops", 7, "admins"]}});
        assert_eq!(read(&map, &nested).groups, ["ops", "admins"]);
        assert_eq!(read(&map, &json!({"realm_access.roles": "one"})).groups, ["one"]);
        assert!(read(&map, &json!({"realm_access": ["roles"]})).groups.is_empty());
        assert!(!complete(&map, nested.as_object().unwrap()), "the address is missing");
        let none = ClaimMap { email: String::new(), name: String::new(), groups: String::new() };
        assert!(complete(&none, &Map::new()) && read(&none, &nested).email.is_none());
    }
}
