import type {
  IdentityProvider,
  OidcEndpoints,
  Preset,
  ProviderInput,
} from '@/api/identityProviders';

/** What the dialog holds; lists are lines of text. */
export interface ProviderForm {
  name: string;
  /** A preset, or `saml`. */
  preset: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  secretInBody: boolean;
  scopes: string;
  ownEndpoints: boolean;
  authorization: string;
  token: string;
  jwks: string;
  userinfo: string;
  endSession: string;
  authority: string;
  emailClaim: string;
  nameClaim: string;
  groupsClaim: string;
  metadata: string;
  subjectAttribute: string;
  emailAttribute: string;
  nameAttribute: string;
  groupsAttribute: string;
  beginsThere: boolean;
  contexts: string;
  domains: string;
  trustEmail: boolean;
  /** `group = role`, one per line. */
  roles: string;
  defaultRole: string;
  enabled: boolean;
}

export const EMPTY_FORM: ProviderForm = {
  name: '',
  preset: 'keycloak',
  issuer: '',
  clientId: '',
  clientSecret: '',
  secretInBody: false,
  scopes: 'profile\nemail',
  ownEndpoints: false,
  authorization: '',
  token: '',
  jwks: '',
  userinfo: '',
  endSession: '',
  authority: '',
  emailClaim: 'email',
  nameClaim: 'name',
  groupsClaim: '',
  metadata: '',
  subjectAttribute: '',
  emailAttribute: 'urn:oid:0.9.2342.19200300.100.1.3',
  nameAttribute: 'urn:oid:2.16.840.1.113730.3.1.241',
  groupsAttribute: 'groups',
  beginsThere: false,
  contexts: '',
  domains: '',
  trustEmail: false,
  roles: '',
  defaultRole: 'pending',
  enabled: false,
};

export const ROLES = ['org_admin', 'engineer', 'read_only'];

/** Lines without the empty ones. */
function lines(text: string): string[] {
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

/** What a preset proposes. */
export function proposed(preset: Preset): Partial<ProviderForm> {
  return {
    preset: preset.key,
    issuer: preset.issuer,
    scopes: preset.scopes.join('\n'),
    emailClaim: preset.email_claim,
    nameClaim: preset.name_claim,
    groupsClaim: preset.groups_claim,
  };
}

/** A stored provider as the form shows it. The secret and the metadata stay on the server. */
export function toForm(provider: IdentityProvider): ProviderForm {
  const { oidc, saml } = provider;
  const shared = {
    ...EMPTY_FORM,
    name: provider.name,
    enabled: provider.enabled,
    domains: provider.allowed_domains.join('\n'),
    trustEmail: provider.trust_email,
    roles: provider.role_map.map(({ group, role }) => `${group} = ${role}`).join('\n'),
    defaultRole: provider.default_role,
  };
  if (saml) {
    return {
      ...shared,
      preset: 'saml',
      subjectAttribute: saml.attributes.subject,
      emailAttribute: saml.attributes.email,
      nameAttribute: saml.attributes.name,
      groupsAttribute: saml.attributes.groups,
      beginsThere: saml.allow_idp_initiated,
      contexts: saml.second_factor_contexts.join('\n'),
    };
  }
  return {
    ...shared,
    preset: oidc?.preset ?? 'custom',
    issuer: oidc?.issuer ?? '',
    clientId: oidc?.client_id ?? '',
    secretInBody: oidc?.client_authentication === 'post',
    scopes: oidc?.scopes.join('\n') ?? '',
    ownEndpoints: Boolean(oidc?.endpoints),
    authorization: oidc?.endpoints?.authorization ?? '',
    token: oidc?.endpoints?.token ?? '',
    jwks: oidc?.endpoints?.jwks ?? '',
    userinfo: oidc?.endpoints?.userinfo ?? '',
    endSession: oidc?.endpoints?.end_session ?? '',
    authority: oidc?.ca_pem ?? '',
    emailClaim: oidc?.claims.email ?? '',
    nameClaim: oidc?.claims.name ?? '',
    groupsClaim: oidc?.claims.groups ?? '',
  };
}

/** The request that the form stands for. An empty secret and empty metadata keep the stored ones. */
export function toInput(form: ProviderForm): ProviderInput {
  const shared = {
    name: form.name.trim(),
    enabled: form.enabled,
    allowed_domains: lines(form.domains),
    trust_email: form.trustEmail,
    default_role: form.defaultRole,
    role_map: lines(form.roles).map((line) => {
      const at = line.lastIndexOf('=');
      return { group: line.slice(0, at).trim(), role: line.slice(at + 1).trim() };
    }),
  };
  if (form.preset === 'saml') {
    const attributes = {
      subject: form.subjectAttribute.trim(),
      email: form.emailAttribute.trim(),
      name: form.nameAttribute.trim(),
      groups: form.groupsAttribute.trim(),
    };
    const saml = {
      metadata_xml: form.metadata === '' ? undefined : form.metadata,
      attributes,
      allow_idp_initiated: form.beginsThere,
      second_factor_contexts: lines(form.contexts),
    };
    return { ...shared, saml };
  }
  const settings = {
    preset: form.preset,
    issuer: form.issuer.trim(),
    client_id: form.clientId.trim(),
    client_authentication: form.secretInBody ? ('post' as const) : ('basic' as const),
    endpoints: form.ownEndpoints ? endpoints(form) : null,
    scopes: lines(form.scopes),
    claims: {
      email: form.emailClaim.trim(),
      name: form.nameClaim.trim(),
      groups: form.groupsClaim.trim(),
    },
    ca_pem: form.authority.trim() === '' ? null : form.authority,
  };
  const secret = form.clientSecret === '' ? undefined : form.clientSecret;
  return { ...shared, oidc: { settings, client_secret: secret } };
}

function endpoints(form: ProviderForm): OidcEndpoints {
  return {
    authorization: form.authorization.trim(),
    token: form.token.trim(),
    jwks: form.jwks.trim(),
    userinfo: form.userinfo.trim() || null,
    end_session: form.endSession.trim() || null,
  };
}

/** Where the server's messages about a field belong. */
const PATHS: readonly [string, keyof ProviderForm][] = [
  ['name', 'name'],
  ['allowed_domains', 'domains'],
  ['role_map', 'roles'],
  ['default_role', 'defaultRole'],
  ['oidc.issuer', 'issuer'],
  ['oidc.client_id', 'clientId'],
  ['oidc.client_secret', 'clientSecret'],
  ['oidc.scopes', 'scopes'],
  ['oidc.endpoints.authorization', 'authorization'],
  ['oidc.endpoints.token', 'token'],
  ['oidc.endpoints.jwks', 'jwks'],
  ['oidc.endpoints.userinfo', 'userinfo'],
  ['oidc.endpoints.end_session', 'endSession'],
  ['oidc.claims.email', 'emailClaim'],
  ['oidc.claims.name', 'nameClaim'],
  ['oidc.claims.groups', 'groupsClaim'],
  ['oidc.ca_pem', 'authority'],
  ['saml.metadata_xml', 'metadata'],
  ['saml.attributes.subject', 'subjectAttribute'],
  ['saml.attributes.email', 'emailAttribute'],
  ['saml.attributes.name', 'nameAttribute'],
  ['saml.attributes.groups', 'groupsAttribute'],
  ['saml.second_factor_contexts', 'contexts'],
];

/** The server's messages, by field of the form. */
export function fieldErrors(messages: Record<string, string>) {
  const errors: Partial<Record<keyof ProviderForm, string>> = {};
  for (const [path, message] of Object.entries(messages)) {
    const field = PATHS.find(([known]) => path === known || path.startsWith(`${known}.`))?.[1];
    if (field) {
      errors[field] ??= message;
    }
  }
  const place = 'oidc.client_secret';
  if (messages[place]) {
    errors.clientSecret = 'Enter the secret again, because it would go to another place.';
  }
  return errors;
}
