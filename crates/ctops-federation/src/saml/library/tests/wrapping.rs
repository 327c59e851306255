//! Signature wrapping: the eight published ways (Somorovsky et al., "On Breaking SAML", 2012) to have one assertion verified and
//! another one believed.

use super::*;

const SIGNATURE: &str = "<ds:Signature ";
const SIGNATURE_END: &str = "</ds:Signature>";

/// The part from the signature's beginning to its end, and what is around it.
fn cut_signature(xml: &str) -> (String, String) {
    let start = xml.find(SIGNATURE).unwrap();
    let end = xml.find(SIGNATURE_END).unwrap() + SIGNATURE_END.len();
    (xml[start..end].to_owned(), format!("{}{}", &xml[..start], &xml[end..]))
}

fn evil() -> Document {
    Document { name_id: "mallory".to_owned(), assertion_id: "_evil", ..Document::default() }
}

/// The eight, by their usual names.
fn attacks(trust: &Trust) -> Vec<(&'static str, String)> {
    let honest = Document::default();
    let response = honest.response_signed(&trust.idp);
    let (response_signature, response_bare) = cut_signature(&response);
    let assertion = honest.signed_assertion(&trust.idp);
    let (signature, bare) = cut_signature(&assertion);
    let evil = evil();
    let evil_response = |signature: &str, inside: &str| {
        evil.response(signature, inside).replace("_response-1", "_evil-response")
    };
    let with_inside = |signature: &str, inside: &str| {
        signature.replace(SIGNATURE_END, &format!("<ds:Object>{inside}</ds:Object>{SIGNATURE_END}"))
    };
    let last = |assertion: &str, inside: &str| {
        assertion.replace("</saml:Assertion>", &format!("{inside}</saml:Assertion>"))
    };
    vec![
        ("XSW1", evil_response(&with_inside(&response_signature, &response_bare), &evil.assertion(""))),
        ("XSW2", evil_response(&format!("{response_bare}{response_signature}"), &evil.assertion(""))),
        ("XSW3", honest.response("", &format!("{}{assertion}", evil.assertion("")))),
        ("XSW4", honest.response("", &last(&evil.assertion(""), &assertion))),
        ("XSW5", honest.response("", &format!("{}{bare}", evil.assertion(&signature)))),
        ("XSW6", honest.response("", &evil.assertion(&with_inside(&signature, &bare)))),
        (
            "XSW7",
            honest.response(
                "",
                &format!("<samlp:Extensions>{}</samlp:Extensions>{assertion}", evil.assertion("")),
            ),
        ),
        ("XSW8", honest.response("", &evil.assertion(&with_inside(&signature, &assertion)))),
        ("two assertions", honest.response("", &format!("{assertion}{}", evil.assertion("")))),
        (
            "signed one hidden",
            honest.response("", &format!("{}<Hidden>{assertion}</Hidden>", evil.assertion(""))),
        ),
        (
            "same id",
            honest
                .response("", &format!("{}{assertion}", evil.assertion("").replace("_evil", "_assertion-1"))),
        ),
    ]
}

/// Attack class 12.
/// Spec: auth 34
#[test]
fn wrapped_assertions_are_refused_by_the_gate() {
    let trust = Trust::new();
    for (name, xml) in attacks(&trust) {
        let refused = gate::judge(&xml).expect_err(name);
        assert!(matches!(refused, ShapeError::Assertions | ShapeError::DuplicateId), "{name}: {refused}");
        assert!(trust.accept(&xml).is_err(), "{name}");
    }
}

/// Attack class 12: the second door holds when the first one is open.
/// Spec: auth 34
#[test]
fn wrapped_assertions_are_not_believed_by_the_library_alone() {
    let trust = Trust::new();
    for (name, xml) in attacks(&trust) {
        if let Ok(session) = trust.library_alone(&xml) {
            assert_ne!(session.name_id().value(), "mallory", "{name} was believed");
        }
    }
}

/// Attack class 12: a second assertion that somebody else signed, or that was signed for another time.
/// Spec: auth 34
#[test]
fn a_second_assertion_is_refused_even_when_it_is_signed() {
    let trust = Trust::new();
    let both = format!(
        "{}{}",
        Document::default().signed_assertion(&trust.idp),
        evil().signed_assertion(&trust.idp)
    );
    let xml = Document::default().response("", &both);
    assert!(matches!(trust.accept(&xml), Err(Refusal::Shape(ShapeError::Assertions))));
    let by_attacker = evil().signed_assertion(&party("attacker.example.com"));
    let beside =
        Document::default().response("", &format!("{by_attacker}{}", Document::default().assertion("")));
    assert!(trust.accept(&beside).is_err());
}
