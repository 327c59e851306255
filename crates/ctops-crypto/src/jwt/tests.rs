#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use proptest::prelude::*;
use std::sync::LazyLock;

const ID: &str = "abcdefghijklmnopqrst0189";
static TOKENS: LazyLock<AgentTokens> = LazyLock::new(|| AgentTokens::generate().unwrap());

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00.9Z".parse().unwrap()
}

fn part(token: &str, index: usize) -> String {
    String::from_utf8(B64.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// A token with our real key and any header and claims.
fn signed(algorithm: Algorithm, claims: &str) -> String {
    let value: serde_json_value::Value = serde_json_value::parse(claims);
    jsonwebtoken::encode(&Header::new(algorithm), &value, &TOKENS.signing).unwrap()
}

/// The JSON text as a serialisable value, without a JSON library: claims are maps of text or whole numbers.
mod serde_json_value {
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    #[serde(untagged)]
    pub(super) enum Scalar {
        Text(String),
        Number(i64),
    }
    pub(super) type Value = BTreeMap<String, Scalar>;

    pub(super) fn parse(text: &str) -> Value {
        text.split(',')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap();
                let value = value.parse().map_or_else(|_| Scalar::Text(value.to_owned()), Scalar::Number);
                (key.to_owned(), value)
            })
            .collect()
    }
}

fn claims(extra: &str) -> String {
    let iat = now().timestamp();
    format!("sub={ID},iss={ISSUER},iat={iat},exp={}{extra}", iat + 60)
}

/// Spec: agents-enrolment 11
#[test]
fn sign_makes_an_rs256_token_of_24_hours_with_the_four_claims_and_no_key_id() {
    let token = TOKENS.sign(ID, now()).unwrap();
    let iat = now().timestamp();
    assert_eq!(part(&token, 0), r#"{"typ":"JWT","alg":"RS256"}"#);
    assert_eq!(
        part(&token, 1),
        format!(r#"{{"sub":"{ID}","iss":"ct-ops-ingest","iat":{iat},"exp":{}}}"#, iat + 86_400)
    );
    assert_eq!(TOKENS.verify(&token, now()), Ok(Claims { agent_id: ID.to_owned(), expired: false }));
}

/// Spec: agents-enrolment 11
#[test]
fn verify_at_the_exact_second_of_expiry_reports_expired_but_keeps_the_identity() {
    let token = TOKENS.sign(ID, now()).unwrap();
    let end = now() + TimeDelta::hours(24);
    assert!(!TOKENS.verify(&token, end - TimeDelta::seconds(1)).unwrap().expired);
    assert!(TOKENS.verify(&token, end).unwrap().expired);
    let years_later = now() + TimeDelta::days(1000);
    assert_eq!(TOKENS.verify(&token, years_later), Ok(Claims { agent_id: ID.to_owned(), expired: true }));
}

#[test]
fn verify_when_issued_in_the_future_is_refused_without_leeway() {
    let token = TOKENS.sign(ID, now()).unwrap();
    assert_eq!(TOKENS.verify(&token, now() - TimeDelta::seconds(1)), Err(JwtError::NotYetValid));
    let later = signed(Algorithm::RS256, &claims(&format!(",nbf={}", now().timestamp() + 1)));
    assert_eq!(TOKENS.verify(&later, now()), Err(JwtError::NotYetValid));
}

#[test]
fn verify_with_alg_none_is_refused() {
    let good = TOKENS.sign(ID, now()).unwrap();
    let body = good.split('.').nth(1).unwrap();
    let signature = good.rsplit('.').next().unwrap();
    for name in ["none", "None", "NONE", ""] {
        let header = B64.encode(format!(r#"{{"typ":"JWT","alg":"{name}"}}"#));
        for signature in ["", signature] {
            assert!(TOKENS.verify(&format!("{header}.{body}.{signature}"), now()).is_err(), "{name:?}");
        }
    }
    let header = B64.encode(r#"{"typ":"JWT"}"#);
    assert!(TOKENS.verify(&format!("{header}.{body}.{signature}"), now()).is_err());
}

/// The classic confusion: a token "signed" with HMAC whose key is our public key, in every form an attacker can get.
#[test]
fn verify_with_hs256_and_the_public_key_is_refused() {
    let key = KeyPair::from_pem(TOKENS.to_pem()).unwrap();
    let claims: serde_json_value::Value = serde_json_value::parse(&claims(""));
    let pem = key.public_key_pem();
    let secrets = [
        pem.as_bytes().to_vec(),
        pem.trim().as_bytes().to_vec(),
        key.subject_public_key_info(),
        key.der_bytes().to_vec(),
        vec![],
    ];
    for secret in secrets {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let token =
                jsonwebtoken::encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(&secret))
                    .unwrap();
            assert_eq!(TOKENS.verify(&token, now()), Err(JwtError::Algorithm));
        }
    }
}

#[test]
fn verify_with_another_rsa_scheme_of_our_own_key_is_refused() {
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        assert_eq!(TOKENS.verify(&signed(algorithm, &claims("")), now()), Err(JwtError::Algorithm));
    }
}

#[test]
fn verify_when_the_header_names_another_key_still_uses_ours() {
    let other = AgentTokens::generate().unwrap();
    let public = Jwk::from_encoding_key(&other.signing, Algorithm::RS256).unwrap();
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("../../dev/null".to_owned());
    header.jku = Some("https://evil.example/jwks.json".to_owned());
    header.jwk = Some(public);
    let claims: serde_json_value::Value = serde_json_value::parse(&claims(""));
    let foreign = jsonwebtoken::encode(&header, &claims, &other.signing).unwrap();
    assert_eq!(TOKENS.verify(&foreign, now()), Err(JwtError::Signature));
    assert_eq!(TOKENS.verify(&other.sign(ID, now()).unwrap(), now()), Err(JwtError::Signature));
}

#[test]
fn verify_when_claims_are_wrong_is_refused() {
    let (iat, exp) = (now().timestamp(), now().timestamp() + 60);
    for bad in [
        format!("sub={ID},iss=someone-else,iat={iat},exp={exp}"),
        format!("sub={ID},iat={iat},exp={exp}"),
        format!("iss={ISSUER},iat={iat},exp={exp}"),
        format!("sub={ID},iss={ISSUER},iat={iat}"),
        format!("sub={ID},iss={ISSUER},exp={exp}"),
        format!("sub=,iss={ISSUER},iat={iat},exp={exp}"),
        format!("sub=not-an-agent-id,iss={ISSUER},iat={iat},exp={exp}"),
        format!("sub={ID},iss={ISSUER},iat={iat},exp=never"),
        claims(",aud=someone"),
    ] {
        let result = TOKENS.verify(&signed(Algorithm::RS256, &bad), now());
        assert!(matches!(result, Err(JwtError::Claims | JwtError::Malformed)), "{bad}: {result:?}");
    }
}

#[test]
fn verify_when_any_character_is_changed_is_refused() {
    let token = TOKENS.sign(ID, now()).unwrap();
    for at in 0..token.len() {
        let mut bad = token.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bad).unwrap();
        assert!(TOKENS.verify(&bad, now()).is_err(), "character {at}");
    }
}

#[test]
fn verify_of_garbage_is_malformed() {
    for bad in ["", ".", "..", "a.b.c", "....", ID, &"x".repeat(MAX_TOKEN_BYTES + 1)] {
        assert_eq!(TOKENS.verify(bad, now()), Err(JwtError::Malformed), "{bad:.10}");
    }
}

#[test]
fn from_pem_gives_back_the_same_key() {
    let again = AgentTokens::from_pem(TOKENS.to_pem()).unwrap();
    let token = TOKENS.sign(ID, now()).unwrap();
    assert!(again.verify(&token, now()).is_ok());
    assert_eq!(again.jwks_json(), TOKENS.jwks_json());
}

#[test]
fn from_pem_when_the_key_is_of_another_kind_or_too_small_is_refused() {
    let ecdsa = KeyPair::generate().unwrap().serialize_pem();
    for bad in ["", "text", &ecdsa, &KeyPair::from_pem(TOKENS.to_pem()).unwrap().public_key_pem()] {
        assert_eq!(AgentTokens::from_pem(bad).map(|_| ()).unwrap_err(), JwtError::BadKey);
    }
}

#[test]
fn sign_for_a_malformed_agent_id_is_refused() {
    assert_eq!(TOKENS.sign("short", now()), Err(JwtError::Claims));
}

#[test]
fn jwks_document_has_one_rsa_key_that_verifies_our_tokens() {
    let field = |name: &str| {
        let (_, after) = TOKENS.jwks_json().split_once(&format!("\"{name}\":\"")).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    assert_eq!(
        (field("kty"), field("use"), field("alg"), field("e")),
        ("RSA".into(), "sig".into(), "RS256".into(), "AQAB".into())
    );
    assert_eq!(B64.decode(field("n")).unwrap().len(), 256);
    assert_eq!(TOKENS.jwks_json().matches("\"kty\"").count(), 1);
    let key = DecodingKey::from_rsa_components(&field("n"), &field("e")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    jsonwebtoken::decode::<WireClaims>(TOKENS.sign(ID, now()).unwrap(), &key, &validation).unwrap();
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", *TOKENS), "AgentTokens { .. }");
}

proptest! {
    #[test]
    fn verify_of_random_text_never_panics(token in "[A-Za-z0-9_.=-]{0,300}") {
        prop_assert!(TOKENS.verify(&token, now()).is_err());
    }

    #[test]
    fn verify_of_random_json_under_a_valid_shape_never_panics(header in ".{0,40}", body in ".{0,80}", signature in any::<[u8; 16]>()) {
        let token = format!("{}.{}.{}", B64.encode(header), B64.encode(body), B64.encode(signature));
        prop_assert!(TOKENS.verify(&token, now()).is_err());
    }
}
