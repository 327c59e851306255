//! Metadata of identity providers, as their administrators hand them over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saml_rs::constants::CertUse;
use saml_rs::raw::Binding;
use saml_rs::xml::dom::{self, Node};
use saml_rs::{IdpDescriptor, MetadataTrustPolicy};
use url::Url;

use crate::identity_providers::Certificate;

/// Largest metadata, bytes. Those of one provider have some 10 KiB.
const MAX_BYTES: usize = 512 * 1024;

/// What metadata say.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Entity id, as it stands in assertions.
    pub(crate) entity_id: String,
    /// Where browsers are sent (HTTP redirect).
    pub(crate) sign_in_url: String,
    /// Certificates it signs with.
    pub(crate) certificates: Vec<Certificate>,
}

/// Reads metadata of one identity provider. They are trusted because an administrator uploads them; a signature on them
/// is not looked at.
///
/// # Errors
/// What is wrong, for the administrator.
pub(crate) fn read_metadata(xml: &str) -> Result<Facts, String> {
    let descriptor = descriptor(xml)?;
    let metadata = descriptor.metadata();
    let sign_in_url = metadata
        .get_single_sign_on_service(Binding::Redirect)
        .ok_or("the metadata name no sign-in address for the binding HTTP-Redirect")?;
    let url = Url::parse(&sign_in_url).map_err(|_| "the sign-in address is not a URL")?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(local && url.scheme() == "http") {
        return Err("the sign-in address must be https".to_owned());
    }
    let mut certificates = Vec::new();
    for text in metadata.x509_certificates(CertUse::Signing) {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let der = STANDARD.decode(compact).map_err(|_| "a signing certificate is not base64")?;
        let certificate = Certificate::from_der(&der).ok_or("a signing certificate cannot be read")?;
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err("the metadata hold no signing certificate".to_owned());
    }
    Ok(Facts { entity_id: descriptor.entity_id().as_str().to_owned(), sign_in_url, certificates })
}

/// The library's view of metadata.
///
/// # Errors
/// What is wrong, for the administrator.
pub(super) fn descriptor(xml: &str) -> Result<IdpDescriptor, String> {
    if xml.len() > MAX_BYTES {
        return Err(format!("the metadata have more than {} KiB", MAX_BYTES / 1024));
    }
    if xml.contains("<!DOCTYPE") || xml.contains("<!ENTITY") {
        return Err("the metadata must not have a document type".to_owned());
    }
    let unreadable = |_| "these are not the metadata of one SAML 2.0 identity provider".to_owned();
    let descriptor = IdpDescriptor::from_metadata_xml(xml, MetadataTrustPolicy::UnsignedForCompatibility)
        .map_err(unreadable)?;
    let document = dom::parse(xml).map_err(unreadable)?;
    let declared = signing_certificates(&document.root);
    let trusted = descriptor.metadata().x509_certificates(CertUse::Signing);
    if !trusted.iter().all(|certificate| declared.contains(&certificate.as_str())) {
        return Err("the certificate in the metadata is not the provider's for signing".to_owned());
    }
    Ok(descriptor)
}

/// Certificates that the identity provider says it signs with: those for signing, and those without a use, which are for
/// everything (SAML 2.0 metadata, 2.4.1.1). The library takes a certificate that stands alone for both uses, whatever the
/// document says of it.
fn signing_certificates(entity: &Node) -> Vec<&str> {
    let keys = below(vec![entity], "IDPSSODescriptor");
    let keys = below(keys, "KeyDescriptor");
    let signing = keys.into_iter().filter(|key| matches!(key.attr("use"), None | Some("signing")));
    let infos = below(signing.collect(), "KeyInfo");
    below(below(infos, "X509Data"), "X509Certificate").into_iter().map(|node| node.text.as_str()).collect()
}

/// Children with this name.
fn below<'a>(nodes: Vec<&'a Node>, name: &str) -> Vec<&'a Node> {
    nodes.into_iter().flat_map(|node| &node.children).filter(|child| child.local_name == name).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::KeyPair;

    use super::*;

    fn metadata(url: &str, key_use: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["idp.example.com".to_owned()]).unwrap();
        let der = STANDARD.encode(params.self_signed(&key).unwrap().der());
        format!(
            r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/saml">
              <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
                <md:KeyDescriptor{key_use}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
                  <ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
                <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{url}"/>
              </md:IDPSSODescriptor></md:EntityDescriptor>"#
        )
    }

    /// Spec: auth 34
    #[test]
    fn metadata_tell_entity_address_and_certificates() {
        for key_use in [" use=\"signing\"", ""] {
            let facts = read_metadata(&metadata("https://idp.example.com/sso", key_use)).unwrap();
            assert_eq!(facts.entity_id, "https://idp.example.com/saml");
            assert_eq!(facts.sign_in_url, "https://idp.example.com/sso");
            assert_eq!(facts.certificates.len(), 1);
        }
    }

    /// Attack class 12: a key that is not for signing must not sign people in.
    /// Spec: auth 34
    #[test]
    fn certificates_that_are_not_the_providers_for_signing_are_not_trusted() {
        let signing = metadata("https://idp.example.com/sso", " use=\"signing\"");
        let key_of = |xml: &str| {
            let (start, end) = (xml.find("<md:KeyDescriptor"), xml.find("</md:KeyDescriptor>"));
            xml[start.unwrap()..end.unwrap() + "</md:KeyDescriptor>".len()].to_owned()
        };
        for (other_use, what) in [(" use=\"encryption\"", "alone"), (" use=\"Signing\"", "misspelt")] {
            let told = read_metadata(&metadata("https://idp.example.com/sso", other_use)).unwrap_err();
            assert!(told.contains("signing"), "{what}: {told}");
        }
        let with_more =
            |key: &str| signing.replacen("<md:KeyDescriptor", &format!("{key}<md:KeyDescriptor"), 1);
        let encryption = key_of(&metadata("https://idp.example.com/sso", " use=\"encryption\""));
        assert_eq!(
            read_metadata(&with_more(&encryption)).unwrap().certificates.len(),
            1,
            "beside one for signing"
        );
        let rolled = key_of(&metadata("https://idp.example.com/sso", " use=\"signing\""));
        assert_eq!(read_metadata(&with_more(&rolled)).unwrap().certificates.len(), 2);
        // The same entity is a service provider as well, and only that part of it has a key.
        let moved = signing.replace(&key_of(&signing), "").replacen(
            "<md:IDPSSODescriptor",
            &format!("<md:SPSSODescriptor>{}</md:SPSSODescriptor><md:IDPSSODescriptor", key_of(&signing)),
            1,
        );
        assert!(read_metadata(&moved).unwrap_err().contains("signing"), "a key of another role");
    }

    /// Spec: auth 34
    #[test]
    fn unusable_metadata_are_refused_with_the_reason() {
        let good = metadata("https://idp.example.com/sso", " use=\"signing\"");
        for (xml, reason) in [
            (String::new(), "not the metadata"),
            ("<html/>".to_owned(), "not the metadata"),
            (format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{good}"), "document type"),
            (metadata("http://idp.example.com/sso", " use=\"signing\""), "https"),
            (metadata("javascript:alert(1)", " use=\"signing\""), "https"),
            (good.replace("X509Certificate>", "Other>"), "no signing certificate"),
            (good.replace("HTTP-Redirect", "HTTP-POST"), "HTTP-Redirect"),
            (" ".repeat(MAX_BYTES + 1), "KiB"),
        ] {
            let told = read_metadata(&xml).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}
