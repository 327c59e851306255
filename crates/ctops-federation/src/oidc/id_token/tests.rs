#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://idp.example.com/realms/main";
const CLIENT: &str = "ct-ops";
const NONCE: &str = "nonce-of-this-sign-in";

/// A provider with one key of each kind.
struct Provider {
    rsa: EncodingKey,
    ec: EncodingKey,
    rsa_public_pem: String,
    set: Value,
}

fn provider() -> Provider {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let rsa_key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    let ec_key = EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes()).unwrap();
    let public = |key: &EncodingKey, algorithm, id: &str| {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(id);
        jwk["use"] = json!("sig");
        jwk
    };
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "X448", "x": "AA", "kid": "of a kind that is unknown here"},
        public(&rsa_key, Algorithm::RS256, "rsa"),
        public(&ec_key, Algorithm::ES256, "ec"),
    ]});
    Provider { rsa: rsa_key, ec: ec_key, rsa_public_pem: rsa.public_key_pem(), set }
}

impl Provider {
    fn keys(&self) -> Keys {
        Keys::parse(self.set.to_string().as_bytes()).unwrap()
    }

    fn signed(&self, claims: &Value) -> String {
        sign(&self.rsa, Algorithm::RS256, Some("rsa"), claims)
    }
}

fn sign(key: &EncodingKey, algorithm: Algorithm, id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": CLIENT, "nonce": NONCE, "iat": now().timestamp(),
        "exp": now().timestamp() + 300, "amr": ["pwd", "mfa"], "email": "alice@example.com",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, client_id: CLIENT, nonce: NONCE, now: now(), authenticated_after: None }
}

fn refusal(token: &str, keys: &Keys) -> TokenError {
    verify(token, keys, expected()).unwrap_err()
}

/// Spec: auth 33, 18
#[test]
fn token_of_the_provider_is_accepted_with_either_algorithm() {
    let provider = provider();
    let keys = provider.keys();
    assert_eq!(keys.len(), 2, "one key is of a kind that is unknown here");
    for token in [provider.signed(&claims()), sign(&provider.ec, Algorithm::ES256, Some("ec"), &claims())] {
        let accepted = verify(&token, &keys, expected()).unwrap();
        assert_eq!((accepted.subject.as_str(), accepted.second_factor), ("alice", true));
        assert_eq!(accepted.claims["email"], "alice@example.com");
    }
    let without = verify(&provider.signed(&with("amr", json!(["pwd"]))), &keys, expected()).unwrap();
    assert!(!without.second_factor);
    let by_only_key = sign(&provider.ec, Algorithm::ES256, None, &claims());
    assert!(verify(&by_only_key, &keys, expected()).is_ok(), "one key of its kind needs no name");
}

/// Attack class 14: no signature, an HMAC with the public key as its secret, other algorithms.
/// Spec: auth 33
#[test]
fn token_with_another_algorithm_is_refused() {
    let provider = provider();
    let keys = provider.keys();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for header in
        [json!({"alg": "none"}), json!({"alg": "None", "kid": "rsa"}), json!({}), json!({"alg": 256})]
    {
        let token = format!("{}.{}.", part(&header), part(&claims()));
        assert_eq!(refusal(&token, &keys), TokenError::Algorithm, "{header}");
    }
    for secret in [
        provider.rsa_public_pem.clone(),
        provider.set["keys"][1]["n"].as_str().unwrap().to_owned(),
        String::new(),
    ] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = sign(&key, Algorithm::HS256, Some("rsa"), &claims());
        assert_eq!(refusal(&token, &keys), TokenError::Algorithm);
        let as_rsa = token.split_once('.').unwrap().1;
        let disguised = format!("{}.{as_rsa}", part(&json!({"alg": "RS256", "kid": "rsa"})));
        assert_eq!(refusal(&disguised, &keys), TokenError::Signature);
    }
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = sign(&provider.rsa, algorithm, Some("rsa"), &claims());
        assert_eq!(refusal(&token, &keys), TokenError::Algorithm, "{algorithm:?}");
    }
}

/// Attack class 14: keys that the token names or brings itself.
/// Spec: auth 33
#[test]
fn token_with_a_key_of_its_own_is_refused() {
    let (provider, attacker) = (provider(), provider());
    let keys = provider.keys();
    for id in [Some("rsa"), Some("other"), Some("../../../dev/null"), Some("' OR 1=1 --"), Some(""), None] {
        let token = sign(&attacker.rsa, Algorithm::RS256, id, &claims());
        let refused = refusal(&token, &keys);
        assert!(matches!(refused, TokenError::Signature | TokenError::UnknownKey), "{id:?}: {refused}");
    }
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    header.jwk = Some(Jwk::from_encoding_key(&attacker.rsa, Algorithm::RS256).unwrap());
    header.jku = Some("https://attacker.example/keys".to_owned());
    header.x5u = Some("https://attacker.example/cert".to_owned());
    let token = jsonwebtoken::encode(&header, &claims(), &attacker.rsa).unwrap();
    assert_eq!(refusal(&token, &keys), TokenError::Signature, "keys of the header are not looked at");
    let crossed = sign(&provider.ec, Algorithm::ES256, Some("rsa"), &claims());
    assert_eq!(refusal(&crossed, &keys), TokenError::UnknownKey, "a key serves its own algorithm only");
    let mut critical = Header::new(Algorithm::RS256);
    critical.kid = Some("rsa".to_owned());
    critical.crit = Some(vec!["b64".to_owned()]);
    let token = jsonwebtoken::encode(&critical, &claims(), &provider.rsa).unwrap();
    assert_eq!(refusal(&token, &keys), TokenError::Algorithm);
}

/// Spec: auth 33
#[test]
fn token_for_somebody_else_is_refused() {
    let provider = provider();
    let keys = provider.keys();
    for (name, value, wanted) in [
        ("iss", json!("https://idp.example.com/realms/other"), TokenError::Issuer),
        ("iss", json!("https://idp.example.com/realms/main/"), TokenError::Issuer),
        ("iss", json!(["https://idp.example.com/realms/main"]), TokenError::Issuer),
        ("iss", Value::Null, TokenError::Issuer),
        ("aud", json!("another-client"), TokenError::Audience),
        ("aud", json!([CLIENT, "another-client"]), TokenError::Audience),
        ("aud", json!([]), TokenError::Audience),
        ("aud", Value::Null, TokenError::Audience),
        ("azp", json!("another-client"), TokenError::Audience),
        ("nonce", json!("nonce-of-another-sign-in"), TokenError::Nonce),
        ("nonce", json!(""), TokenError::Nonce),
        ("nonce", Value::Null, TokenError::Nonce),
        ("sub", json!(""), TokenError::Claims),
        ("sub", json!(7), TokenError::Claims),
        ("sub", json!("x".repeat(256)), TokenError::Claims),
        ("sub", Value::Null, TokenError::Claims),
    ] {
        let token = provider.signed(&with(name, value.clone()));
        assert_eq!(refusal(&token, &keys), wanted, "{name}: {value}");
    }
    let mut several = with("aud", json!([CLIENT, "another-client"]));
    several["azp"] = json!(CLIENT);
    assert!(verify(&provider.signed(&several), &keys, expected()).is_ok());
}

/// Spec: auth 33
#[test]
fn times_are_judged_with_a_minute_of_skew() {
    let provider = provider();
    let keys = provider.keys();
    let at = now().timestamp();
    for (name, value, wanted) in [
        ("exp", json!(at - 59), None),
        ("exp", json!(at - 60), Some(TokenError::Expired)),
        ("exp", json!(i64::MIN), Some(TokenError::Expired)),
        ("exp", json!("tomorrow"), Some(TokenError::Claims)),
        ("exp", Value::Null, Some(TokenError::Claims)),
        ("iat", json!(at + 60), None),
        ("iat", json!(at + 61), Some(TokenError::NotYetValid)),
        ("iat", Value::Null, Some(TokenError::Claims)),
        ("nbf", json!(at + 60), None),
        ("nbf", json!(at + 61), Some(TokenError::NotYetValid)),
        ("exp", json!(1_780_000_100.5), None),
    ] {
        let outcome = verify(&provider.signed(&with(name, value.clone())), &keys, expected());
        assert_eq!(outcome.err(), wanted, "{name}: {value}");
    }
}

/// Spec: auth 17
#[test]
fn token_without_new_credentials_does_not_confirm() {
    let provider = provider();
    let keys = provider.keys();
    let confirm = Expected { authenticated_after: Some(now()), ..expected() };
    for (value, passes) in [
        (json!(now().timestamp()), true),
        (json!((now() - TimeDelta::minutes(10)).timestamp()), false),
        (Value::Null, false),
    ] {
        let outcome = verify(&provider.signed(&with("auth_time", value.clone())), &keys, confirm);
        assert_eq!(outcome.err(), (!passes).then_some(TokenError::NotFresh), "{value}");
    }
}

/// Spec: auth 33
#[test]
fn weak_and_misplaced_keys_are_not_taken() {
    let provider = provider();
    let [mut small, mut for_encryption, mut other_algorithm] =
        [(); 3].map(|()| provider.set["keys"][1].clone());
    small["n"] = json!(URL_SAFE_NO_PAD.encode([0xff; 128]));
    for_encryption["use"] = json!("enc");
    other_algorithm["alg"] = json!("RS512");
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "rsa", "alg": "HS256"});
    let set = json!({"keys": [small, for_encryption, other_algorithm, secret]});
    assert_eq!(Keys::parse(set.to_string().as_bytes()).unwrap().len(), 0);
    for document in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert_eq!(Keys::parse(document.as_bytes()).unwrap_err(), TokenError::Malformed);
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let keys = provider().keys();
    for text in ["", ".", "..", "a.b.c", "e30.e30.e30.e30"] {
        assert!(matches!(refusal(text, &keys), TokenError::Malformed | TokenError::Algorithm), "{text}");
    }
    assert_eq!(refusal(&"a".repeat(MAX_TOKEN_BYTES + 1), &keys), TokenError::Malformed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_changed_token_never_passes(place in 0usize..2000, letter in "[A-Za-z0-9_.-]") {
        static PROVIDER: std::sync::LazyLock<(Provider, String)> = std::sync::LazyLock::new(|| {
            let provider = provider();
            let token = provider.signed(&claims());
            (provider, token)
        });
        let (provider, token) = &*PROVIDER;
        let place = place % token.len();
        let mut changed = token.clone();
        changed.replace_range(place..=place, &letter);
        // The last letter of a part may hold bits that mean nothing.
        prop_assume!(changed != *token && token.len() - place > 1);
        prop_assert!(verify(&changed, &provider.keys(), expected()).is_err());
    }
}
