import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { IdentityProvider } from '@/api/identityProviders';
import { ago, aMe, methods, ORG_ADMIN, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { differences } from './difference';
import { EMPTY_FORM, fieldErrors, rolesProblem, toForm, toInput } from './form';

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
    secret_set_at: ago(3600),
    oidc: {
      preset: 'custom',
      issuer: 'https://idp.example.com',
      client_id: 'ct-ops',
      client_authentication: 'basic',
      endpoints: null,
      scopes: ['email'],
      claims: { email: 'email', name: 'name', groups: '' },
      ca_pem: null,
    },
    saml: null,
    version: 4,
    ...more,
  };
}

function aSamlProvider(more: Partial<IdentityProvider> = {}): IdentityProvider {
  const saml = {
    entity_id: 'https://idp.example.com/saml',
    sign_in_url: 'https://idp.example.com/sso',
    certificates: [{ subject: 'CN=idp', sha256: 'aa', not_after: ago(-86_400), ends_soon: true }],
    attributes: { subject: 'uid', email: 'mail', name: 'cn', groups: 'memberOf' },
    allow_idp_initiated: true,
    second_factor_contexts: ['urn:mfa', 'urn:smartcard'],
    own_entity_id: 'https://ops.example.com/api/v1/auth/saml/p1/metadata',
    acs_url: 'https://ops.example.com/api/v1/auth/saml/p1/acs',
  };
  return aProvider({ kind: 'saml', oidc: null, redirect_url: null, saml, ...more });
}

function open(answers: Answers = {}) {
  return renderApp('/settings/identity-providers', {
    'GET /me': ADMIN,
    'GET /identity-providers': { items: [aProvider()] },
    'GET /identity-providers/presets': PRESETS,
    ...answers,
  });
}

/** Opens the dialog of the provider. */
async function edit(user: ReturnType<typeof renderApp>['user']) {
  await user.click(await screen.findByRole('button', { name: 'Edit Corporate' }));
  return within(await screen.findByRole('dialog'));
}

describe('identity providers', () => {
  it('Spec: auth 33: shows_what_the_provider_needs_and_tests_it', async () => {
    const { user } = open({
      'POST /identity-providers/{id}/test': {
        passed: false,
        steps: [{ name: 'discovery', passed: false, detail: 'TLS with idp.example.com failed' }],
        needs_target: null,
      },
    });
    expect(await screen.findByText(/\/auth\/oidc\/p1\/callback/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Test Corporate' }));
    expect(await screen.findByText(/TLS with idp.example.com failed/)).toBeVisible();
  });

  it('Spec: auth 34: a_certificate_that_ends_soon_and_a_missing_licence_are_marked', async () => {
    open({ 'GET /identity-providers': { items: [aSamlProvider({ licensed: false })] } });
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

  it('Spec: auth 33: changing_one_keeps_the_secret_and_names_the_version', async () => {
    const { api, user } = open({ 'PATCH /identity-providers/{id}': aProvider() });
    const dialog = await edit(user);
    expect(dialog.getByLabelText('Issuer')).toBeDisabled();
    await user.click(dialog.getByLabelText(/no discovery document/));
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    expect(await dialog.findAllByText('Enter an address beginning with https://.')).toHaveLength(3);
    expect(api.to('PATCH /identity-providers/{id}')).toHaveLength(0);
    await user.type(dialog.getByLabelText('Sign-in address'), 'https://idp.example.com/a');
    await user.type(dialog.getByLabelText('Token address'), 'https://idp.example.com/t');
    await user.type(dialog.getByLabelText('Key set (JWKS)'), 'https://idp.example.com/k');
    await user.type(dialog.getByLabelText('Sign-out address'), 'https://idp.example.com/bye');
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const sent = api.to('PATCH /identity-providers/{id}')[0];
    expect(sent?.headers.get('If-Match')).toBe('"4"');
    expect(sent?.body).toMatchObject({
      oidc: {
        settings: {
          issuer: 'https://idp.example.com',
          endpoints: { jwks: 'https://idp.example.com/k', userinfo: null },
        },
      },
    });
    expect(JSON.stringify(sent?.body)).not.toContain('client_secret');
  });

  it('Spec: settings 5: a_secret_that_would_go_elsewhere_is_asked_for_again', async () => {
    const fields = [{ path: 'oidc.client_secret', code: 'required', message: 'is missing' }];
    const { user } = open({
      'PATCH /identity-providers/{id}': new Refusal(422, 'validation_failed', { fields }),
    });
    const dialog = await edit(user);
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    expect(await dialog.findByText(/Enter the secret again/)).toBeVisible();
  });

  it('Spec: settings 4: a_change_that_comes_too_late_shows_both_versions', async () => {
    const theirs = aProvider({ name: 'Staff', version: 5, trust_email: true });
    const { api, user } = open({
      'PATCH /identity-providers/{id}': new Refusal(412, 'version_conflict'),
      'GET /identity-providers/{id}': theirs,
    });
    const dialog = await edit(user);
    await user.clear(dialog.getByLabelText('Name'));
    await user.type(dialog.getByLabelText('Name'), 'Mine');
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    expect(await tableRows('Both versions')).toEqual([
      ['Name', 'Mine', 'Staff'],
      ['Trust email addresses', 'no', 'yes'],
    ]);
    expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled();
    await user.click(dialog.getByRole('button', { name: 'Keep mine and go on' }));
    api.answer({ 'PATCH /identity-providers/{id}': aProvider() });
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const again = api.to('PATCH /identity-providers/{id}')[1];
    expect(again?.headers.get('If-Match')).toBe('"5"');
    expect(again?.body).toMatchObject({ name: 'Mine', trust_email: false });
  });

  it('Spec: settings 4: what_is_stored_can_be_taken_instead', async () => {
    const { user } = open({
      'PATCH /identity-providers/{id}': new Refusal(412, 'version_conflict'),
      'GET /identity-providers/{id}': aProvider({ name: 'Staff', version: 5 }),
    });
    const dialog = await edit(user);
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    await user.click(await dialog.findByRole('button', { name: 'Take what is stored' }));
    expect(dialog.getByLabelText('Name')).toHaveValue('Staff');
    expect(dialog.queryByRole('table')).toBeNull();
  });

  it('Spec: security 8: a_refused_test_offers_to_open_the_way_and_tries_again', async () => {
    const refused = {
      passed: false,
      steps: [{ name: 'discovery', passed: false, detail: 'its address is private' }],
      needs_target: 'idp.corp.example',
    };
    const { api, user } = open({
      'GET /me': aMe([
        ...ORG_ADMIN,
        'identity_providers.read',
        'identity_providers.write',
        'egress.manage',
      ]),
      'POST /identity-providers/{id}/test': refused,
      'POST /settings/egress/targets': { mode: 'internal', targets: [] },
    });
    await user.click(await screen.findByRole('button', { name: 'Test Corporate' }));
    const add = await screen.findByRole('button', { name: 'Add it and try again' });
    api.answer({
      'POST /identity-providers/{id}/test': { passed: true, steps: [], needs_target: null },
    });
    await user.click(add);
    await waitFor(() => expect(api.to('POST /identity-providers/{id}/test')).toHaveLength(2));
    expect(api.to('POST /settings/egress/targets')[0]?.body).toEqual({
      target: 'idp.corp.example',
      note: '',
    });
    await waitFor(() => expect(add).not.toBeInTheDocument());
  });

  it('who_may_only_read_finds_no_buttons', async () => {
    open({ 'GET /me': aMe([...READ_ONLY, 'identity_providers.read']) });
    expect(await screen.findByRole('button', { name: 'Copy redirect address' })).toBeVisible();
    for (const verb of ['Edit', 'Test', 'Switch off', 'Delete']) {
      expect(screen.queryByRole('button', { name: `${verb} Corporate` })).toBeNull();
    }
    expect(screen.queryByRole('button', { name: 'Add provider' })).toBeNull();
  });

  it('deleting_asks_first', async () => {
    const { api, user } = open({ 'DELETE /identity-providers/{id}': undefined });
    await user.click(await screen.findByRole('button', { name: 'Delete Corporate' }));
    expect(api.to('DELETE /identity-providers/{id}')).toHaveLength(0);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Delete provider' }));
    await waitFor(() => expect(api.to('DELETE /identity-providers/{id}')).toHaveLength(1));
    expect(api.to('DELETE /identity-providers/{id}')[0]?.headers.get('If-Match')).toBe('"4"');
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
    const request = toInput({
      ...EMPTY_FORM,
      preset: 'saml',
      metadata: '<x/>',
      roles: 'cn=a,dc=b = engineer',
    });
    expect(request.saml).toMatchObject({ metadata_xml: '<x/>', allow_idp_initiated: false });
    expect(request.role_map).toEqual([{ group: 'cn=a,dc=b', role: 'engineer' }]);
  });

  it('Spec: auth 33: sends_back_what_it_was_given', () => {
    const endpoints = {
      authorization: 'https://a',
      token: 'https://t',
      jwks: 'https://k',
      userinfo: null,
      end_session: 'https://e',
    };
    const oidc = aProvider().oidc;
    const full = oidc && {
      ...oidc,
      endpoints,
      client_authentication: 'post' as const,
      ca_pem: '-----BEGIN CERTIFICATE-----\n',
      scopes: ['email', 'groups'],
    };
    const role_map = [{ group: 'cn=ops,dc=x', role: 'engineer' }];
    const sent = toInput(
      toForm(aProvider({ oidc: full, role_map, allowed_domains: ['a.example'] })),
    );
    expect(sent.oidc).toEqual({ settings: full, client_secret: undefined });
    expect(sent.role_map).toEqual(role_map);
    expect(sent.allowed_domains).toEqual(['a.example']);
    expect(sent.enabled).toBe(true);
  });

  it('Spec: auth 34: sends_back_the_attributes_and_keeps_the_metadata', () => {
    const stored = aSamlProvider();
    const { entity_id: _, ...rest } = { ...stored.saml };
    expect(toInput(toForm(stored)).saml).toEqual({
      metadata_xml: undefined,
      attributes: rest.attributes,
      allow_idp_initiated: true,
      second_factor_contexts: ['urn:mfa', 'urn:smartcard'],
    });
  });

  it('finds_the_field_of_each_message_and_shows_no_secret_as_a_difference', () => {
    expect(
      fieldErrors({
        'role_map.3.group': 'Too long.',
        'oidc.endpoints.jwks': 'Must be an https:// address.',
        kind: 'Cannot be changed.',
      }),
    ).toEqual({ roles: 'Too long.', jwks: 'Must be an https:// address.' });
    const mine = { ...EMPTY_FORM, clientSecret: 'hush', metadata: '<x/>', domains: 'a\nb' };
    expect(differences(mine, EMPTY_FORM)).toEqual([
      { title: 'Allowed email domains', mine: 'a, b', theirs: 'empty' },
    ]);
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
