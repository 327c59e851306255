//! What a key must and may say.

use ctops_licence::licence::normalise;
use ctops_licence::{Feature, Licence, LicenceError, Moment, Tier, read_licence};
use serde_json::{Value, json};

use crate::support::{ISSUER, NOW, ORG, claims, with};

fn read(claims: &Value) -> Result<Licence, LicenceError> {
    read_licence(&ISSUER.token(claims), &ISSUER.verifier, Moment::At(NOW))
}

/// Spec: licensing 1, 2
#[test]
fn a_good_key_is_read() {
    let licence = read(&claims()).unwrap();
    assert_eq!(
        (licence.organisation_id.as_str(), licence.jti.as_str(), licence.tier),
        (ORG, "lic-1", Tier::Pro)
    );
    assert_eq!((licence.not_before, licence.max_hosts), (NOW - 100, None));
    assert_eq!(licence.customer.email, "it@dubois.example");
}

/// Spec: licensing 2
#[test]
fn every_required_claim_has_its_code() {
    use LicenceError::{
        BadAudience, BadIssuer, BadTier, Expired, Malformed, MissingCustomer, MissingJti, NotYetValid,
        WrongOrganisation,
    };
    for (name, value, wanted) in [
        ("iss", Value::Null, BadIssuer),
        ("iss", json!("licence.carrtech.dev."), BadIssuer),
        ("iss", json!(["licence.carrtech.dev"]), BadIssuer),
        ("aud", Value::Null, BadAudience),
        ("aud", json!("install.carrtech.dev/licence-revocations"), BadAudience),
        ("aud", json!(["install.carrtech.dev", "other"]), BadAudience),
        ("sub", Value::Null, WrongOrganisation),
        ("sub", json!(7), WrongOrganisation),
        ("jti", Value::Null, MissingJti),
        ("jti", json!(""), MissingJti),
        ("jti", json!("  "), MissingJti),
        ("iat", Value::Null, Malformed),
        ("iat", json!("1795000000"), Malformed),
        ("exp", Value::Null, Malformed),
        ("exp", json!(1.9e9), Malformed),
        ("exp", json!(-1), Malformed),
        ("exp", json!(i64::MAX), Malformed),
        ("exp", json!(NOW), Expired),
        ("nbf", json!(NOW + 61), NotYetValid),
        ("nbf", json!("soon"), Malformed),
        ("tier", Value::Null, BadTier),
        ("tier", json!("community"), BadTier),
        ("tier", json!("Pro"), BadTier),
        ("customer", Value::Null, MissingCustomer),
        ("customer", json!("Dubois"), MissingCustomer),
        ("customer", json!({"name": "Dubois"}), MissingCustomer),
        ("customer", json!({"name": "", "email": "a@b"}), MissingCustomer),
    ] {
        assert_eq!(read(&with(name, value.clone())).unwrap_err(), wanted, "{name}: {value}");
    }
}

/// Spec: licensing 11
#[test]
fn time_counts_to_the_second_with_leeway_before_and_none_after() {
    let at = |now| read_licence(&ISSUER.token(&claims()), &ISSUER.verifier, Moment::At(now)).map(drop);
    assert_eq!(at(NOW + 99), Ok(()));
    assert_eq!(at(NOW + 100), Err(LicenceError::Expired));
    assert_eq!(at(NOW - 160), Ok(()), "iat stands for nbf, 60 s of leeway");
    assert_eq!(at(NOW - 161), Err(LicenceError::NotYetValid));
    let any = read_licence(&ISSUER.token(&claims()), &ISSUER.verifier, Moment::Any).unwrap();
    assert_eq!(any.check_time(NOW + 100), Err(LicenceError::Expired));
}

/// Spec: licensing 3
#[test]
fn a_malformed_cap_or_list_makes_the_whole_key_invalid() {
    for bad in [json!(0), json!(-1), json!(1.5), json!("100"), json!([]), json!(1_u64 << 53), json!(true)] {
        assert_eq!(read(&with("maxHosts", bad.clone())).unwrap_err(), LicenceError::BadCapacity, "{bad}");
    }
    let mut null = claims();
    null["maxHosts"] = Value::Null;
    assert_eq!(read(&null).unwrap_err(), LicenceError::BadCapacity, "null is not absent");
    for bad in [json!("auditLog"), json!([1]), json!([null]), json!({"auditLog": true}), json!([""])] {
        assert_eq!(read(&with("features", bad.clone())).unwrap_err(), LicenceError::Malformed, "{bad}");
    }
    let most = read(&with("maxHosts", json!((1_u64 << 53) - 1))).unwrap();
    assert_eq!(most.max_hosts, Some((1 << 53) - 1));
    assert!(read(&with("maxUsers", json!("any nonsense"))).is_ok(), "maxUsers is ignored");
}

/// Spec: licensing 4
#[test]
fn named_features_come_on_top_and_unknown_names_open_nothing() {
    let licence = read(&with("features", json!(["ssoSaml", "teleport", "auditLog"]))).unwrap();
    let open = licence.effective_features();
    assert!(open.contains(&Feature::SsoSaml) && open.contains(&Feature::AuditLog));
    assert_eq!(open.len(), 14, "13 of Pro and the one named");
    assert_eq!(licence.unrecognised(), ["teleport"]);
    assert_eq!(
        read(&with("tier", json!("enterprise"))).unwrap().effective_features().len(),
        Feature::ALL.len()
    );
}

/// Spec: licensing 7
#[test]
fn the_first_failure_is_the_one_reported() {
    let mut worst = claims();
    for (name, value, wanted) in [
        ("maxHosts", json!(0), LicenceError::BadCapacity),
        ("jti", json!(""), LicenceError::MissingJti),
        ("tier", json!("gold"), LicenceError::BadTier),
        ("exp", json!(NOW - 1), LicenceError::Expired),
        ("aud", json!("x"), LicenceError::BadAudience),
        ("iss", json!("x"), LicenceError::BadIssuer),
    ] {
        worst[name] = value;
        assert_eq!(read(&worst).unwrap_err(), wanted);
    }
}

#[test]
fn pasted_text_is_freed_of_white_space_and_tokens_are_told_apart() {
    let key = ISSUER.token(&claims());
    let folded = format!("\u{feff}  {}\r\n\t{}\n", &key[..70], &key[70..]);
    assert_eq!(normalise(&folded).unwrap(), key);
    assert_eq!(normalise(" infw-act_eyJ2IjoxfQ "), Err(LicenceError::LooksLikeActivationToken));
    assert_eq!(normalise(" \n "), Err(LicenceError::Malformed));
    assert_eq!(normalise(&"a".repeat(16 * 1024 + 1)), Err(LicenceError::Malformed));
}
