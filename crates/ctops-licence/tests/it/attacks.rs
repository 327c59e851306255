//! Forgeries.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ctops_licence::{DEVELOPMENT_VERIFIER_PEM, LicenceError, Moment, Verifier, read_licence};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{HEADER, ISSUER, NOW, STRANGER, claims, with};

fn read(token: &str) -> Result<(), LicenceError> {
    read_licence(token, &ISSUER.verifier, Moment::At(NOW)).map(drop)
}

fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// Spec: licensing 1
#[test]
fn none_and_its_spellings_are_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let input = unsigned(&json!({"alg": alg, "typ": "JWT"}).to_string(), &claims().to_string());
        for token in [format!("{input}."), format!("{input}.AAAA")] {
            assert_eq!(read(&token), Err(LicenceError::BadAlgorithm), "{alg}");
        }
    }
    let headless = unsigned(r#"{"typ":"JWT"}"#, &claims().to_string());
    assert_eq!(read(&format!("{headless}.")), Err(LicenceError::BadAlgorithm));
}

/// Spec: licensing 1
#[test]
fn hmac_with_the_public_key_as_its_secret_is_refused() {
    let pem = ISSUER.verifier.pem();
    for (alg, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
        ("RS256", hmac::HMAC_SHA256),
    ] {
        let input = unsigned(&json!({"alg": alg, "typ": "JWT"}).to_string(), &claims().to_string());
        for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), pem.replace('\n', "").as_bytes()] {
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            let wanted = if alg == "RS256" { LicenceError::BadSignature } else { LicenceError::BadAlgorithm };
            assert_eq!(read(&token), Err(wanted), "{alg}");
        }
    }
}

/// Spec: licensing 1
#[test]
fn other_rsa_algorithms_are_refused_also_under_the_name_of_rs256() {
    let others: [(&str, &'static dyn RsaEncoding); 3] =
        [("PS256", &RSA_PSS_SHA256), ("RS384", &RSA_PKCS1_SHA384), ("RS512", &RSA_PKCS1_SHA512)];
    for (alg, encoding) in others {
        for (named, wanted) in [(alg, LicenceError::BadAlgorithm), ("RS256", LicenceError::BadSignature)] {
            let input = unsigned(&json!({"alg": named, "typ": "JWT"}).to_string(), &claims().to_string());
            let signature = ISSUER.signature(encoding, input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(read(&token), Err(wanted), "{alg} as {named}");
        }
    }
}

/// Spec: licensing 1
#[test]
fn a_header_cannot_choose_key_type_or_meaning() {
    let body = claims().to_string();
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","typ":"jwt"}"#,
        r#"{"alg":"RS256","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","typ":"JOSE"}"#,
        r#"{"alg":"RS256","typ":7}"#,
        r#"{"alg":["RS256"],"typ":"JWT"}"#,
        r#"{"alg":"RS256","typ":"JWT","crit":["exp"]}"#,
        r#"{"alg":"RS256","typ":"JWT","b64":false}"#,
        r#"{"alg":"RS256","typ":"JWT","jku":"https://evil.example/keys"}"#,
        r#"{"alg":"RS256","typ":"JWT","x5c":["MIIB"]}"#,
        r#"{"alg":"RS256","typ":"JWT","cty":"JWT"}"#,
    ] {
        assert_eq!(read(&ISSUER.raw(header, &body)), Err(LicenceError::BadAlgorithm), "{header}");
    }
    for kid in ["../../etc/passwd", "' OR 1=1 --", STRANGER.verifier.fingerprint(), "http://evil.example"] {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid}).to_string();
        assert_eq!(read(&ISSUER.raw(&header, &body)), Ok(()), "kid says nothing");
        assert_eq!(read(&STRANGER.raw(&header, &body)), Err(LicenceError::BadSignature), "{kid}");
    }
    let own_key = json!({"alg": "RS256", "typ": "JWT", "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}});
    assert_eq!(read(&STRANGER.raw(&own_key.to_string(), &body)), Err(LicenceError::BadSignature));
}

/// Spec: licensing 1, 3
#[test]
fn names_that_are_there_twice_are_refused() {
    let body = claims().to_string();
    let twice = body.replacen('{', r#"{"tier":"enterprise","#, 1);
    assert_eq!(read(&ISSUER.raw(HEADER, &twice)), Err(LicenceError::Malformed));
    let escaped = body.replacen('{', r#"{"\u0065xp":9999999999,"#, 1);
    assert_eq!(read(&ISSUER.raw(HEADER, &escaped)), Err(LicenceError::Malformed));
    let header = r#"{"alg":"none","typ":"JWT","alg":"RS256"}"#;
    assert_eq!(read(&ISSUER.raw(header, &body)), Err(LicenceError::Malformed));
    let inner = body.replace(r#""name":"Dubois""#, r#""name":"Dubois","name":"Other""#);
    assert_ne!(inner, body);
    assert_eq!(read(&ISSUER.raw(HEADER, &inner)), Err(LicenceError::Malformed));
}

/// Spec: licensing 1
#[test]
fn shapes_that_are_not_three_parts_of_base64url_are_refused() {
    let good = ISSUER.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    let standard = STANDARD.encode(URL_SAFE_NO_PAD.decode(parts[2]).unwrap());
    let json = json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        parts[0].into(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        format!("{} .{}.{}", parts[0], parts[1], parts[2]),
        padded,
        format!("{}.{}.{standard}", parts[0], parts[1]),
        json.to_string(),
    ] {
        assert_eq!(read(&bad), Err(LicenceError::Malformed), "{bad}");
    }
    let long = ISSUER.token(&with("padding", json!("x".repeat(16 * 1024))));
    assert_eq!(read(&long), Err(LicenceError::Malformed), "longer than 16 KiB");
    let list = ISSUER.raw(HEADER, "[]");
    assert_eq!(read(&list), Err(LicenceError::Malformed));
}

/// Spec: licensing 7
#[test]
fn keys_of_strangers_and_the_development_key_do_not_count() {
    assert_eq!(read(&STRANGER.token(&claims())), Err(LicenceError::BadSignature));
    let development = Verifier::from_pem(DEVELOPMENT_VERIFIER_PEM).unwrap();
    let token = ISSUER.token(&claims());
    let outcome = read_licence(&token, &development, Moment::At(NOW));
    assert_eq!(outcome.unwrap_err(), LicenceError::BadSignature);
    let other = with("tier", json!("enterprise"));
    let body = URL_SAFE_NO_PAD.encode(other.to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let swapped = format!("{}.{body}.{}", parts[0], parts[2]);
    assert_eq!(read(&swapped), Err(LicenceError::BadSignature), "claims changed after signing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Spec: licensing 7
    #[test]
    fn no_changed_character_survives(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = ISSUER.token(&claims());
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(changed == token || read(&changed).is_err());
    }

    #[test]
    fn reading_anything_never_panics(text in "\\PC{0,300}") {
        prop_assert!(read(&text).is_err());
    }

    #[test]
    fn signed_nonsense_is_refused(text in "\\PC{0,100}") {
        prop_assert!(read(&ISSUER.raw(HEADER, &text)).is_err());
        prop_assert!(read(&ISSUER.raw(&text, &claims().to_string())).is_err());
    }
}
