import type { NewProvider, Preset } from '@/api/identityProviders';

/** What the dialog holds; lists are lines of text. */
export interface ProviderForm {
  name: string;
  /** A preset, or `saml`. */
  preset: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  groupsClaim: string;
  metadata: string;
  domains: string;
  trustEmail: boolean;
  /** `group = role`, one per line. */
  roles: string;
  defaultRole: string;
}

export const EMPTY_FORM: ProviderForm = {
  name: '',
  preset: 'keycloak',
  issuer: '',
  clientId: '',
  clientSecret: '',
  groupsClaim: '',
  metadata: '',
  domains: '',
  trustEmail: false,
  roles: '',
  defaultRole: 'pending',
};

export const ROLES = ['org_admin', 'engineer', 'read_only'];

/** Lines without the empty ones. */
export function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** What is wrong with the role map, in words, or nothing. */
export function rolesProblem(text: string): string | null {
  const wrong = lines(text).find((line) => {
    const role = line.slice(line.lastIndexOf('=') + 1).trim();
    return !line.includes('=') || line.startsWith('=') || !ROLES.includes(role);
  });
  return wrong === undefined ? null : `"${wrong}" is not "group = role" with ${ROLES.join(', ')}.`;
}

/** The request that the form stands for. */
export function toRequest(form: ProviderForm, preset: Preset | undefined): NewProvider {
  const shared = {
    name: form.name.trim(),
    enabled: false,
    allowed_domains: lines(form.domains),
    trust_email: form.trustEmail,
    default_role: form.defaultRole,
    role_map: lines(form.roles).map((line) => {
      const at = line.lastIndexOf('=');
      return { group: line.slice(0, at).trim(), role: line.slice(at + 1).trim() };
    }),
  };
  if (form.preset === 'saml') {
    return { ...shared, saml: { metadata_xml: form.metadata } };
  }
  const settings = {
    preset: form.preset,
    issuer: form.issuer.trim(),
    client_id: form.clientId.trim(),
    scopes: preset?.scopes ?? ['profile', 'email'],
    claims: {
      email: preset?.email_claim ?? 'email',
      name: preset?.name_claim ?? 'name',
      groups: form.groupsClaim.trim(),
    },
  };
  return { ...shared, oidc: { settings, client_secret: form.clientSecret } };
}
