import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { LdapConfiguration, LdapRow, LdapSettings, LdapTestResult } from '@/api/directory';
import { aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { parseServer, toDraft, toInput } from './draft';

const SETTINGS: LdapSettings = {
  preset: 'active_directory',
  transport: 'ldaps',
  servers: [{ host: 'dc1.example.com', port: 636 }],
  verify_certificate: true,
  base_dn: 'dc=example,dc=com',
  user_base: '',
  user_filter: '(sAMAccountName={{username}})',
  username_attribute: 'sAMAccountName',
  email_attribute: 'mail',
  display_attribute: 'displayName',
  trust_email: true,
  group_base: '',
  group_filter: '',
  nested_groups: false,
  group_roles: [{ group: 'cn=ops,dc=example,dc=com', role: 'engineer' }],
  allowed_groups: [],
  default_role: 'pending',
  hidden_attributes: [],
  connect_timeout_s: 10,
  operation_timeout_s: 30,
};

const ROW: LdapRow = {
  id: 'd1',
  name: 'Corp',
  enabled: true,
  login_allowed: true,
  settings: SETTINGS,
  last_test_at: null,
  last_test_ok: null,
};

const SAVED: LdapConfiguration = {
  ...ROW,
  bind_dn: 'cn=service,dc=example,dc=com',
  has_bind_password: true,
  ca_pem: null,
  linked_users: 3,
  version: 4,
  last_test_result: null,
};

const FAILED: LdapTestResult = {
  ok: false,
  servers: [
    {
      server: 'dc1.example.com:636',
      ok: false,
      steps: [
        { step: 'resolve', ok: true, ms: 2, detail: null },
        { step: 'connect', ok: false, ms: 10_000, detail: 'no answer within 10 s' },
      ],
      certificate: null,
      entries: null,
      needs_target: null,
    },
  ],
};

const ANSWERS: Answers = {
  'GET /me': aMe(['hosts.read', 'ldap_configurations.read', 'ldap_configurations.write']),
  'GET /ldap-configurations': { items: [ROW] },
  'GET /ldap-configurations/presets': { active_directory: SETTINGS, openldap: SETTINGS },
  'GET /ldap-configurations/{id}': SAVED,
};

describe('directories', () => {
  it('Spec: ldap-directory-lookup 15: lists_what_each_is_used_for', async () => {
    renderApp('/settings/directories', ANSWERS);
    const rows = await tableRows('Directories');
    expect(rows[0]?.slice(0, 4)).toEqual([
      'Corp',
      'dc1.example.com:636',
      'LDAPS',
      'sign-in and look-up',
    ]);
  });

  it('Spec: ldap-directory-lookup 17, 18: a_test_shows_each_step_and_keeps_the_password_out', async () => {
    const { api, user } = renderApp('/settings/directories', {
      ...ANSWERS,
      'POST /ldap-configurations/test': FAILED,
    });
    await user.click(await screen.findByRole('button', { name: 'Edit Corp' }));
    const dialog = await screen.findByRole('dialog');
    await user.click(await within(dialog).findByRole('button', { name: 'Test connection' }));
    expect(await within(dialog).findByText('failed: no answer within 10 s')).toBeVisible();
    expect(within(dialog).getByText('2 ms')).toBeVisible();
    const sent = api.to('POST /ldap-configurations/test')[0]?.body;
    expect(sent).toMatchObject({ id: 'd1', bind_dn: SAVED.bind_dn });
    expect(sent).not.toHaveProperty('bind_password');
  });

  it('Spec: security 8: a_refused_test_offers_to_open_the_way_and_tries_again', async () => {
    const servers = FAILED.servers.map((one) => ({ ...one, needs_target: 'dc1.example.com' }));
    const { api, user } = renderApp('/settings/directories', {
      ...ANSWERS,
      'GET /me': aMe(['ldap_configurations.read', 'ldap_configurations.write', 'egress.manage']),
      'POST /ldap-configurations/test': { ok: false, servers },
      'POST /settings/egress/targets': { mode: 'closed', targets: [] },
    });
    await user.click(await screen.findByRole('button', { name: 'Edit Corp' }));
    await user.click(await screen.findByRole('button', { name: 'Test connection' }));
    await user.click(await screen.findByRole('button', { name: 'Add it and try again' }));
    await waitFor(() => expect(api.to('POST /ldap-configurations/test')).toHaveLength(2));
    const sent = api.to('POST /settings/egress/targets')[0]?.body;
    expect(sent).toEqual({ target: 'dc1.example.com', note: '' });
  });

  it('saves_with_the_version_that_was_read', async () => {
    const { api, user } = renderApp('/settings/directories', {
      ...ANSWERS,
      'PATCH /ldap-configurations/{id}': SAVED,
    });
    await user.click(await screen.findByRole('button', { name: 'Edit Corp' }));
    await user.click(await screen.findByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const sent = api.to('PATCH /ldap-configurations/{id}')[0]?.body;
    expect(sent).toMatchObject({ version: 4, settings: { group_roles: SETTINGS.group_roles } });
  });

  it('Spec: ldap-directory-lookup 20: a_directory_in_use_is_deleted_on_a_second_confirmation', async () => {
    const { api, user } = renderApp('/settings/directories', {
      ...ANSWERS,
      'DELETE /ldap-configurations/{id}': new Refusal(409, 'linked_users'),
    });
    await user.click(await screen.findByRole('button', { name: 'Delete Corp' }));
    await user.click(await screen.findByRole('button', { name: 'Delete' }));
    const again = await screen.findByRole('button', { name: 'Delete all the same' });
    api.answer({ 'DELETE /ldap-configurations/{id}': undefined });
    await user.click(again);
    await waitFor(() =>
      expect(api.to('DELETE /ldap-configurations/{id}')[1]?.query.get('confirm')).toBe('true'),
    );
  });
});

describe('the form', () => {
  it('reads_servers_with_and_without_ports', () => {
    expect(parseServer('dc1', 'ldaps')).toEqual({ host: 'dc1', port: 636 });
    expect(parseServer('dc1:3269', 'ldaps')).toEqual({ host: 'dc1', port: 3269 });
    expect(parseServer('[fd00::1]:389', 'starttls')).toEqual({ host: '[fd00::1]', port: 389 });
    expect(parseServer('dc1', 'plain').port).toBe(389);
  });

  it('sends_back_what_it_was_given', () => {
    const sent = toInput(toDraft(SETTINGS, SAVED), 4);
    expect(sent.settings).toEqual(SETTINGS);
    expect(sent.bind_password).toBeUndefined();
  });
});
