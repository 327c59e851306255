/** Identity providers, as `/identity-providers` and `/auth/methods` show them. */

export interface RoleRule {
  group: string;
  role: string;
}

/** Addresses instead of the discovery document. */
export interface OidcEndpoints {
  authorization: string;
  token: string;
  jwks: string;
  userinfo: string | null;
  end_session: string | null;
}

export interface OidcSettings {
  preset: string;
  issuer: string;
  client_id: string;
  client_authentication: 'basic' | 'post';
  endpoints: OidcEndpoints | null;
  scopes: string[];
  claims: { email: string; name: string; groups: string };
  ca_pem: string | null;
}

export interface SamlAttributes {
  subject: string;
  email: string;
  name: string;
  groups: string;
}

export interface ProviderCertificate {
  subject: string;
  sha256: string;
  not_after: string;
  ends_soon: boolean;
}

export interface SamlTrust {
  entity_id: string;
  sign_in_url: string;
  certificates: ProviderCertificate[];
  attributes: SamlAttributes;
  allow_idp_initiated: boolean;
  second_factor_contexts: string[];
  own_entity_id: string;
  acs_url: string;
}

export interface IdentityProvider {
  id: string;
  kind: 'oidc' | 'saml';
  name: string;
  enabled: boolean;
  licensed: boolean;
  allowed_domains: string[];
  trust_email: boolean;
  role_map: RoleRule[];
  default_role: string;
  secret_set_at: string | null;
  redirect_url: string | null;
  oidc: OidcSettings | null;
  saml: SamlTrust | null;
  version: number;
}

export interface Preset {
  key: string;
  title: string;
  issuer: string;
  scopes: string[];
  email_claim: string;
  name_claim: string;
  groups_claim: string;
}

export interface ProviderTest {
  passed: boolean;
  steps: { name: string; passed: boolean; detail: string }[];
  /** Host that needs an entry among the internal targets. */
  needs_target: string | null;
}

/** What is sent; absent secrets and metadata stay as they are. */
export interface ProviderInput {
  name: string;
  enabled: boolean;
  allowed_domains: string[];
  trust_email: boolean;
  role_map: RoleRule[];
  default_role: string;
  oidc?: { settings: OidcSettings; client_secret?: string };
  saml?: {
    metadata_xml?: string;
    attributes: SamlAttributes;
    allow_idp_initiated: boolean;
    second_factor_contexts: string[];
  };
}

/** One way to sign in; the address of providers begins their round trip. */
export interface OfferedMethod {
  kind: string;
  id?: string | null;
  name?: string | null;
}
