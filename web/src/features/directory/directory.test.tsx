import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { DirectoryUser } from '@/api/directory';
import { aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const ME = aMe(['hosts.read', 'directory.lookup']);
const DN = 'uid=ada,ou=people,dc=example,dc=com';
const CORP = { id: 'd1', name: 'Corp' };

const ADA: DirectoryUser = {
  dn: DN,
  display_name: 'Ada Lovelace',
  username: 'ada',
  status: 'locked',
  email: 'ada@example.com',
  sam_account_name: null,
  user_principal_name: null,
  manager: null,
  department: 'Engines',
  account_expires_at: null,
  password: { expires_at: null, changed_at: null, never_expires: true },
  groups: {
    items: [
      { dn: 'cn=ops,dc=example,dc=com', name: 'ops', primary: false, nested: false },
      { dn: 'cn=all,dc=example,dc=com', name: 'all', primary: true, nested: false },
    ],
    more: false,
  },
  photo: null,
  attributes: [
    { name: 'title', values: [{ text: 'Countess', at: null }] },
    { name: 'uid', values: [{ text: 'ada', at: null }] },
  ],
  truncated: false,
};

const ANSWERS: Answers = {
  'GET /me': ME,
  'GET /directory/configurations': { items: [CORP] },
  'GET /directory/{id}/users': {
    items: [{ dn: DN, display_name: 'Ada Lovelace', username: 'ada', email: 'ada@example.com' }],
    more: true,
  },
  'GET /directory/{id}/users/by-dn': ADA,
};

describe('directory', () => {
  it('Spec: ldap-directory-lookup 2: without_a_directory_only_administrators_see_the_way_to_settings', async () => {
    renderApp('/directory', { ...ANSWERS, 'GET /directory/configurations': { items: [] } });
    expect(await screen.findByText('No directory yet')).toBeVisible();
    expect(screen.queryByRole('link', { name: 'Add a directory' })).toBeNull();
  });

  it('Spec: ldap-directory-lookup 3: typing_searches_once_it_rests_and_from_two_characters', async () => {
    const { api, user } = renderApp('/directory', ANSWERS);
    const field = await screen.findByRole('searchbox', { name: /Name, username or email/ });
    await user.type(field, 'a');
    await user.type(field, 'da');
    expect(await screen.findByText('There are more. Type on to narrow the search.')).toBeVisible();
    expect(api.to('GET /directory/{id}/users')).toHaveLength(1);
    expect(screen.queryByRole('combobox', { name: 'Directory' })).toBeNull();
  });

  it('Spec: ldap-directory-lookup 7, 10, 11: a_match_opens_with_summary_groups_and_attributes', async () => {
    const { user, address } = renderApp('/directory', ANSWERS);
    await user.type(await screen.findByRole('searchbox', { name: /Name, username/ }), 'ada');
    await user.click(await screen.findByRole('button', { name: /Ada Lovelace/ }));
    expect(await screen.findByText('Locked')).toBeVisible();
    expect(screen.getByText('Engines')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Copy DN' })).toBeVisible();
    expect(address()).toContain('dn=');
    const attributes = await tableRows('Attributes');
    expect(attributes[0]).toEqual(['title', 'Countess']);
    await user.type(screen.getByRole('textbox', { name: 'Filter groups' }), 'ops');
    await waitFor(async () => expect(await tableRows('Groups')).toHaveLength(1));
  });

  it('Spec: ldap-directory-lookup 13: a_directory_that_is_down_leaves_the_page_usable', async () => {
    const { user } = renderApp('/directory', {
      ...ANSWERS,
      'GET /directory/configurations': { items: [CORP, { id: 'd2', name: 'Lab' }] },
      'GET /directory/{id}/users': new Refusal(503, 'directory_unavailable'),
    });
    await user.type(await screen.findByRole('searchbox', { name: /Name, username/ }), 'ada');
    const alert = await screen.findByRole('alert');
    expect(within(alert).getByRole('button', { name: 'Try again' })).toBeVisible();
    expect(screen.getByRole('combobox', { name: 'Directory' })).toBeEnabled();
  });

  it('readers_are_told_that_they_may_not', async () => {
    renderApp('/directory', { ...ANSWERS, 'GET /me': aMe(['hosts.read']) });
    expect(await screen.findByText('You may not look people up.')).toBeVisible();
  });
});
