import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { HostGroup, HostScope, UserSecurity } from '@/api/access';
import type { Permission, User } from '@/api/schema';
import { ago, aMe, aSession, ORG_ADMIN, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { scopeText } from './ScopePanel';
import { factorText } from './SignInPanel';

const ADMIN: Permission[] = [
  ...ORG_ADMIN,
  'users.read',
  'users.manage',
  'invitations.manage',
  'sessions.manage',
  'mfa.reset',
  'host_scopes.manage',
  'host_groups.read',
  'rbac.manage',
  'teams.read',
];

function bob(more: Partial<User> = {}): User {
  return {
    id: 'u2',
    name: 'Bob Reed',
    email: 'bob@example.net',
    email_verified: true,
    state: 'active',
    roles: ['engineer'],
    displayed_role: 'engineer',
    roles_from: 'people',
    has_password: true,
    joined_at: ago(9_000),
    last_seen_at: ago(7_300),
    invited_by: null,
    teams: [{ id: 't1', name: 'Operations' }],
    ...more,
  };
}

function aScope(more: Partial<HostScope> = {}): HostScope {
  return { groups: [], team_groups: [], sees_all: true, host_count: 40, ...more };
}

const WEB = { id: 'g1', name: 'Web' };
const DB = { id: 'g2', name: 'Db' };
const LIMITED = aScope({ groups: [WEB], sees_all: false, host_count: 1 });

function groups(): HostGroup[] {
  return [WEB, DB].map((group) => ({
    ...group,
    description: '',
    kind: 'static',
    member_count: 1,
    online: 1,
    offline: 0,
    created_at: ago(10),
    updated_at: ago(10),
    deleted_at: null,
  }));
}

const SECURITY: UserSecurity = { locked_until: null, authenticator_app: true, passkeys: 2 };

function open(answers: Answers = {}) {
  return renderApp('/settings/people/u2', {
    'GET /me': aMe(ADMIN),
    'GET /users/{id}': bob(),
    'GET /users/{id}/history': { items: [] },
    'GET /users/{id}/host-scope': aScope(),
    'GET /users/{id}/security': SECURITY,
    'GET /users/{id}/sessions': { items: [aSession({ id: 's7', current: false })] },
    'GET /host-groups': pageOf(groups()),
    'GET /role-assignments': { items: [] },
    'GET /permissions': { items: [] },
    'GET /permissions/explain': { allowed: false, reasons: [] },
    ...answers,
  });
}

describe('page', () => {
  it('shows_who_somebody_is', async () => {
    open();
    expect(await screen.findByRole('heading', { name: 'Bob Reed Active' })).toBeVisible();
    expect(screen.getByText('bob@example.net')).toBeVisible();
    expect(screen.getByText('Operations')).toBeVisible();
  });

  it('Spec: users-teams-rbac 1: people_elsewhere_do_not_exist', async () => {
    open({ 'GET /users/{id}': new Refusal(404, 'not_found') });
    expect(await screen.findByText('This person is not in the organisation')).toBeVisible();
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see the people/)).toBeVisible();
    expect(api.to('GET /users/{id}')).toHaveLength(0);
    expect(api.to('GET /users/{id}/sessions')).toHaveLength(0);
  });

  it('removed_people_have_no_hosts_and_no_sessions', async () => {
    const { api } = open({ 'GET /users/{id}': bob({ state: 'removed' }) });
    expect(await screen.findByRole('button', { name: 'Restore' })).toBeVisible();
    expect(screen.queryByText('Sessions')).toBeNull();
    expect(api.to('GET /users/{id}/security')).toHaveLength(0);
  });

  it('Spec: users-teams-rbac 17: custom_roles_are_named_with_the_team_they_come_through', async () => {
    const assignment = {
      id: 'as1',
      role_id: 'r1',
      role_name: 'Auditor',
      user_id: null,
      team_id: 't1',
      subject_name: 'Operations',
      assigned_at: ago(10),
    };
    const theirs = { ...assignment, id: 'as2', role_name: 'Other', team_id: 't9' };
    open({ 'GET /role-assignments': { items: [assignment, theirs] } });
    const link = await screen.findByRole('link', { name: 'Auditor' });
    expect(link.parentElement).toHaveTextContent('Auditor through the team Operations');
    expect(screen.queryByRole('link', { name: 'Other' })).toBeNull();
  });
});

describe('hosts', () => {
  it('Spec: host-groups 15: an_engineer_is_limited_to_a_group', async () => {
    const { api, user } = open({ 'PUT /users/{id}/host-scope': LIMITED });
    expect(await screen.findByText('The whole organisation: 40 hosts now.')).toBeVisible();
    const save = screen.getByRole('button', { name: 'Save limits' });
    expect(save).toBeDisabled();
    await user.click(screen.getByRole('combobox', { name: 'Limited to host groups' }));
    await user.click(await screen.findByRole('option', { name: 'Web' }));
    await user.click(save);
    await waitFor(() =>
      expect(api.to('PUT /users/{id}/host-scope')[0]?.body).toEqual({ group_ids: ['g1'] }),
    );
    expect(await screen.findByText('Only the groups below: 1 host now.')).toBeVisible();
  });

  it('Spec: host-groups 15: taking_the_last_limit_away_asks_first', async () => {
    const { api, user } = open({
      'GET /users/{id}/host-scope': LIMITED,
      'PUT /users/{id}/host-scope': aScope(),
    });
    await user.click(await screen.findByRole('combobox', { name: 'Limited to host groups' }));
    await user.keyboard('{Backspace}{Escape}');
    await user.click(screen.getByRole('button', { name: 'Save limits' }));
    expect(api.to('PUT /users/{id}/host-scope')).toHaveLength(0);
    await user.click(await screen.findByRole('button', { name: 'Take the limit away' }));
    await waitFor(() =>
      expect(api.to('PUT /users/{id}/host-scope')[0]?.body).toEqual({ group_ids: [] }),
    );
  });

  it('Spec: users-teams-rbac 10, 12: groups_of_scoping_teams_are_named', async () => {
    const team = { id: 't1', name: 'Operations' };
    open({
      'GET /users/{id}/host-scope': aScope({
        team_groups: [{ ...DB, team }],
        sees_all: false,
        host_count: 2,
      }),
    });
    const list = await screen.findByRole('list', { name: 'Groups through teams' });
    expect(list).toHaveTextContent('Db through the team Operations');
  });

  it('Spec: host-groups 19: administrators_are_never_limited', async () => {
    open({ 'GET /users/{id}': bob({ roles: ['org_admin'] }) });
    expect(
      await screen.findByText('Administrators always see the whole organisation.'),
    ).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Save limits' })).toBeNull();
  });

  it('nobody_is_offered_to_change_their_own_limits', async () => {
    open({ 'GET /users/{id}': bob({ id: 'u1' }) });
    expect(await screen.findByText('Nobody changes their own limits.')).toBeVisible();
  });

  it('counts_are_said', () => {
    expect(scopeText(LIMITED)).toBe('Only the groups below: 1 host now.');
    expect(scopeText(aScope({ host_count: 2_000 }))).toMatch(/2,000 hosts/);
  });

  it('Spec: users-teams-rbac 19: the_page_says_what_somebody_may_do_and_why', async () => {
    const { api } = open();
    expect(await screen.findByText('No role that this person holds allows it.')).toBeVisible();
    const query = api.to('GET /permissions/explain')[0]?.query;
    expect(Object.fromEntries(query ?? [])).toEqual({ user: 'u2', permission: 'hosts.read' });
  });
});

describe('sign-in', () => {
  it('Spec: auth 22: a_locked_account_is_unlocked', async () => {
    const { api, user } = open({
      'GET /users/{id}/security': { ...SECURITY, locked_until: ago(-250) },
      'POST /users/{id}/unlock': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Unlock' }));
    await waitFor(() => expect(api.to('POST /users/{id}/unlock')).toHaveLength(1));
    api.answer({ 'GET /users/{id}/security': SECURITY });
    await waitFor(() => expect(api.to('GET /users/{id}/security').length).toBeGreaterThan(1));
  });

  it('Spec: auth 19: a_second_factor_is_reset_after_a_question', async () => {
    const { api, user } = open({ 'DELETE /users/{id}/mfa': undefined });
    expect(
      await screen.findByText('Second factor: an authenticator app and 2 passkeys.'),
    ).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Reset second factor' }));
    expect(api.to('DELETE /users/{id}/mfa')).toHaveLength(0);
    await user.click(await screen.findByRole('button', { name: 'Reset' }));
    await waitFor(() => expect(api.to('DELETE /users/{id}/mfa')).toHaveLength(1));
  });

  it('Spec: auth 17: a_reset_wants_a_fresh_confirmation', async () => {
    let confirmed = false;
    const { api, user } = open({
      'GET /me/reauthentication': {
        confirmed_until: ago(600),
        password: true,
        passkey: false,
        redirect: null,
      },
      'POST /me/reauthenticate': () => {
        confirmed = true;
        return undefined;
      },
      'DELETE /users/{id}/mfa': () =>
        confirmed ? undefined : new Refusal(403, 'reauthentication_required'),
    });
    await user.click(await screen.findByRole('button', { name: 'Reset second factor' }));
    await user.click(await screen.findByRole('button', { name: 'Reset' }));
    await user.type(await screen.findByLabelText('Your password'), 'correct horse battery');
    await user.click(screen.getByRole('button', { name: 'Confirm' }));
    await waitFor(() => expect(api.to('DELETE /users/{id}/mfa')).toHaveLength(2));
  });

  it('Spec: auth 19: only_super_admins_are_offered_the_reset', async () => {
    open({ 'GET /me': aMe(ADMIN.filter((permission) => permission !== 'mfa.reset')) });
    expect(await screen.findByText(/Second factor: an authenticator app/)).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Reset second factor' })).toBeNull();
  });

  it('factors_are_said_in_words', () => {
    const none = { locked_until: null, authenticator_app: false, passkeys: 0 };
    expect(factorText(none)).toBe('No second factor.');
    expect(factorText({ ...none, passkeys: 1 })).toBe('Second factor: 1 passkey.');
  });
});

describe('sessions', () => {
  it('Spec: auth 14: one_session_of_somebody_is_ended', async () => {
    const { api, user } = open({ 'DELETE /users/{id}/sessions/{id}': undefined });
    const rows = await tableRows('Sessions');
    expect(rows[0]?.slice(0, 2)).toEqual(['Firefox on Linux', '192.0.2.77']);
    await user.click(screen.getByRole('button', { name: 'End the session on Firefox on Linux' }));
    await waitFor(() =>
      expect(api.to('DELETE /users/{id}/sessions/{id}')[0]?.path).toBe('/users/u2/sessions/s7'),
    );
  });

  it('Spec: auth 14: all_sessions_of_somebody_are_ended_after_a_question', async () => {
    const { api, user } = open({ 'DELETE /users/{id}/sessions': undefined });
    await user.click(await screen.findByRole('button', { name: 'End all sessions' }));
    expect(api.to('DELETE /users/{id}/sessions')).toHaveLength(0);
    api.answer({ 'GET /users/{id}/sessions': { items: [] } });
    await user.click(await screen.findByRole('button', { name: 'End sessions' }));
    expect(await screen.findByText('Not signed in anywhere')).toBeVisible();
    expect(api.to('DELETE /users/{id}/sessions')).toHaveLength(1);
  });

  it('who_may_not_end_sessions_sees_none', async () => {
    const { api } = open({
      'GET /me': aMe(ADMIN.filter((permission) => permission !== 'sessions.manage')),
    });
    await screen.findByText(/Second factor/);
    expect(screen.queryByRole('table', { name: 'Sessions' })).toBeNull();
    expect(api.to('GET /users/{id}/sessions')).toHaveLength(0);
  });
});

describe('waiting', () => {
  function list(answers: Answers = {}) {
    return renderApp('/settings/people', {
      'GET /me': aMe(ADMIN),
      'GET /users': (call) =>
        call.query.get('state') === 'pending'
          ? pageOf([bob({ id: 'u5', name: 'Eve Stone', state: 'pending', roles: [] })])
          : pageOf([bob()]),
      'GET /users/{id}/history': { items: [] },
      'GET /invitations': pageOf([]),
      'GET /host-groups': pageOf(groups()),
      'GET /teams': pageOf([]),
      ...answers,
    });
  }

  it('Spec: auth 4: who_waits_is_admitted_with_a_role', async () => {
    const { api, user } = list({ 'PATCH /users/{id}': bob({ id: 'u5' }) });
    await user.click(await screen.findByRole('button', { name: 'Admit Eve Stone' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(dialog.getByRole('button', { name: 'Approve' })).toBeDisabled();
    await user.click(dialog.getByRole('checkbox', { name: /Read only/ }));
    await user.click(dialog.getByRole('button', { name: 'Approve' }));
    await waitFor(() => expect(api.to('PATCH /users/{id}')[0]?.path).toBe('/users/u5'));
    expect(api.to('PATCH /users/{id}')[0]?.body).toMatchObject({
      roles: ['read_only'],
      state: 'active',
    });
  });

  it('Spec: auth 4: who_waits_is_refused_after_a_question', async () => {
    const { api, user } = list({ 'DELETE /users/{id}': undefined });
    await user.click(await screen.findByRole('button', { name: 'Refuse Eve Stone' }));
    expect(api.to('DELETE /users/{id}')).toHaveLength(0);
    await user.click(await screen.findByRole('button', { name: 'Refuse' }));
    await waitFor(() => expect(api.to('DELETE /users/{id}')[0]?.path).toBe('/users/u5'));
  });

  it('when_nobody_waits_there_is_no_panel', async () => {
    const { api } = list({
      'GET /users': (call) => pageOf(call.query.get('state') === 'pending' ? [] : [bob()]),
    });
    await waitFor(() => expect(api.to('GET /users').length).toBeGreaterThan(1));
    expect(screen.queryByRole('table', { name: 'Waiting for approval' })).toBeNull();
  });

  it('Spec: auth 27: an_invitation_names_teams_and_host_groups', async () => {
    const team = {
      id: 't1',
      name: 'Operations',
      description: '',
      scoping: false,
      lead: null,
      member_count: 2,
      host_group_count: 0,
      created_at: ago(10),
      updated_at: ago(10),
    };
    const { api, user } = list({
      'GET /teams': pageOf([team]),
      'POST /invitations': { status: 'restored', user_id: 'u2' },
    });
    await user.click(await screen.findByRole('button', { name: 'Invite' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.type(dialog.getByLabelText('Email'), 'eve@example.net');
    await user.click(await dialog.findByRole('combobox', { name: 'Teams' }));
    await user.click(await screen.findByRole('option', { name: 'Operations' }));
    await user.click(dialog.getByRole('combobox', { name: 'Limited to host groups' }));
    await user.click(await screen.findByRole('option', { name: 'Web' }));
    await user.click(dialog.getByRole('button', { name: 'Invite' }));
    await waitFor(() =>
      expect(api.to('POST /invitations')[0]?.body).toEqual({
        email: 'eve@example.net',
        roles: ['read_only'],
        team_ids: ['t1'],
        host_group_ids: ['g1'],
      }),
    );
  });

  it('Spec: host-groups 19: administrators_are_invited_without_limits', async () => {
    const { user } = list();
    await user.click(await screen.findByRole('button', { name: 'Invite' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(dialog.getByRole('combobox', { name: 'Limited to host groups' })).toBeVisible();
    await user.click(dialog.getByRole('checkbox', { name: /Organisation admin/ }));
    expect(dialog.queryByRole('combobox', { name: 'Limited to host groups' })).toBeNull();
  });
});
