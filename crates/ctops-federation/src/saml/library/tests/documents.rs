//! Responses, honest and hostile, signed and encrypted by xmlsec1: a tool that shares no code with ours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_testkit::start_time;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

pub(crate) const IDP: &str = "https://idp.example.com/saml";
pub(crate) const SP: &str = "https://ops.example.com/api/v1/auth/saml/1/metadata";
pub(crate) const ACS: &str = "https://ops.example.com/api/v1/auth/saml/1/acs";
pub(crate) const REQUEST: &str = "_request-4711";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// One party's key and certificate.
pub(crate) struct Party {
    pub(crate) key_pem: String,
    pub(crate) certificate_pem: String,
    pub(crate) certificate_base64: String,
}

pub(crate) fn party(name: &str) -> Party {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    Party {
        key_pem: key.serialize_pem(),
        certificate_pem: certificate.pem(),
        certificate_base64: STANDARD.encode(certificate.der()),
    }
}

pub(crate) fn metadata(idp: &Party) -> String {
    format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{IDP}">
          <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
            <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data>
              <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
            <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
              Location="https://idp.example.com/sso"/>
          </md:IDPSSODescriptor></md:EntityDescriptor>"#,
        idp.certificate_base64
    )
}

/// A response in the making.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) name_id: String,
    pub(crate) name_id_format: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) audience: &'static str,
    pub(crate) recipient: &'static str,
    pub(crate) in_response_to: Option<&'static str>,
    pub(crate) issued: DateTime<Utc>,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) not_on_or_after: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) signature: &'static str,
    pub(crate) digest: &'static str,
    pub(crate) assertion_id: &'static str,
}

impl Default for Document {
    fn default() -> Self {
        let now = start_time();
        Self {
            name_id: "alice-4711".to_owned(),
            name_id_format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            issuer: IDP,
            audience: SP,
            recipient: ACS,
            in_response_to: Some(REQUEST),
            issued: now,
            not_before: now - TimeDelta::minutes(1),
            not_on_or_after: now + TimeDelta::minutes(5),
            status: "urn:oasis:names:tc:SAML:2.0:status:Success",
            signature: RSA_SHA256,
            digest: SHA256,
            assertion_id: "_assertion-1",
        }
    }
}

fn at(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Document {
    /// The template that xmlsec1 fills.
    fn signature_template(&self, id: &str) -> String {
        format!(
            r##"<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="{}"/><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{DSIG}enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="{}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>"##,
            self.signature, self.digest
        )
    }

    /// The assertion; `signature` goes where the schema wants it.
    pub(crate) fn assertion(&self, signature: &str) -> String {
        let answers = self.in_response_to.map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let Self { name_id, name_id_format, issuer, audience, recipient, assertion_id, .. } = self;
        let (issued, from, until) = (at(self.issued), at(self.not_before), at(self.not_on_or_after));
        format!(
            r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="2.0" IssueInstant="{issued}"><saml:Issuer>{issuer}</saml:Issuer>{signature}<saml:Subject><saml:NameID Format="{name_id_format}">{name_id}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData{answers} Recipient="{recipient}" NotOnOrAfter="{until}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{from}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{issued}" SessionIndex="_session"><saml:AuthnContext><saml:AuthnContextClassRef>https://refeds.org/profile/mfa</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>alice@example.com</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>ops</saml:AttributeValue><saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"#
        )
    }

    /// The response around `inside`.
    pub(crate) fn response(&self, signature: &str, inside: &str) -> String {
        let answers = self.in_response_to.map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let Self { issuer, recipient, status, .. } = self;
        format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response-1" Version="2.0" IssueInstant="{}" Destination="{recipient}"{answers}><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</saml:Issuer>{signature}<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>{inside}</samlp:Response>"#,
            at(self.issued)
        )
    }

    /// An assertion that `idp` signed.
    pub(crate) fn signed_assertion(&self, idp: &Party) -> String {
        let template = self.assertion(&self.signature_template(self.assertion_id));
        sign(&template, idp, "urn:oasis:names:tc:SAML:2.0:assertion:Assertion")
    }

    /// A response with an assertion that `idp` signed: what most providers send.
    pub(crate) fn signed(&self, idp: &Party) -> String {
        self.response("", &self.signed_assertion(idp))
    }

    /// A response that is signed as a whole, with an assertion that is not.
    pub(crate) fn response_signed(&self, idp: &Party) -> String {
        let template = self.response(&self.signature_template("_response-1"), &self.assertion(""));
        sign(&template, idp, "urn:oasis:names:tc:SAML:2.0:protocol:Response")
    }

    /// A response with a signed assertion that is encrypted for `sp`.
    pub(crate) fn encrypted(&self, idp: &Party, sp: &Party, transport: &str, data: &str) -> String {
        let assertion = self.signed_assertion(idp);
        let xenc = "http://www.w3.org/2001/04/xmlenc#";
        let template = format!(
            r#"<xenc:EncryptedData xmlns:xenc="{xenc}" Type="{xenc}Element"><xenc:EncryptionMethod Algorithm="{data}"/><ds:KeyInfo xmlns:ds="{DSIG}"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{transport}"/><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"#
        );
        let place = Workshop::new();
        place.write("plain.xml", &assertion);
        place.write("template.xml", &template);
        place.write("certificate.pem", &sp.certificate_pem);
        let session_key = if data.contains("256") { "aes-256" } else { "aes-128" };
        let words = ["--encrypt", "--pubkey-cert-pem", "certificate.pem", "--session-key", session_key];
        let encrypted = place.run(&words, &["--xml-data", "plain.xml", "template.xml"]);
        let wrapped = format!(
            r#"<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{encrypted}</saml:EncryptedAssertion>"#
        );
        self.response("", &wrapped)
    }
}

/// Fills the one signature template of a document.
pub(crate) fn sign(template: &str, by: &Party, id_attribute_of: &str) -> String {
    let place = Workshop::new();
    place.write("document.xml", template);
    place.write("key.pem", &by.key_pem);
    place.write("certificate.pem", &by.certificate_pem);
    place.run(
        &["--sign", "--privkey-pem", "key.pem,certificate.pem", "--id-attr:ID", id_attribute_of],
        &["document.xml"],
    )
}

/// A directory that goes with the test.
struct Workshop(PathBuf);

impl Workshop {
    fn new() -> Self {
        let place = std::env::temp_dir().join(format!("ctops-saml-{}", ctops_base::id::new_id().simple()));
        fs::create_dir(&place).unwrap();
        Self(place)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Runs xmlsec1 and gives what it wrote, without the XML declaration.
    fn run(&self, words: &[&str], input: &[&str]) -> String {
        let output = Command::new("xmlsec1")
            .current_dir(&self.0)
            .args(words)
            .args(input)
            .output()
            .expect("xmlsec1 is installed by `cargo xtask setup`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let body = text.split_once("?>").map_or(text.as_str(), |(_, body)| body);
        body.trim().to_owned()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
