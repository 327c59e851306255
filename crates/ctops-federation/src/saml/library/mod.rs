//! The SAML library, behind a trait of ours: verification is the part that must be replaceable.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use saml_rs::xml::dom::{Node, parse_with_limits};
use saml_rs::{
    AcsEndpoint, AssertionEncryptionPolicy, AssertionSignaturePolicy, AudienceValidationPolicy, AuthnRequest,
    AuthnRequestSigningPolicy, BrowserInput, CertificatePem, ClockSkew, Credentials, EntityId, ForceAuthn,
    FormField, LogoutPolicy, NameIdCreationPolicy, NameIdFormat, Pending, PendingSnapshot, PrivateKeyPem,
    RelayStateParam, ReplayPolicy, ResponseSignaturePolicy, Saml, SamlValidationContext, Sp, SpConfig,
    SpValidationPolicy, SsoResponse, SsoSession, StartSso, XmlEncryptionPolicy, XmlPolicy,
    XmlSignatureProfile,
};

use super::gate::{self, LIMITS, ShapeError};
use super::metadata::descriptor;

/// Clocks of two machines may differ by this much, milliseconds (auth, limits).
const SKEW_MS: i64 = 60_000;
/// Longest time that an assertion may be presented in.
const MAX_VALIDITY: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// Attributes and values of one assertion that are looked at.
const MAX_VALUES: usize = 1000;

/// The two sides of one trust.
pub(super) struct Parties<'a> {
    /// Our entity id.
    pub(super) entity_id: &'a str,
    /// Where answers go.
    pub(super) acs_url: &'a str,
    /// Our certificate.
    pub(super) certificate_pem: &'a str,
    /// Our private key.
    pub(super) key_pem: &'a str,
    /// The provider's metadata.
    pub(super) metadata_xml: &'a str,
}

/// A request on its way out.
pub(super) struct Departing {
    pub(super) id: String,
    pub(super) url: String,
}

/// An assertion that passed everything but replay.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) assertion_id: String,
    /// NameID, unless it is transient.
    pub(super) name_id: Option<String>,
    /// Name and values, in document order.
    pub(super) attributes: Vec<(String, Vec<String>)>,
    /// Authentication context class.
    pub(super) context: Option<String>,
    pub(super) authenticated_at: Option<DateTime<Utc>>,
    /// Nobody may present it after this.
    pub(super) valid_until: DateTime<Utc>,
}

/// Why an assertion is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Its shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// What the library says; its texts hold no secrets.
    #[error("{0}")]
    Library(String),
    /// Valid for longer than a day.
    #[error("the assertion can be presented for more than a day")]
    Validity,
}

impl From<saml_rs::SamlError> for Refusal {
    fn from(error: saml_rs::SamlError) -> Self {
        Self::Library(ctops_base::text::clean(&error.to_string(), 300))
    }
}

/// What this service needs of SAML.
pub(super) trait Library: Send + Sync {
    /// Our metadata.
    fn own_metadata(&self, parties: &Parties<'_>) -> Result<String, Refusal>;
    /// A request to sign somebody in, with their credentials anew if `force` says so.
    fn request(&self, parties: &Parties<'_>, force: bool) -> Result<Departing, Refusal>;
    /// Verifies an answer: to the request with this id, or unasked.
    fn accept(
        &self,
        parties: &Parties<'_>,
        response_xml: &str,
        request_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Accepted, Refusal>;
}

/// The library in use, pure Rust on top of the same cryptography as everything else here.
pub(super) struct SamlRs;

impl SamlRs {
    fn service_provider(
        parties: &Parties<'_>,
        sign_requests: bool,
        decrypt: bool,
    ) -> Result<Saml<Sp>, Refusal> {
        let key = || Some(PrivateKeyPem::new(parties.key_pem));
        let certificate = || Some(CertificatePem::new(parties.certificate_pem));
        let validation = SpValidationPolicy {
            assertions: AssertionSignaturePolicy::RequireSigned,
            responses: ResponseSignaturePolicy::RequireForEncryptedCbc,
            xml_signatures: XmlSignatureProfile::StrictRsaSha2,
            authn_requests: match sign_requests {
                true => AuthnRequestSigningPolicy::Sign,
                false => AuthnRequestSigningPolicy::DoNotSignForCompatibility,
            },
            audience: AudienceValidationPolicy::Validate,
            name_id_creation: NameIdCreationPolicy::AllowCreate,
            logout: LogoutPolicy::recommended(),
        };
        let mut encryption = XmlEncryptionPolicy::default();
        if decrypt {
            encryption.assertions = AssertionEncryptionPolicy::EncryptAssertions;
        }
        let config = SpConfig::builder(EntityId::try_new(parties.entity_id)?)
            .acs_endpoint(AcsEndpoint::post(parties.acs_url)?.mark_default())
            .name_id_format(NameIdFormat::Persistent)
            .credentials(Credentials {
                signing_key: key(),
                signing_certificate: certificate(),
                encryption_certificate: certificate(),
                decryption_key: key(),
                ..Credentials::default()
            })
            .validation(validation)
            .xml(XmlPolicy { limits: LIMITS, encryption, ..XmlPolicy::default() })
            .build()?;
        Ok(Saml::sp(config)?)
    }
}

impl Library for SamlRs {
    fn own_metadata(&self, parties: &Parties<'_>) -> Result<String, Refusal> {
        let sign =
            descriptor(parties.metadata_xml).is_ok_and(|idp| idp.metadata().is_want_authn_requests_signed());
        Ok(Self::service_provider(parties, sign, true)?.metadata_xml().to_owned())
    }

    fn request(&self, parties: &Parties<'_>, force: bool) -> Result<Departing, Refusal> {
        let idp = descriptor(parties.metadata_xml).map_err(Refusal::Library)?;
        let sign = idp.metadata().is_want_authn_requests_signed();
        let mut options = StartSso::redirect();
        if force {
            options = options.force_authn(ForceAuthn::Required);
        }
        let started = Self::service_provider(parties, sign, false)?.start_sso(&idp, options)?;
        let id = started.pending.request_id().as_str().to_owned();
        Ok(Departing { id, url: started.outbound.redirect_url()?.to_owned() })
    }

    fn accept(
        &self,
        parties: &Parties<'_>,
        response_xml: &str,
        request_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Accepted, Refusal> {
        let shape = gate::judge(response_xml)?;
        accepted(&Self::verify(parties, response_xml, shape.encrypted, request_id, now)?, now)
    }
}

impl SamlRs {
    /// What the library alone makes of an answer; the tests ask it the same hostile questions as the gate.
    fn verify(
        parties: &Parties<'_>,
        response_xml: &str,
        encrypted: bool,
        request_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<SsoSession, Refusal> {
        let idp = descriptor(parties.metadata_xml).map_err(Refusal::Library)?;
        let service = Self::service_provider(parties, false, encrypted)?;
        let field = STANDARD.encode(response_xml);
        let input = BrowserInput::<SsoResponse>::post(vec![FormField::new("SAMLResponse", field)]);
        let at = SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(now.timestamp_millis()).unwrap_or(0));
        // Replays are refused by the database, which all nodes share.
        let context = SamlValidationContext::new(at, ReplayPolicy::DisabledForCompatibility)
            .with_clock_skew(ClockSkew::from_millis(-SKEW_MS, SKEW_MS));
        Ok(match request_id {
            Some(id) => {
                let snapshot = PendingSnapshot::<AuthnRequest>::authn_request(
                    id,
                    RelayStateParam::absent(),
                    idp.entity_id().as_str(),
                    "post",
                    parties.acs_url,
                    "post",
                );
                service.finish_sso(
                    &idp,
                    &Pending::<AuthnRequest>::from_snapshot(snapshot)?,
                    input,
                    context,
                )?
            }
            None => service.accept_unsolicited_sso(&idp, input, context)?,
        })
    }
}

/// What is taken over from a verified answer.
fn accepted(session: &SsoSession, now: DateTime<Utc>) -> Result<Accepted, Refusal> {
    // The document as it was verified; what was encrypted is in the clear here, so its shape is judged as well.
    let xml = session.raw_flow().saml_content.as_str();
    gate::judge(xml)?;
    let root = parse_with_limits(xml, LIMITS).map_err(Refusal::from)?.root;
    let valid_until = bearer_end(&root).ok_or(Refusal::Validity)?;
    if valid_until > now + MAX_VALIDITY {
        return Err(Refusal::Validity);
    }
    let name_id = session.name_id();
    let lasting = !matches!(name_id.format(), Some(NameIdFormat::Transient));
    let attributes = session.attributes().as_slice().iter().take(MAX_VALUES).map(|attribute| {
        let values = attribute.values().iter().take(MAX_VALUES).map(|value| value.as_str().trim().to_owned());
        (attribute.name().to_owned(), values.collect())
    });
    let context = find(&root, &["Assertion", "AuthnStatement", "AuthnContext", "AuthnContextClassRef"]);
    let authenticated_at = session.authn_session().authn_instant().and_then(|at| at.as_str().parse().ok());
    Ok(Accepted {
        assertion_id: session.assertion_id().as_str().to_owned(),
        name_id: Some(name_id.value().to_owned()).filter(|value| lasting && !value.is_empty()),
        attributes: attributes.collect(),
        context: context.map(|node| node.text.trim().to_owned()),
        authenticated_at,
        valid_until,
    })
}

/// The last moment at which a bearer may present the assertion: the latest of its confirmations.
fn bearer_end(root: &Node) -> Option<DateTime<Utc>> {
    let subject = find(root, &["Assertion", "Subject"])?;
    let confirmations = subject.children.iter().filter(|child| child.local_name == "SubjectConfirmation");
    let data = confirmations
        .flat_map(|found| &found.children)
        .filter(|child| child.local_name == "SubjectConfirmationData");
    data.filter_map(|data| data.attr("NotOnOrAfter")?.parse::<DateTime<Utc>>().ok()).max()
}

/// The first element on the way.
fn find<'a>(root: &'a Node, way: &[&str]) -> Option<&'a Node> {
    way.iter().try_fold(root, |node, name| node.children.iter().find(|child| child.local_name == *name))
}

#[cfg(test)]
mod tests;
