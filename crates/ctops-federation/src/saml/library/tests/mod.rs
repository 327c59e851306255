#![allow(clippy::unwrap_used, clippy::expect_used)]

mod documents;
mod wrapping;

use chrono::TimeDelta;
use ctops_testkit::start_time;

use self::documents::{ACS, Document, Party, REQUEST, SP, metadata, party};
use super::*;

/// A trust between a provider and us.
struct Trust {
    idp: Party,
    sp: Party,
    metadata: String,
}

impl Trust {
    fn new() -> Self {
        let idp = party("idp.example.com");
        Self { metadata: metadata(&idp), sp: party("ops.example.com"), idp }
    }

    fn parties(&self) -> Parties<'_> {
        Parties {
            entity_id: SP,
            acs_url: ACS,
            certificate_pem: &self.sp.certificate_pem,
            key_pem: &self.sp.key_pem,
            metadata_xml: &self.metadata,
        }
    }

    fn accept(&self, xml: &str) -> Result<Accepted, Refusal> {
        SamlRs.accept(&self.parties(), xml, Some(REQUEST), start_time())
    }

    /// What the library says without the gate before it.
    fn library_alone(&self, xml: &str) -> Result<SsoSession, Refusal> {
        SamlRs::verify(&self.parties(), xml, false, Some(REQUEST), start_time())
    }

    #[track_caller]
    fn refuses(&self, what: &str, document: &Document) -> String {
        self.accept(&document.signed(&self.idp)).expect_err(what).to_string()
    }
}

/// Spec: auth 34, 18
#[test]
fn signed_assertion_is_accepted_and_read() {
    let trust = Trust::new();
    let accepted = trust.accept(&Document::default().signed(&trust.idp)).unwrap();
    assert_eq!(
        (accepted.name_id.as_deref(), accepted.assertion_id.as_str()),
        (Some("alice-4711"), "_assertion-1")
    );
    assert_eq!(accepted.context.as_deref(), Some("https://refeds.org/profile/mfa"));
    assert_eq!(accepted.authenticated_at, Some(start_time()));
    assert_eq!(accepted.valid_until, start_time() + TimeDelta::minutes(5));
    let groups = accepted.attributes.iter().find(|(name, _)| name == "groups").unwrap();
    assert_eq!(groups.1, ["ops", "admins"]);
}

/// Spec: auth 34
#[test]
fn encrypted_assertion_is_decrypted_and_accepted() {
    let trust = Trust::new();
    let transport = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    for data in ["http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm"] {
        let xml = Document::default().encrypted(&trust.idp, &trust.sp, transport, data);
        assert!(!xml.contains("alice"));
        assert_eq!(trust.accept(&xml).unwrap().name_id.as_deref(), Some("alice-4711"), "{data}");
        let (other, attacker) = (party("another.example.com"), party("attacker.example.com"));
        let for_another = Document::default().encrypted(&trust.idp, &other, transport, data);
        assert!(trust.accept(&for_another).is_err(), "encrypted for somebody else");
        let by_attacker = Document::default().encrypted(&attacker, &trust.sp, transport, data);
        assert!(trust.accept(&by_attacker).is_err(), "anybody can encrypt for us; the signature decides");
    }
    let old = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
    let data = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    let refused = trust.accept(&Document::default().encrypted(&trust.idp, &trust.sp, old, data)).unwrap_err();
    assert!(matches!(refused, Refusal::Shape(ShapeError::Algorithm)));
    let cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    let malleable = Document::default().encrypted(&trust.idp, &trust.sp, transport, cbc);
    assert!(trust.accept(&malleable).is_err(), "CBC without a signature around it can be changed");
}

/// Attack class 12: audience, recipient, times, request, issuer, status.
/// Spec: auth 34
#[test]
fn assertion_for_another_place_time_or_request_is_refused() {
    let trust = Trust::new();
    let now = start_time();
    let good = Document::default();
    let changes: [(&str, Document); 11] = [
        ("audience", Document { audience: "https://other.example.com", ..good.clone() }),
        ("recipient", Document { recipient: "https://other.example.com/acs", ..good.clone() }),
        ("request", Document { in_response_to: Some("_request-of-another"), ..good.clone() }),
        ("no request", Document { in_response_to: None, ..good.clone() }),
        ("issuer", Document { issuer: "https://other.example.com/saml", ..good.clone() }),
        ("ended", Document { not_on_or_after: now - TimeDelta::seconds(60), ..good.clone() }),
        ("not begun", Document { not_before: now + TimeDelta::seconds(61), ..good.clone() }),
        ("too long", Document { not_on_or_after: now + TimeDelta::hours(25), ..good.clone() }),
        ("status", Document { status: "urn:oasis:names:tc:SAML:2.0:status:Requester", ..good.clone() }),
        ("no subject", Document { name_id: String::new(), ..good.clone() }),
        ("audience with space", Document { audience: "https://ops.example.com", ..good.clone() }),
    ];
    for (what, document) in &changes[..9] {
        trust.refuses(what, document);
    }
    trust.refuses(changes[10].0, &changes[10].1);
    let nobody = trust.accept(&changes[9].1.signed(&trust.idp));
    assert!(nobody.is_err() || nobody.is_ok_and(|accepted| accepted.name_id.is_none()));
    let within_skew = Document { not_on_or_after: now - TimeDelta::seconds(59), ..good.clone() };
    assert!(trust.accept(&within_skew.signed(&trust.idp)).is_ok());
}

/// Spec: auth 34
#[test]
fn transient_name_is_no_lasting_id() {
    let trust = Trust::new();
    let format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    let document = Document { name_id_format: format, ..Document::default() };
    assert_eq!(trust.accept(&document.signed(&trust.idp)).unwrap().name_id, None);
}

/// Attack class 12: no signature, a signature of somebody else, one around the response only.
/// Spec: auth 34
#[test]
fn assertion_without_the_providers_signature_is_refused() {
    let trust = Trust::new();
    let document = Document::default();
    assert!(trust.accept(&document.response("", &document.assertion(""))).is_err(), "unsigned");
    assert!(
        trust.accept(&document.signed(&party("attacker.example.com"))).is_err(),
        "signed by somebody else"
    );
    assert!(trust.accept(&document.response_signed(&trust.idp)).is_err(), "only the response is signed");
    let signed = document.signed(&trust.idp);
    for (from, to) in [
        ("alice-4711", "mallory"),
        ("alice@example.com", "root@example.com"),
        ("<saml:AttributeValue>ops", "<saml:AttributeValue>gods"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
    ] {
        assert!(signed.contains(from));
        assert!(trust.accept(&signed.replace(from, to)).is_err(), "{from} changed to {to}");
    }
    let unsigned = {
        let (before, rest) = signed.split_once("<ds:Signature ").unwrap();
        let (_, after) = rest.split_once("</ds:Signature>").unwrap();
        format!("{before}{after}")
    };
    assert!(trust.accept(&unsigned).is_err(), "the signature taken out");
}

/// Attack class 12: SHA-1 in signature or digest.
/// Spec: auth 34
#[test]
fn sha_1_is_refused_by_the_gate_and_by_the_library() {
    let trust = Trust::new();
    let (rsa, digest) =
        ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1");
    for document in
        [Document { signature: rsa, ..Document::default() }, Document { digest, ..Document::default() }]
    {
        let xml = document.signed(&trust.idp);
        assert!(matches!(trust.accept(&xml), Err(Refusal::Shape(ShapeError::Algorithm))));
        assert!(trust.library_alone(&xml).is_err());
    }
}

/// Attack class 12: a comment that cuts a name in two, entities, a bomb in place of a document.
/// Spec: auth 34
#[test]
fn comments_declarations_and_compressed_documents_are_refused() {
    let trust = Trust::new();
    let victim = Document { name_id: "admin@example.com.attacker.example".to_owned(), ..Document::default() };
    let cut = victim.signed(&trust.idp).replace("example.com.attacker", "example.com<!-- -->.attacker");
    assert!(matches!(trust.accept(&cut), Err(Refusal::Shape(ShapeError::Declarations))));
    // The signature holds, because canonical XML has no comments; the library must still read the whole name.
    if let Ok(session) = trust.library_alone(&cut) {
        assert_eq!(session.name_id().value(), "admin@example.com.attacker.example");
    }
    let signed = Document::default().signed(&trust.idp);
    for declaration in [
        "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        "<!DOCTYPE r SYSTEM \"https://attacker.example/r.dtd\">",
        "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>",
    ] {
        let document = format!("{declaration}{signed}");
        assert!(trust.accept(&document).is_err() && trust.library_alone(&document).is_err(), "{declaration}");
    }
    // What is posted is never inflated (SAML Bindings 2.0 section 3.5.4), so a bomb stays as small as it came.
    assert!(gate::decode("eJztwYEAAAAAw6D5U1/hAFUBAAAAAAAAAAAAAAAAAAAAAAAA").is_err());
}

/// Spec: auth 34
#[test]
fn unasked_answer_is_told_from_one_that_answers() {
    let trust = Trust::new();
    let unasked = Document { in_response_to: None, ..Document::default() }.signed(&trust.idp);
    let at = start_time();
    assert!(SamlRs.accept(&trust.parties(), &unasked, None, at).is_ok());
    assert!(SamlRs.accept(&trust.parties(), &unasked, Some(REQUEST), at).is_err());
    let answer = Document::default().signed(&trust.idp);
    assert!(
        SamlRs.accept(&trust.parties(), &answer, None, at).is_err(),
        "it answers a request, so it is not unasked"
    );
}

/// Attack class 12: metadata that were stored before they were looked at that closely.
/// Spec: auth 34
#[test]
fn assertion_signed_with_a_key_for_encryption_is_refused() {
    let mut trust = Trust::new();
    let answer = Document::default().signed(&trust.idp);
    assert!(trust.accept(&answer).is_ok());
    trust.metadata = trust.metadata.replace("use=\"signing\"", "use=\"encryption\"");
    let refusal = trust.accept(&answer).expect_err("the key is not for signing").to_string();
    assert!(refusal.contains("signing"), "{refusal}");
    assert!(trust.library_alone(&answer).is_err());
}

/// Spec: auth 34
#[test]
fn own_metadata_and_requests_name_this_service() {
    let trust = Trust::new();
    let own = SamlRs.own_metadata(&trust.parties()).unwrap();
    for part in [SP, ACS, "WantAssertionsSigned=\"true\"", "use=\"encryption\""] {
        assert!(own.contains(part), "{part} in {own}");
    }
    assert!(!own.contains("PRIVATE"));
    let request = SamlRs.request(&trust.parties(), false).unwrap();
    assert!(request.url.starts_with("https://idp.example.com/sso?SAMLRequest="), "{}", request.url);
    assert_ne!(request.id, SamlRs.request(&trust.parties(), true).unwrap().id);
}
