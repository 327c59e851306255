#![allow(clippy::unwrap_used)]

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn state(code: &str) -> CodeState {
    CodeState { code_hash: code_hash(&Secret::new(code)).to_vec(), failures: 0, locked_until: None }
}

fn request() -> SetupRequest {
    SetupRequest {
        organisation_name: "Analytical Engines".into(),
        name: "Ada Lovelace".into(),
        email: "Ada@Example.com".into(),
        password: Secret::new("difference engine no 2"),
        password_confirmation: Secret::new("difference engine no 2"),
        setup_code: None,
    }
}

fn codes_of(request: &SetupRequest) -> Vec<(String, &'static str)> {
    let problem = request.check().err().unwrap();
    problem.fields().iter().map(|field| (field.path.clone(), field.code)).collect()
}

#[test]
fn made_codes_have_a_hundred_random_bits_in_a_form_to_copy() {
    let (one, other) = (make_code(), make_code());
    assert_ne!(one, other);
    let groups: Vec<&str> = one.split('-').collect();
    assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [5, 5, 5, 5]);
    assert!(one.bytes().all(|b| b == b'-' || ALPHABET.contains(&b)), "{one}");
}

/// Spec: auth 1
#[test]
fn setting_off_a_code_or_nothing_are_told_apart() {
    assert!(matches!(SetupCode::from_setting(None), SetupCode::Generate));
    assert!(matches!(SetupCode::from_setting(Some("  ")), SetupCode::Generate));
    assert!(matches!(SetupCode::from_setting(Some("OFF")), SetupCode::Off));
    let preset = SetupCode::from_setting(Some(" off-shore-17 "));
    assert!(matches!(&preset, SetupCode::Preset(code) if code.reveal() == "off-shore-17"));
    assert!(!format!("{preset:?}").contains("shore"));
}

#[test]
fn code_is_compared_without_case_spaces_and_dashes() {
    let state = state("7k2mq-abcde");
    for same in ["7k2mq-abcde", " 7K2MQABCDE\n", "7k2mq abcde"] {
        assert_eq!(state.judge(Some(&Secret::new(same)), at(0)), CodeVerdict::Accepted, "{same}");
    }
    assert!(matches!(state.judge(Some(&Secret::new("7k2mq-abcdf")), at(0)), CodeVerdict::Wrong { .. }));
}

/// Spec: auth 1
#[test]
fn fifth_wrong_code_locks_for_fifteen_minutes_and_then_counting_starts_again() {
    let wrong = Secret::new("nope");
    let mut state = state("right");
    for expected in 1..5 {
        let CodeVerdict::Wrong { failures, locked_until: None } = state.judge(Some(&wrong), at(0)) else {
            panic!("attempt {expected}");
        };
        assert_eq!(failures, expected);
        state.failures = failures;
    }
    let verdict = state.judge(Some(&wrong), at(0));
    assert_eq!(verdict, CodeVerdict::Wrong { failures: 0, locked_until: Some(at(900)) });
    state = CodeState { failures: 0, locked_until: Some(at(900)), ..state };
    assert_eq!(state.judge(Some(&Secret::new("right")), at(899)), CodeVerdict::Locked { seconds: 2 });
    assert_eq!(state.judge(Some(&Secret::new("right")), at(900)), CodeVerdict::Accepted);
}

#[test]
fn missing_code_is_no_guess_and_no_code_is_needed_when_it_is_off() {
    assert_eq!(state("right").judge(None, at(0)), CodeVerdict::Missing);
    assert_eq!(state("right").judge(Some(&Secret::new("  ")), at(0)), CodeVerdict::Missing);
    let off = CodeState { code_hash: Vec::new(), failures: 0, locked_until: None };
    assert_eq!(off.judge(None, at(0)), CodeVerdict::Accepted);
    assert_eq!(off.judge(Some(&Secret::new("anything")), at(0)), CodeVerdict::Accepted);
}

/// Spec: auth 1, 9
#[test]
fn request_names_every_field_that_is_wrong() {
    let account = request().check().unwrap();
    assert_eq!(account.email.as_str(), "ada@example.com");
    let empty = SetupRequest {
        organisation_name: "A".into(),
        name: String::new(),
        email: "ada".into(),
        password: Secret::new("short"),
        password_confirmation: Secret::new("shorter"),
        setup_code: None,
    };
    let expected = [
        ("organisation_name", "too_short"),
        ("name", "too_short"),
        ("email", "invalid"),
        ("password", "too_short"),
        ("password_confirmation", "mismatch"),
    ];
    assert_eq!(codes_of(&empty), expected.map(|(path, code)| (path.to_owned(), code)));
    let named = SetupRequest {
        password: Secret::new("analytical engines"),
        password_confirmation: Secret::new("analytical engines"),
        ..request()
    };
    assert_eq!(codes_of(&named), [("password".to_owned(), "equals_organisation")]);
}
