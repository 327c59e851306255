/** Identity providers, as `/identity-providers` and `/auth/methods` show them. */

export interface RoleRule {
  group: string;
  role: string;
}

export interface OidcSettings {
  preset: string;
  issuer: string;
  client_id: string;
  client_authentication?: 'basic' | 'post';
  scopes: string[];
  claims: { email: string; name: string; groups: string };
  ca_pem?: string | null;
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
  redirect_url: string | null;
  oidc: OidcSettings | null;
  saml: SamlTrust | null;
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
}

export interface NewProvider {
  name: string;
  enabled: boolean;
  allowed_domains: string[];
  trust_email: boolean;
  role_map: RoleRule[];
  default_role: string;
  oidc?: { settings: OidcSettings; client_secret: string };
  saml?: { metadata_xml: string };
}

/** One way to sign in; the address of providers begins their round trip. */
export interface OfferedMethod {
  kind: string;
  id?: string | null;
  name?: string | null;
}
