//! The shape of a response, before any of it is believed. Pure.
//!
//! Signature wrapping needs a second assertion somewhere in the document; entity tricks need a declaration; NameIDs cut in
//! two need a comment; oracles need old ways to transport keys. None of that is in what providers send, so documents that
//! have it are refused here, by the same parser that reads them later.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saml_rs::xml::XmlLimits;
use saml_rs::xml::dom::{Node, parse_with_limits};

/// Largest response, bytes. Responses with hundreds of groups have some 60 KiB.
pub(super) const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// Limits of the parser.
pub(super) const LIMITS: XmlLimits = XmlLimits {
    max_bytes: MAX_RESPONSE_BYTES,
    max_depth: 32,
    max_nodes: 10_000,
    max_attributes_per_element: 32,
    max_attribute_value_bytes: 16 * 1024,
    max_text_bytes: 64 * 1024,
};

/// Algorithms that no document may name, wherever: SHA-1 and MD5 in signatures and digests, and key transport that gives
/// itself away to whoever may ask often (RSA PKCS#1 v1.5). SHA-1 inside OAEP is not one of them.
const REFUSED_ALGORITHMS: &[&str] = &[
    "http://www.w3.org/2000/09/xmldsig#sha1",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#md5",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
    "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
    "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
];

/// Why a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    /// Not base64, not UTF-8, or not XML within the limits.
    #[error("the response is not XML of acceptable size")]
    Unreadable,
    /// A document type, entity, comment, processing instruction or CDATA section.
    #[error("the response has declarations, comments or processing instructions")]
    Declarations,
    /// Not a response, or not exactly one assertion, directly in it.
    #[error("the response does not have exactly one assertion in its place")]
    Assertions,
    /// The same id twice.
    #[error("the response has an id twice")]
    DuplicateId,
    /// SHA-1, MD5 or key transport with PKCS#1 v1.5.
    #[error("the response uses an algorithm that is not accepted")]
    Algorithm,
}

/// A response of acceptable shape.
#[derive(Debug)]
pub(super) struct Shape {
    /// The request it answers, if it names one.
    pub(super) in_response_to: Option<String>,
    /// The assertion is encrypted.
    pub(super) encrypted: bool,
}

/// Decodes the form field.
///
/// # Errors
/// [`ShapeError::Unreadable`].
pub(super) fn decode(field: &str) -> Result<String, ShapeError> {
    if field.len() > MAX_RESPONSE_BYTES * 4 / 3 + 1024 {
        return Err(ShapeError::Unreadable);
    }
    let compact: String = field.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).map_err(|_| ShapeError::Unreadable)?;
    String::from_utf8(bytes).map_err(|_| ShapeError::Unreadable)
}

/// Judges the shape of a document, also of one that was decrypted.
///
/// # Errors
/// [`ShapeError`].
pub(super) fn judge(xml: &str) -> Result<Shape, ShapeError> {
    let body = without_declaration(xml);
    if body.contains("<!") || body.contains("<?") {
        return Err(ShapeError::Declarations);
    }
    let root = parse_with_limits(xml, LIMITS).map_err(|_| ShapeError::Unreadable)?.root;
    let mut found = Found::default();
    look(&root, &mut found)?;
    let direct = |name: &str| root.children.iter().filter(|child| child.local_name == name).count();
    let (plain, encrypted) = (direct("Assertion"), direct("EncryptedAssertion"));
    let in_place = plain + encrypted == 1 && found.assertions == 1;
    if root.local_name != "Response" || found.responses != 1 || !in_place {
        return Err(ShapeError::Assertions);
    }
    Ok(Shape { in_response_to: root.attr("InResponseTo").map(str::to_owned), encrypted: encrypted == 1 })
}

/// What follows the one declaration that a document may begin with.
fn without_declaration(xml: &str) -> &str {
    let text = xml.trim_start_matches('\u{feff}').trim_start();
    let rest = text.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>"));
    rest.map_or(text, |(_, body)| body)
}

#[derive(Default)]
struct Found<'a> {
    assertions: usize,
    responses: usize,
    ids: std::collections::BTreeSet<&'a str>,
}

fn look<'a>(node: &'a Node, found: &mut Found<'a>) -> Result<(), ShapeError> {
    match node.local_name.as_str() {
        "Assertion" | "EncryptedAssertion" => found.assertions += 1,
        "Response" => found.responses += 1,
        _ => {}
    }
    for (name, value) in &node.attrs {
        if matches!(name.as_str(), "ID" | "Id" | "id") && !found.ids.insert(value) {
            return Err(ShapeError::DuplicateId);
        }
        // OAEP names SHA-1 as the digest of its own padding, where its weakness does not matter.
        let in_padding = node.local_name == "DigestMethod" && value == REFUSED_ALGORITHMS[0];
        if name == "Algorithm" && REFUSED_ALGORITHMS.contains(&value.as_str()) && !in_padding {
            return Err(ShapeError::Algorithm);
        }
    }
    for child in &node.children {
        if node.local_name == "Reference"
            && child.local_name == "DigestMethod"
            && child.attr("Algorithm").is_some_and(|used| REFUSED_ALGORITHMS.contains(&used))
        {
            return Err(ShapeError::Algorithm);
        }
        look(child, found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const ASSERTION: &str = r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"/>"#;

    fn response(inside: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" InResponseTo="_q">{inside}</p:Response>"#
        )
    }

    /// Spec: auth 34
    #[test]
    fn one_assertion_in_its_place_is_the_only_accepted_shape() {
        let shape = judge(&response(ASSERTION)).unwrap();
        assert_eq!((shape.in_response_to.as_deref(), shape.encrypted), (Some("_q"), false));
        let encrypted = judge(&response("<x:EncryptedAssertion xmlns:x=\"urn:x\"/>")).unwrap();
        assert!(encrypted.encrypted);
        let other = ASSERTION.replace("_a", "_b");
        for wrong in [
            String::new(),
            format!("{ASSERTION}{other}"),
            format!("{ASSERTION}<x:EncryptedAssertion xmlns:x=\"urn:x\"/>"),
            format!("<wrap>{ASSERTION}</wrap>"),
            format!("{ASSERTION}<Object>{other}</Object>"),
            ASSERTION.replace("/>", &format!(">{other}</saml:Assertion>")),
            format!("{ASSERTION}<p:Response xmlns:p=\"urn:p\" ID=\"_s\"/>"),
        ] {
            assert_eq!(judge(&response(&wrong)).unwrap_err(), ShapeError::Assertions, "{wrong}");
        }
        assert_eq!(
            judge(ASSERTION).unwrap_err(),
            ShapeError::Assertions,
            "an assertion alone is no response"
        );
        let twice = ASSERTION.replace("_a", "_r");
        assert_eq!(judge(&response(&twice)).unwrap_err(), ShapeError::DuplicateId);
    }

    /// Attack class 12: declarations and comments.
    /// Spec: auth 34
    #[test]
    fn declarations_comments_and_instructions_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\"><!ENTITY d \"&b;&b;&b;&b;\">]>";
        for document in [
            format!("{bomb}{}", response(ASSERTION)),
            response(&format!("<!-- hidden -->{ASSERTION}")),
            response(&format!("<?run it?>{ASSERTION}")),
            response(&format!("<![CDATA[text]]>{ASSERTION}")),
        ] {
            assert_eq!(judge(&document).unwrap_err(), ShapeError::Declarations, "{document}");
        }
        assert!(judge(&response(&format!("&b;{ASSERTION}"))).is_err(), "an entity that nobody declared");
    }

    /// Spec: auth 34
    #[test]
    fn old_algorithms_are_refused_wherever_they_stand() {
        let named = |element: &str, algorithm: &str| {
            response(&format!("<Reference><{element} Algorithm=\"{algorithm}\"/></Reference>{ASSERTION}"))
        };
        for algorithm in REFUSED_ALGORITHMS {
            let element = if algorithm.ends_with("#sha1") { "DigestMethod" } else { "SignatureMethod" };
            assert_eq!(judge(&named(element, algorithm)).unwrap_err(), ShapeError::Algorithm, "{algorithm}");
        }
        assert!(
            judge(&named("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")).is_ok()
        );
        let padding = "<EncryptionMethod><DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/></EncryptionMethod>";
        assert!(judge(&response(&format!("{padding}{ASSERTION}"))).is_ok(), "inside OAEP it is harmless");
    }

    /// Attack class 12: documents that are too deep, too wide or too long.
    #[test]
    fn documents_beyond_the_limits_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert_eq!(judge(&response(&format!("{deep}{ASSERTION}"))).unwrap_err(), ShapeError::Unreadable);
        let long = "x".repeat(MAX_RESPONSE_BYTES);
        assert_eq!(judge(&response(&format!("{long}{ASSERTION}"))).unwrap_err(), ShapeError::Unreadable);
        assert_eq!(decode(&"A".repeat(MAX_RESPONSE_BYTES * 2)).unwrap_err(), ShapeError::Unreadable);
        for bad in ["%%%", "////", "PHg+="] {
            assert_eq!(decode(bad).unwrap_err(), ShapeError::Unreadable, "{bad}");
        }
        assert_eq!(decode(" PHgv\r\n Pg== ").unwrap(), "<x/>");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_gate_panic(text in ".{0,300}") {
            let _ = decode(&text);
            prop_assert!(judge(&text).is_err());
        }
    }
}
