import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { IdentityProvider } from '@/api/identityProviders';
import { ago, aMe, methods, ORG_ADMIN, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';
import { EMPTY_FORM, rolesProblem, toRequest } from './newProvider';

const ADMIN = aMe([...ORG_ADMIN, 'identity_providers.read', 'identity_providers.write']);

const PRESETS = [
  {
    key: 'keycloak',
    title: 'Keycloak',
    issuer: 'https://{host}/realms/{realm}',
    scopes: ['profile', 'email'],
    email_claim: 'email',
    name_claim: 'name',
    groups_claim: 'realm_access.roles',
  },
];

function aProvider(more: Partial<IdentityProvider> = {}): IdentityProvider {
  return {
    id: 'p1',
    kind: 'oidc',
    name: 'Corporate',
    enabled: true,
    licensed: true,
    allowed_domains: [],
    trust_email: false,
    role_map: [],
    default_role: 'pending',
    redirect_url: 'https://ops.example.com/api/v1/auth/oidc/p1/callback',
    oidc: {
      preset: 'custom',
      issuer: 'https://idp.example.com',
      client_id: 'ct-ops',
      scopes: ['email'],
      claims: { email: 'email', name: 'name', groups: '' },
    },
    saml: null,
    ...more,
  };
}

function open(answers: Answers = {}) {
  return renderApp('/settings/identity-providers', {
    'GET /me': ADMIN,
    'GET /identity-providers': { items: [aProvider()] },
    'GET /identity-providers/presets': PRESETS,
    ...answers,
  });
}

describe('identity providers', () => {
  it('Spec: auth 33: shows_what_the_provider_needs_and_tests_it', async () => {
    const { user } = open({
      'POST /identity-providers/{id}/test': {
        passed: false,
        steps: [{ name: 'discovery', passed: false, detail: 'TLS with idp.example.com failed' }],
      },
    });
    expect(await screen.findByText(/\/auth\/oidc\/p1\/callback/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Test Corporate' }));
    expect(await screen.findByText(/TLS with idp.example.com failed/)).toBeVisible();
  });

  it('Spec: auth 34: a_certificate_that_ends_soon_and_a_missing_licence_are_marked', async () => {
    const saml = {
      entity_id: 'https://idp.example.com/saml',
      sign_in_url: 'https://idp.example.com/sso',
      certificates: [{ subject: 'CN=idp', sha256: 'aa', not_after: ago(-86_400), ends_soon: true }],
      own_entity_id: 'https://ops.example.com/api/v1/auth/saml/p1/metadata',
      acs_url: 'https://ops.example.com/api/v1/auth/saml/p1/acs',
    };
    open({
      'GET /identity-providers': {
        items: [aProvider({ kind: 'saml', oidc: null, saml, licensed: false })],
      },
    });
    expect(await screen.findByText('Upload new metadata')).toBeVisible();
    expect(screen.getByText(/licence does not cover it/)).toBeVisible();
    expect(screen.getByRole('link', { name: 'Our metadata' })).toHaveAttribute(
      'href',
      '/api/v1/auth/saml/p1/metadata',
    );
  });

  it('adding_one_checks_the_fields_and_sends_the_secret_once', async () => {
    const { api, user } = open({
      'GET /identity-providers': { items: [] },
      'POST /identity-providers': aProvider(),
    });
    const [add] = await screen.findAllByRole('button', { name: 'Add provider' });
    await user.click(add as HTMLElement);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Add provider' }));
    expect(await dialog.findByText('Enter the name for its button.')).toBeVisible();
    await user.type(dialog.getByLabelText('Name'), 'Corporate');
    await user.type(dialog.getByLabelText('Issuer'), 'https://idp.example.com');
    await user.type(dialog.getByLabelText('Client id'), 'ct-ops');
    await user.type(dialog.getByLabelText('Client secret'), 'hush');
    await user.click(dialog.getByRole('button', { name: 'Add provider' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const sent = api.to('POST /identity-providers')[0]?.body;
    expect(sent).toMatchObject({ name: 'Corporate', oidc: { client_secret: 'hush' } });
  });

  it('deleting_asks_first', async () => {
    const { api, user } = open({ 'DELETE /identity-providers/{id}': undefined });
    await user.click(await screen.findByRole('button', { name: 'Delete Corporate' }));
    expect(api.to('DELETE /identity-providers/{id}')).toHaveLength(0);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Delete provider' }));
    await waitFor(() => expect(api.to('DELETE /identity-providers/{id}')).toHaveLength(1));
  });

  it('without_the_right_nothing_is_asked_for', async () => {
    const { api } = open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see/)).toBeVisible();
    expect(api.to('GET /identity-providers')).toHaveLength(0);
  });
});

describe('the form', () => {
  it('Spec: auth 35: reads_groups_and_roles_line_by_line', () => {
    expect(rolesProblem('ops = engineer\ncn=admins,dc=x = org_admin\n')).toBeNull();
    expect(rolesProblem('gods = super_admin')).toMatch(/gods/);
    expect(rolesProblem('ops')).toMatch(/ops/);
    const request = toRequest(
      { ...EMPTY_FORM, preset: 'saml', metadata: '<x/>', roles: 'cn=a,dc=b = engineer' },
      undefined,
    );
    expect(request.saml).toEqual({ metadata_xml: '<x/>' });
    expect(request.role_map).toEqual([{ group: 'cn=a,dc=b', role: 'engineer' }]);
  });
});

describe('the sign-in page', () => {
  const SIGNED_OUT: Answers = { 'GET /me': new Refusal(401, 'unauthenticated') };

  it('Spec: auth 35: has_a_button_per_provider_that_keeps_the_way_back', async () => {
    const offered = [{ kind: 'password' }, { kind: 'saml', id: 'p1', name: 'Campus' }];
    renderApp('/login?redirect=%2Fagents', {
      ...SIGNED_OUT,
      'GET /auth/methods': methods({ methods: offered }),
    });
    expect(await screen.findByRole('link', { name: 'Sign in with Campus' })).toHaveAttribute(
      'href',
      '/api/v1/auth/saml/p1/start?return_to=%2Fagents',
    );
  });

  it('Spec: auth 33: says_why_a_round_trip_failed', async () => {
    renderApp('/login?sso_error=sign_in_replayed', SIGNED_OUT);
    expect(await screen.findByText(/began in another browser/)).toBeVisible();
  });
});
