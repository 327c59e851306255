//! What the page proposes for known providers (auth 33).

use serde::Serialize;
use utoipa::ToSchema;

/// Proposals for one provider.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderPreset)]
pub(super) struct Preset {
    /// Name in the API.
    pub(super) key: &'static str,
    /// Name for people.
    pub(super) title: &'static str,
    /// Issuer, with what must be replaced in braces.
    pub(super) issuer: &'static str,
    /// Scopes beside `openid`.
    pub(super) scopes: &'static [&'static str],
    /// Claim with the e-mail address.
    pub(super) email_claim: &'static str,
    /// Claim with the full name.
    pub(super) name_claim: &'static str,
    /// Claim with the groups; empty when the provider has none.
    pub(super) groups_claim: &'static str,
    /// The provider does not say `email_verified`, although it verifies addresses of its own domains.
    pub(super) trust_email: bool,
}

/// All of them, in the order to offer them.
pub(super) const PRESETS: &[Preset] = &[
    Preset {
        key: "google",
        title: "Google",
        issuer: "https://accounts.google.com",
        scopes: &["profile", "email"],
        email_claim: "email",
        name_claim: "name",
        groups_claim: "",
        trust_email: false,
    },
    // Entra writes whatever an administrator of the tenant entered into `email` and never says `email_verified`.
    Preset {
        key: "entra",
        title: "Microsoft Entra ID",
        issuer: "https://login.microsoftonline.com/{tenant id}/v2.0",
        scopes: &["profile", "email"],
        email_claim: "email",
        name_claim: "name",
        groups_claim: "groups",
        trust_email: false,
    },
    Preset {
        key: "okta",
        title: "Okta",
        issuer: "https://{domain}.okta.com",
        scopes: &["profile", "email", "groups"],
        email_claim: "email",
        name_claim: "name",
        groups_claim: "groups",
        trust_email: false,
    },
    Preset {
        key: "keycloak",
        title: "Keycloak",
        issuer: "https://{host}/realms/{realm}",
        scopes: &["profile", "email"],
        email_claim: "email",
        name_claim: "name",
        groups_claim: "realm_access.roles",
        trust_email: false,
    },
    Preset {
        key: "custom",
        title: "Another OpenID provider",
        issuer: "https://",
        scopes: &["profile", "email"],
        email_claim: "email",
        name_claim: "name",
        groups_claim: "groups",
        trust_email: false,
    },
];

/// Whether there is such a preset.
pub(super) fn knows(key: &str) -> bool {
    PRESETS.iter().any(|preset| preset.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: auth 33
    #[test]
    fn the_four_named_providers_have_presets_and_none_is_trusted_blindly() {
        for key in ["google", "entra", "okta", "keycloak", "custom"] {
            assert!(knows(key), "{key}");
        }
        assert!(!knows(""));
        for preset in PRESETS {
            assert!(!preset.trust_email && preset.issuer.starts_with("https://"), "{}", preset.key);
            assert!(preset.scopes.contains(&"email"));
        }
    }
}
