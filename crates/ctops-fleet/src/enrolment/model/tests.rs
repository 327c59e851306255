#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn token() -> Token {
    Token {
        id: Uuid::nil(),
        label: "web".into(),
        hint_prefix: "tok_abcd".into(),
        hint_suffix: "wxyz".into(),
        auto_approve: false,
        skip_verify: false,
        max_uses: Some(2),
        usage_count: 0,
        expires_at: Some(at(100)),
        tags: Vec::new(),
        created_by: None,
        created_at: at(0),
        revoked_at: None,
    }
}

/// Spec: agents-enrolment 4
#[test]
fn status_when_time_uses_or_a_person_ended_it_says_which() {
    assert_eq!(token().status(at(99)), TokenStatus::Active);
    assert_eq!(token().status(at(100)), TokenStatus::Expired, "at the very second");
    assert_eq!(Token { usage_count: 1, ..token() }.status(at(1)), TokenStatus::Active);
    assert_eq!(Token { usage_count: 2, ..token() }.status(at(1)), TokenStatus::Exhausted);
    assert_eq!(Token { max_uses: None, usage_count: 9_999, ..token() }.status(at(1)), TokenStatus::Active);
    assert_eq!(Token { expires_at: None, ..token() }.status(at(1 << 40)), TokenStatus::Active);
    let ended = Token { revoked_at: Some(at(1)), usage_count: 2, ..token() };
    assert_eq!(ended.status(at(200)), TokenStatus::Revoked);
}

/// Spec: agents-enrolment 2
#[test]
fn labelled_when_nothing_is_said_means_one_use_seven_days_no_auto_approve_and_verification() {
    let new = NewToken::labelled("x").check().unwrap();
    assert_eq!((new.max_uses, new.expires_in_days), (Some(1), Some(7)));
    assert!(!new.auto_approve && !new.skip_verify);
    assert!(new.warnings().is_empty());
}

/// Spec: agents-enrolment 1, 2
#[test]
fn warnings_when_limits_or_verification_are_off_name_each() {
    let open =
        NewToken { max_uses: None, expires_in_days: None, skip_verify: true, ..NewToken::labelled("x") };
    let codes: Vec<_> = open.check().unwrap().warnings().iter().map(|w| w.code).collect();
    assert_eq!(codes, ["unlimited_uses", "no_expiry", "tls_verification_off"]);
}

#[test]
fn check_when_fields_are_out_of_bounds_names_every_one() {
    let bad = NewToken {
        label: " ".into(),
        max_uses: Some(0),
        expires_in_days: Some(366),
        tags: vec![Tag { key: String::new(), value: "v".into() }],
        ..NewToken::labelled("")
    };
    let problem = bad.check().unwrap_err();
    let paths: Vec<_> = problem.fields().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["label", "max_uses", "expires_in_days", "tags"]);
    for label in ["a\nb", "a\u{202e}b", &"x".repeat(101)] {
        assert!(NewToken::labelled(label).check().is_err(), "{label:?}");
    }
    assert!(NewToken { expires_in_days: Some(0), ..NewToken::labelled("x") }.check().is_err());
    assert!(NewToken { max_uses: Some(u32::MAX), ..NewToken::labelled("x") }.check().is_err());
    assert!(NewToken { expires_in_days: Some(365), ..NewToken::labelled(&"ü".repeat(100)) }.check().is_ok());
}

#[test]
fn names_of_states_and_policies_round_trip() {
    for status in TokenStatus::ALL {
        assert_eq!(TokenStatus::from_name(status.as_str()), Some(status));
    }
    for policy in ReenrolmentPolicy::ALL {
        assert_eq!(ReenrolmentPolicy::from_name(policy.as_str()), Some(policy));
    }
    assert_eq!(TokenStatus::from_name("Active"), None);
    assert_eq!(ReenrolmentPolicy::from_name(""), None);
}
