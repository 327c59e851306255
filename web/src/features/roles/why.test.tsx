import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { PermissionExplanation, PermissionInfo, PermissionReason } from '@/api/access';
import type { Permission, User } from '@/api/schema';
import { ago, aHost, aHostDetail, aMe, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';
import { difference, groupsOf, permissionsOf } from './catalogue';
import { hostsText } from './ImpactDialog';
import { reasonText, selectorText } from './words';

const MANAGER: Permission[] = [...READ_ONLY, 'host_groups.read', 'rbac.manage', 'users.read'];

const CATALOGUE: PermissionInfo[] = [
  {
    name: 'hosts.read',
    about: 'See hosts.',
    roles: ['read_only', 'engineer', 'org_admin', 'super_admin'],
    assignable: true,
  },
  {
    name: 'audit.read',
    about: 'See the audit log.',
    roles: ['org_admin', 'super_admin'],
    assignable: true,
  },
  { name: 'mfa.reset', about: 'Reset.', roles: ['super_admin'], assignable: false },
];

const BOB: User = {
  id: 'u2',
  name: 'Bob Reed',
  email: 'bob@example.net',
  email_verified: true,
  state: 'active',
  roles: ['engineer'],
  displayed_role: 'engineer',
  roles_from: 'people',
  has_password: true,
  joined_at: ago(9),
  last_seen_at: null,
  invited_by: null,
  teams: [],
};

function aReason(more: Partial<PermissionReason> = {}): PermissionReason {
  return {
    kind: 'built_in',
    role: 'engineer',
    whole_organisation: false,
    reaches: true,
    matching_groups: ['Web'],
    ...more,
  };
}

function allowed(reason: Partial<PermissionReason> = {}): PermissionExplanation {
  return { allowed: true, reasons: [aReason(reason)] };
}

function open(path: string, answers: Answers = {}) {
  return renderApp(path, {
    'GET /me': aMe(MANAGER),
    'GET /hosts': pageOf([aHost(), aHost({ id: 'h2', hostname: 'db-02' })]),
    'GET /hosts/{id}': aHostDetail(),
    'GET /hosts/{id}/groups': { items: [] },
    'GET /users': pageOf([BOB]),
    'GET /users/{id}': BOB,
    'GET /users/{id}/history': { items: [] },
    'GET /users/{id}/security': { locked_until: null, authenticator_app: false, passkeys: 0 },
    'GET /permissions': { items: CATALOGUE },
    'GET /permissions/explain': allowed(),
    'GET /role-assignments': { items: [] },
    ...answers,
  });
}

const HOST_PAGE = '/hosts/h1?tab=access';
const PERSON_PAGE = '/settings/people/u2';

async function choosePerson(answers: Answers = {}) {
  const running = open(HOST_PAGE, answers);
  await running.user.click(await screen.findByRole('combobox', { name: 'Person' }));
  await running.user.click(await screen.findByRole('option', { name: /Bob Reed/ }));
  return running;
}

describe('on the page of a host', () => {
  it('Spec: users-teams-rbac 19: says_why_somebody_sees_it', async () => {
    const { api } = await choosePerson();
    expect(await screen.findByText('Allowed')).toBeVisible();
    expect(screen.getByRole('list', { name: 'Reasons' })).toHaveTextContent(
      'The role Engineer allows it, because the host is in Web.',
    );
    const query = api.to('GET /permissions/explain')[0]?.query;
    expect(Object.fromEntries(query ?? [])).toEqual({
      user: 'u2',
      permission: 'hosts.read',
      resource: 'h1',
    });
  });

  it('Spec: users-teams-rbac 19: says_why_somebody_does_not_see_it', async () => {
    await choosePerson({
      'GET /permissions/explain': {
        allowed: false,
        reasons: [aReason({ reaches: false, matching_groups: [] })],
      },
    });
    expect(await screen.findByText('Not allowed')).toBeVisible();
    expect(screen.getByRole('list', { name: 'Reasons' })).toHaveTextContent(/not on this host/);
    expect(screen.queryByText(/waits for approval/)).toBeNull();
  });

  it('Spec: auth 5: somebody_who_waits_for_approval_may_nothing_yet', async () => {
    await choosePerson({ 'GET /permissions/explain': { allowed: false, reasons: [aReason()] } });
    expect(await screen.findByText(/The person waits for approval/)).toBeVisible();
  });

  it('another_permission_is_another_question', async () => {
    const { api, user } = await choosePerson();
    await screen.findByText('Allowed');
    await user.click(screen.getByRole('combobox', { name: 'Permission' }));
    await user.click(await screen.findByRole('option', { name: 'audit.read' }));
    expect(screen.getByText('See the audit log.')).toBeVisible();
    await waitFor(() =>
      expect(api.to('GET /permissions/explain').at(-1)?.query.get('permission')).toBe('audit.read'),
    );
  });

  it('people_are_searched_on_the_server', async () => {
    const { api, user } = open(HOST_PAGE);
    await user.type(await screen.findByRole('combobox', { name: 'Person' }), 'bo%');
    await waitFor(() => expect(api.to('GET /users').at(-1)?.query.get('search')).toBe('bo%'));
  });

  it('an_answer_that_fails_is_asked_for_again', async () => {
    const { api, user } = await choosePerson({
      'GET /permissions/explain': new Refusal(500, 'internal'),
    });
    await screen.findByText('Something went wrong on the server.');
    api.answer({ 'GET /permissions/explain': allowed() });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Allowed')).toBeVisible();
  });

  it('who_may_not_explain_access_sees_no_panel', async () => {
    const { api } = open(HOST_PAGE, { 'GET /me': aMe([...READ_ONLY, 'host_groups.read']) });
    expect(await screen.findByText('In no group')).toBeVisible();
    expect(screen.queryByRole('combobox', { name: 'Person' })).toBeNull();
    expect(api.to('GET /users')).toHaveLength(0);
  });
});

describe('on the page of a person', () => {
  it('Spec: users-teams-rbac 19: begins_with_whether_they_may_at_all', async () => {
    const { api } = open(PERSON_PAGE);
    expect(await screen.findByText('The role Engineer allows it on some hosts.')).toBeVisible();
    expect(api.to('GET /permissions/explain')[0]?.query.has('resource')).toBe(false);
  });

  it('Spec: users-teams-rbac 19: goes_on_to_a_chosen_host', async () => {
    const { api, user } = open(PERSON_PAGE, {
      'GET /permissions/explain': (call) =>
        call.query.has('resource') ? allowed() : allowed({ whole_organisation: true }),
    });
    expect(await screen.findByText(/Engineer allows it on every host/)).toBeVisible();
    await user.click(screen.getByRole('combobox', { name: /^On the host/ }));
    await user.click(await screen.findByRole('option', { name: 'db-02' }));
    expect(await screen.findByText(/because the host is in Web/)).toBeVisible();
    expect(api.to('GET /permissions/explain').at(-1)?.query.get('resource')).toBe('h2');
  });

  it('who_may_not_manage_roles_is_told_nothing_of_them', async () => {
    const { api } = open(PERSON_PAGE, { 'GET /me': aMe([...READ_ONLY, 'users.read']) });
    expect(await screen.findByText('No second factor.')).toBeVisible();
    expect(screen.queryByText('Custom roles')).toBeNull();
    expect(api.to('GET /permissions/explain')).toHaveLength(0);
    expect(api.to('GET /role-assignments')).toHaveLength(0);
  });
});

describe('words', () => {
  it('Spec: users-teams-rbac 19: reasons_are_said_in_words', () => {
    const reason = (more: Partial<PermissionReason>): PermissionReason => ({
      kind: 'custom',
      role: 'Auditor',
      whole_organisation: false,
      reaches: true,
      matching_groups: [],
      ...more,
    });
    expect(reasonText(reason({ whole_organisation: true }), true)).toBe(
      'The custom role Auditor allows it on every host.',
    );
    expect(reasonText(reason({ reaches: false }), true)).toMatch(/not on this host/);
    expect(reasonText(reason({}), true)).toMatch(/its conditions select this host/);
    expect(reasonText(reason({}), false)).toMatch(/on some hosts/);
  });
});

describe('catalogue', () => {
  it('holds_only_what_a_custom_role_may_hold', () => {
    expect(groupsOf(CATALOGUE, '').map((group) => group.label)).toEqual(['Audit', 'Hosts']);
    expect(groupsOf(CATALOGUE, 'SEE log').flatMap((group) => group.permissions)).toHaveLength(1);
    expect(groupsOf(CATALOGUE, 'no such thing')).toEqual([]);
    const one = [{ ...CATALOGUE[0], name: 'api_keys.own' } as PermissionInfo];
    expect(groupsOf(one, 'api keys')[0]?.label).toBe('API keys');
    expect(permissionsOf(CATALOGUE, 'org_admin')).not.toContain('mfa.reset');
  });

  it('differences_and_counts_are_said', () => {
    expect(difference(['a', 'b'], ['b', 'c'])).toEqual({ added: ['c'], removed: ['a'] });
    expect(hostsText(3, 3)).toBe('Reaches 3 hosts.');
    expect(hostsText(3, 1)).toBe('Reaches 1 host instead of 3 hosts.');
    expect(selectorText([])).toBe('All hosts');
  });
});
