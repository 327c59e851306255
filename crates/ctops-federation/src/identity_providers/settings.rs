//! What the two protocols need, without secrets, and what is checked about it.

use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::certificates::{Certificate, read_certificates};
use super::presets;

/// Longest address, bytes.
const MAX_URL_BYTES: usize = 2000;
/// Longest name of a claim or attribute, characters.
const MAX_NAME_CHARS: usize = 300;
/// Longest list of authorities, bytes.
const MAX_PEM_BYTES: usize = 64 * 1024;

/// How this service proves itself at the token endpoint (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthentication {
    /// Client id and secret in the header.
    #[default]
    Basic,
    /// Client id and secret in the body.
    Post,
}

/// Addresses of a provider that publishes no discovery document, or none that this server can reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OidcEndpoints)]
pub(crate) struct Endpoints {
    /// Where browsers are sent to sign in.
    pub(crate) authorization: String,
    /// Where codes are exchanged.
    pub(crate) token: String,
    /// Key set.
    pub(crate) jwks: String,
    /// More about people; optional.
    #[serde(default)]
    pub(crate) userinfo: Option<String>,
    /// Where browsers are sent to sign out; optional.
    #[serde(default)]
    pub(crate) end_session: Option<String>,
}

/// Which claims tell what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = OidcClaimMap)]
pub(crate) struct ClaimMap {
    /// E-mail address.
    pub(crate) email: String,
    /// Full name.
    pub(crate) name: String,
    /// Groups; dots lead into objects, as in `realm_access.roles`.
    pub(crate) groups: String,
}

impl Default for ClaimMap {
    fn default() -> Self {
        Self { email: "email".to_owned(), name: "name".to_owned(), groups: "groups".to_owned() }
    }
}

/// OpenID Connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = OidcSettings)]
pub(crate) struct OidcSettings {
    /// `google`, `entra`, `okta`, `keycloak` or `custom`: what the page proposes.
    pub(crate) preset: String,
    /// As it stands in the provider's tokens, letter by letter.
    pub(crate) issuer: String,
    /// Our name at the provider.
    pub(crate) client_id: String,
    /// How the secret is sent.
    pub(crate) client_authentication: ClientAuthentication,
    /// Instead of the discovery document.
    pub(crate) endpoints: Option<Endpoints>,
    /// Beside `openid`.
    pub(crate) scopes: Vec<String>,
    /// Which claims tell what.
    pub(crate) claims: ClaimMap,
    /// Certificate authorities of the provider, PEM, instead of the system's.
    pub(crate) ca_pem: Option<String>,
}

impl OidcSettings {
    /// Checks it.
    ///
    /// # Errors
    /// `validation_failed` with every field that is wrong.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut fields = Vec::new();
        if !presets::knows(&self.preset) {
            fields.push(wrong("oidc.preset", "is not a preset"));
        }
        check_url(&mut fields, "oidc.issuer", &self.issuer);
        if Url::parse(&self.issuer).is_ok_and(|url| url.query().is_some() || url.fragment().is_some()) {
            fields.push(wrong("oidc.issuer", "must have neither a query nor a fragment"));
        }
        check_text(&mut fields, "oidc.client_id", &self.client_id, 1..=MAX_NAME_CHARS);
        if let Some(endpoints) = &self.endpoints {
            let optional = [("userinfo", &endpoints.userinfo), ("end_session", &endpoints.end_session)];
            let optional = optional.into_iter().filter_map(|(name, url)| Some((name, url.as_ref()?)));
            let all = [
                ("authorization", &endpoints.authorization),
                ("token", &endpoints.token),
                ("jwks", &endpoints.jwks),
            ];
            for (name, url) in all.into_iter().chain(optional) {
                check_url(&mut fields, &format!("oidc.endpoints.{name}"), url);
            }
        }
        let is_scope = |scope: &String| {
            (1..=100).contains(&scope.len())
                && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if self.scopes.len() > 20 || !self.scopes.iter().all(is_scope) {
            fields.push(wrong("oidc.scopes", "must hold at most 20 scopes without spaces"));
        }
        for (name, claim) in
            [("email", &self.claims.email), ("name", &self.claims.name), ("groups", &self.claims.groups)]
        {
            check_text(&mut fields, &format!("oidc.claims.{name}"), claim, 0..=MAX_NAME_CHARS);
        }
        if let Some(pem) = &self.ca_pem
            && (pem.len() > MAX_PEM_BYTES || !read_certificates(pem).is_ok_and(|found| !found.is_empty()))
        {
            fields.push(wrong("oidc.ca_pem", "must hold certificates in PEM, at most 64 KiB"));
        }
        if fields.is_empty() { Ok(()) } else { Err(Problem::invalid(fields)) }
    }

    /// Whether the client secret would go to another place than before (settings 5).
    pub(super) fn sends_secret_elsewhere(&self, before: &Self) -> bool {
        let place = |settings: &Self| {
            let token = settings.endpoints.as_ref().map_or(&settings.issuer, |endpoints| &endpoints.token);
            let url = Url::parse(token).ok();
            let place =
                url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default())));
            (settings.client_id.clone(), settings.ca_pem.clone(), settings.endpoints.is_some(), place)
        };
        place(self) != place(before)
    }
}

/// Which attributes of an assertion tell what; names as the provider writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = SamlAttributeMap)]
pub(crate) struct AttributeMap {
    /// Lasting id of the person; empty for the NameID.
    pub(crate) subject: String,
    /// E-mail address.
    pub(crate) email: String,
    /// Full name.
    pub(crate) name: String,
    /// Groups.
    pub(crate) groups: String,
}

impl Default for AttributeMap {
    fn default() -> Self {
        Self {
            subject: String::new(),
            email: "urn:oid:0.9.2342.19200300.100.1.3".to_owned(),
            name: "urn:oid:2.16.840.1.113730.3.1.241".to_owned(),
            groups: "groups".to_owned(),
        }
    }
}

/// SAML 2.0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SamlSettings {
    /// The identity provider's metadata, as it was given.
    pub(crate) metadata_xml: String,
    /// Entity id in it.
    pub(crate) entity_id: String,
    /// Where browsers are sent to sign in (HTTP redirect).
    pub(crate) sign_in_url: String,
    /// Certificates it signs with.
    pub(crate) certificates: Vec<Certificate>,
    /// Which attributes tell what.
    pub(crate) attributes: AttributeMap,
    /// Sign-in that begins at the provider is accepted.
    pub(crate) allow_idp_initiated: bool,
    /// Authentication contexts that mean a second factor (auth 18).
    pub(crate) second_factor_contexts: Vec<String>,
    /// Certificate of this service, PEM: the provider encrypts for it and checks requests with it.
    pub(crate) own_certificate_pem: String,
}

impl SamlSettings {
    /// Checks what people write; the metadata is checked when it is read.
    ///
    /// # Errors
    /// `validation_failed` with every field that is wrong.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut fields = Vec::new();
        let map = &self.attributes;
        for (name, attribute) in
            [("subject", &map.subject), ("email", &map.email), ("name", &map.name), ("groups", &map.groups)]
        {
            check_text(&mut fields, &format!("saml.attributes.{name}"), attribute, 0..=MAX_NAME_CHARS);
        }
        if self.second_factor_contexts.len() > 20 {
            fields.push(wrong("saml.second_factor_contexts", "must hold at most 20 contexts"));
        }
        for context in &self.second_factor_contexts {
            check_text(&mut fields, "saml.second_factor_contexts", context, 1..=MAX_NAME_CHARS);
        }
        if fields.is_empty() { Ok(()) } else { Err(Problem::invalid(fields)) }
    }
}

fn wrong(path: &str, message: &str) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message: message.to_owned() }
}

/// `https`, without user name; plain `http` only towards this machine, which outgoing connections allow in development only.
fn check_url(fields: &mut Vec<FieldProblem>, path: &str, text: &str) {
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES);
    let usable = url.is_some_and(|url| {
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let secure = url.scheme() == "https" || (url.scheme() == "http" && local);
        secure && url.host_str().is_some() && url.username().is_empty() && url.password().is_none()
    });
    if !usable {
        fields.push(wrong(path, "must be an https:// address"));
    }
}

fn check_text(
    fields: &mut Vec<FieldProblem>,
    path: &str,
    text: &str,
    chars: std::ops::RangeInclusive<usize>,
) {
    if !chars.contains(&text.chars().count()) || text.chars().any(is_hostile) {
        let message = format!("must have {} to {} printable characters", chars.start(), chars.end());
        fields.push(wrong(path, &message));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn settings() -> OidcSettings {
        OidcSettings {
            preset: "keycloak".to_owned(),
            issuer: "https://idp.example.com/realms/main".to_owned(),
            client_id: "ct-ops".to_owned(),
            ..OidcSettings::default()
        }
    }

    fn refused(change: impl FnOnce(&mut OidcSettings)) -> Vec<String> {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap_err().fields().iter().map(|field| field.path.clone()).collect()
    }

    /// Spec: security 9
    #[test]
    fn addresses_must_be_https_and_plain() {
        assert!(settings().check().is_ok());
        for bad in [
            "",
            "idp.example.com",
            "http://idp.example.com",
            "file:///etc/passwd",
            "https://user:secret@idp.example.com",
            "https://idp.example.com/?realm=x",
            "javascript:alert(1)",
        ] {
            assert!(refused(|s| s.issuer = bad.to_owned()).contains(&"oidc.issuer".to_owned()), "{bad}");
        }
        let manual = Endpoints {
            authorization: "https://idp.example.com/auth".to_owned(),
            token: "ldap://idp.example.com".to_owned(),
            jwks: "https://idp.example.com/jwks".to_owned(),
            userinfo: Some("x".to_owned()),
            end_session: None,
        };
        assert_eq!(
            refused(|s| s.endpoints = Some(manual)),
            ["oidc.endpoints.token", "oidc.endpoints.userinfo"]
        );
    }

    #[test]
    fn other_fields_are_judged_too() {
        assert_eq!(refused(|s| s.preset = "myspace".to_owned()), ["oidc.preset"]);
        assert_eq!(refused(|s| s.client_id.clear()), ["oidc.client_id"]);
        assert_eq!(refused(|s| s.scopes = vec!["a b".to_owned()]), ["oidc.scopes"]);
        assert_eq!(refused(|s| s.ca_pem = Some("no certificate".to_owned())), ["oidc.ca_pem"]);
        assert_eq!(refused(|s| s.claims.groups = "a\0b".to_owned()), ["oidc.claims.groups"]);
        let saml = SamlSettings { second_factor_contexts: vec![String::new()], ..SamlSettings::default() };
        assert!(saml.check().is_err());
    }

    /// Spec: settings 5
    #[test]
    fn secret_does_not_follow_to_another_place() {
        let before = settings();
        let mut after = settings();
        after.claims.groups = "roles".to_owned();
        assert!(!after.sends_secret_elsewhere(&before));
        after.endpoints =
            Some(Endpoints { token: "https://attacker.example/".to_owned(), ..Endpoints::default() });
        assert!(after.sends_secret_elsewhere(&before));
        let moved = OidcSettings { ca_pem: Some("other".to_owned()), ..settings() };
        assert!(moved.sends_secret_elsewhere(&before));
    }
}
