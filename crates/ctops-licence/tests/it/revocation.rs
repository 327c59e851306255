//! Bundles of revoked keys.

use ctops_licence::{LicenceError, read_bundle};
use serde_json::{Value, json};

use crate::support::{HEADER, ISSUER, NOW, STRANGER, claims};

fn bundle(revoked: &Value) -> Value {
    json!({
        "iss": "licence.carrtech.dev",
        "aud": "install.carrtech.dev/licence-revocations",
        "iat": NOW,
        "exp": NOW + 86_400,
        "revoked": revoked,
    })
}

/// Spec: licensing 17, 18
#[test]
fn a_bundle_counts_whichever_known_key_signed_it() {
    let keys = [STRANGER.verifier.clone(), ISSUER.verifier.clone()];
    for signer in [&*ISSUER, &*STRANGER] {
        let read = read_bundle(&signer.token(&bundle(&json!(["lic-1", "lic-2"]))), &keys).unwrap();
        assert!(read.revoked.contains("lic-2") && read.revoked.len() == 2);
        assert_eq!((read.issued_at, read.expires_at), (NOW, NOW + 86_400));
    }
    let unknown = read_bundle(&STRANGER.token(&bundle(&json!([]))), &keys[1..]);
    assert_eq!(unknown.unwrap_err(), LicenceError::BadSignature);
    assert_eq!(read_bundle(&ISSUER.token(&bundle(&json!([]))), &[]).unwrap_err(), LicenceError::BadSignature);
}

/// Spec: licensing 17
#[test]
fn a_bundle_obeys_the_rules_of_keys() {
    let keys = [ISSUER.verifier.clone()];
    let refused = |token: &str| read_bundle(token, &keys).unwrap_err();
    assert_eq!(refused(&ISSUER.token(&claims())), LicenceError::BadAudience, "a key is no bundle");
    let body = bundle(&json!(["lic-1"])).to_string();
    assert_eq!(refused(&ISSUER.raw(r#"{"alg":"none","typ":"JWT"}"#, &body)), LicenceError::BadAlgorithm);
    assert_eq!(refused(&ISSUER.raw(r#"{"alg":"RS256"}"#, &body)), LicenceError::BadAlgorithm);
    assert_eq!(refused(&ISSUER.raw(HEADER, &body.replace("licence.", "license."))), LicenceError::BadIssuer);
    for bad in [json!("lic-1"), json!([7]), json!([""]), Value::Null] {
        assert_eq!(refused(&ISSUER.token(&bundle(&bad))), LicenceError::Malformed, "{bad}");
    }
    let mut endless = bundle(&json!([]));
    endless.as_object_mut().unwrap().remove("exp");
    assert_eq!(refused(&ISSUER.token(&endless)), LicenceError::Malformed);
}
