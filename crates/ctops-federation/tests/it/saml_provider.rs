//! What a SAML identity provider does, with xmlsec1 for its signatures.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ctops_base::Role;
use flate2::read::DeflateDecoder;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Answer, App, SITE};

#[expect(dead_code, reason = "shared with the tests of the library, which use more of it")]
#[path = "../../src/saml/library/tests/documents.rs"]
mod documents;

pub(crate) use documents::{Document, Party, party};

/// Metadata of a provider nobody has the key of.
pub(crate) fn metadata_of_nobody() -> String {
    documents::metadata(&party("nobody.example.com"))
}

/// A provider set up in the organisation of an app.
pub(crate) struct Trust {
    pub(crate) app: App,
    pub(crate) idp: Party,
    pub(crate) id: String,
    pub(crate) admin: String,
}

impl Trust {
    pub(crate) async fn new(app: App, more: Value) -> Self {
        let idp = party("idp.example.com");
        let admin = app.person(Role::OrgAdmin).await;
        let mut wanted = json!({"name": "Campus", "enabled": true, "saml": {
            "metadata_xml": documents::metadata(&idp),
            "attributes": {"subject": "", "email": "mail", "name": "displayName", "groups": "groups"},
        }});
        for (key, value) in more.as_object().unwrap() {
            match key.as_str() {
                "saml" => {
                    for (key, value) in value.as_object().unwrap() {
                        wanted["saml"][key] = value.clone();
                    }
                }
                _ => wanted[key] = value.clone(),
            }
        }
        let made = app.send(&admin, "POST", "/identity-providers", Some(wanted)).await.expect(201);
        Self { id: made["id"].as_str().unwrap().to_owned(), app, idp, admin }
    }

    /// Sends a browser off: its cookie, and the id of the request it carries.
    pub(crate) async fn start(&self, cookie: &str, query: &str) -> (String, String) {
        let (cookie, xml) = self.depart(cookie, query).await;
        let id = xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap();
        (cookie, id.to_owned())
    }

    /// Sends a browser off: its cookie, and the request it carries.
    pub(crate) async fn depart(&self, cookie: &str, query: &str) -> (String, String) {
        let departure = self.app.visit(cookie, &format!("/auth/saml/{}/start{query}", self.id)).await;
        let url = Url::parse(&departure.location()).unwrap();
        assert!(url.as_str().starts_with("https://idp.example.com/sso?"), "{url}");
        let field = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap().1.into_owned();
        let mut xml = String::new();
        DeflateDecoder::new(STANDARD.decode(field).unwrap().as_slice()).read_to_string(&mut xml).unwrap();
        assert!(xml.contains(&self.acs()) && xml.contains(&self.entity_id()), "{xml}");
        (departure.cookie("__Host-ctops_sso"), xml)
    }

    fn entity_id(&self) -> String {
        format!("{SITE}/api/v1/auth/saml/{}/metadata", self.id)
    }

    fn acs(&self) -> String {
        format!("{SITE}/api/v1/auth/saml/{}/acs", self.id)
    }

    /// An assertion that answers a request, or none.
    pub(crate) fn document(&self, request: Option<&str>) -> Document {
        let now = self.app.clock.now();
        Document {
            audience: leaked(self.entity_id()),
            recipient: leaked(self.acs()),
            in_response_to: request.map(|id| leaked(id.to_owned())),
            issued: now,
            not_before: now - chrono::TimeDelta::minutes(1),
            not_on_or_after: now + chrono::TimeDelta::minutes(5),
            assertion_id: leaked(format!("_{}", uuid::Uuid::new_v4().simple())),
            ..Document::default()
        }
    }

    /// The browser posts a document from the provider's page.
    pub(crate) async fn post(&self, xml: &str, relay_state: &str) -> Answer {
        let fields = [("SAMLResponse", STANDARD.encode(xml)), ("RelayState", relay_state.to_owned())];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.app.post_form(&format!("/auth/saml/{}/acs", self.id), form).await
    }

    /// The whole way of a browser.
    pub(crate) async fn sign_in(&self) -> Answer {
        let (cookie, request) = self.start("", "").await;
        let answer = self.post(&self.document(Some(&request)).signed(&self.idp), "").await;
        self.app.visit(&cookie, &answer.location()).await
    }
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
