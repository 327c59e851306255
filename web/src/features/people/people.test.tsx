import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Invitation, Permission, User } from '@/api/schema';
import { ago, aMe, ORG_ADMIN, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const ADMIN: Permission[] = [...ORG_ADMIN, 'users.read', 'users.manage', 'invitations.manage'];

function aUser(more: Partial<User> = {}): User {
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

function anInvitation(more: Partial<Invitation> = {}): Invitation {
  return {
    id: 'i1',
    email: 'eve@example.net',
    roles: ['read_only'],
    team_ids: [],
    host_group_ids: [],
    state: 'live',
    invited_by: { id: 'u1', name: 'Ada Moss' },
    created_at: ago(100),
    sent_at: ago(100),
    expires_at: ago(-86_400 * 7 - 600),
    ...more,
  };
}

function open(answers: Answers = {}, path = '/settings/people') {
  return renderApp(path, {
    'GET /me': aMe(ADMIN),
    'GET /users': pageOf([aUser()]),
    'GET /users/{id}/history': { items: [] },
    'GET /invitations': pageOf<Invitation>([]),
    ...answers,
  });
}

async function openBob(answers: Answers = {}) {
  const running = open(answers);
  await running.user.click(await screen.findByRole('button', { name: 'Open Bob Reed' }));
  return { ...running, dialog: within(await screen.findByRole('dialog')) };
}

describe('list', () => {
  it('Spec: users-teams-rbac 4, 5: shows_roles_state_and_teams_of_everybody', async () => {
    open({
      'GET /users': pageOf([
        aUser(),
        aUser({ id: 'u3', name: 'Cy', roles: [], state: 'pending', teams: [], last_seen_at: null }),
      ]),
    });
    const rows = await tableRows('People');
    expect(rows.map((cells) => cells.slice(0, 6))).toEqual([
      ['Bob Reed', 'bob@example.net', 'Engineer', 'Operations', 'Active', '2 h ago'],
      ['Cy', 'bob@example.net', 'None', '–', 'Waits for approval', 'not signed in'],
    ]);
  });

  it('filters_are_in_the_address_bar', async () => {
    const { api, user, address } = open();
    await user.selectOptions(await screen.findByRole('combobox', { name: 'State' }), 'removed');
    await waitFor(() => expect(address()).toBe('/settings/people?state=removed'));
    await waitFor(() => expect(api.to('GET /users').at(-1)?.query.get('state')).toBe('removed'));
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see the people/)).toBeVisible();
    expect(api.to('GET /users')).toHaveLength(0);
    expect(api.to('GET /invitations')).toHaveLength(0);
    expect(screen.queryByRole('button', { name: 'Invite' })).toBeNull();
  });
});

describe('member', () => {
  it('Spec: users-teams-rbac 4: roles_are_changed_with_a_reason', async () => {
    const { api, user, dialog } = await openBob({ 'PATCH /users/{id}': aUser() });
    await user.click(dialog.getByRole('checkbox', { name: /Read only/ }));
    await user.type(dialog.getByLabelText('Reason'), 'new job');
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('PATCH /users/{id}')[0]?.body).toEqual({
      roles: ['engineer', 'read_only'],
      reason: 'new job',
    });
  });

  it('Spec: users-teams-rbac 7: only_super_admins_are_offered_super_admin', async () => {
    const me = { ...aMe(ADMIN), roles: ['org_admin'] };
    const { dialog } = await openBob({ 'GET /me': me });
    expect(dialog.getByRole('checkbox', { name: /Organisation admin/ })).toBeVisible();
    expect(dialog.queryByRole('checkbox', { name: /Super admin/ })).toBeNull();
  });

  it('Spec: users-teams-rbac 6: nobody_is_offered_to_change_themselves', async () => {
    const { user } = open({ 'GET /users': pageOf([aUser({ id: 'u1', name: 'Ada Moss' })]) });
    await user.click(await screen.findByRole('button', { name: 'Open Ada Moss' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(dialog.getByText(/Nobody changes their own roles/)).toBeVisible();
    expect(dialog.queryByRole('button', { name: 'Remove' })).toBeNull();
  });

  it('Spec: users-teams-rbac 6: the_last_super_admin_is_named_as_the_reason', async () => {
    const { user, dialog } = await openBob({
      'PATCH /users/{id}': new Refusal(409, 'last_super_admin', {
        detail: 'the organisation needs an active super_admin; make another one first',
      }),
    });
    await user.click(dialog.getByRole('button', { name: 'Deactivate' }));
    expect(await dialog.findByText(/needs an active super_admin/)).toBeVisible();
  });

  it('Spec: users-teams-rbac 5: removal_asks_first', async () => {
    const { api, user, dialog } = await openBob({ 'DELETE /users/{id}': undefined });
    await user.click(dialog.getByRole('button', { name: 'Remove' }));
    expect(api.to('DELETE /users/{id}')).toHaveLength(0);
    const question = await screen.findByRole('dialog', { name: 'Remove from the organisation?' });
    await user.click(within(question).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(api.to('DELETE /users/{id}')[0]?.path).toBe('/users/u2'));
  });

  it('shows_what_happened_to_somebody', async () => {
    const { dialog } = await openBob({
      'GET /users/{id}/history': {
        items: [
          {
            id: 'c1',
            change: 'deactivated',
            actor: { id: 'u1', name: 'Ada Moss' },
            before: {},
            after: {},
            reason: 'on leave',
            at: ago(7_300),
          },
        ],
      },
    });
    expect(await dialog.findByText(/Deactivated/)).toHaveTextContent(
      'Deactivated 2 h ago by Ada Moss: on leave',
    );
  });
});

describe('invitations', () => {
  it('Spec: auth 27: the_link_is_shown_once', async () => {
    const link = 'https://ops/invitation#inv_secret';
    const { api, user } = open({
      'POST /invitations': { status: 'invited', invitation: anInvitation(), link },
    });
    await user.click(await screen.findByRole('button', { name: 'Invite' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Invite' }));
    expect(dialog.getByText('Enter an email address.')).toBeVisible();
    await user.type(dialog.getByLabelText('Email'), ' eve@example.net ');
    await user.click(dialog.getByRole('button', { name: 'Invite' }));
    expect(await screen.findByText(link)).toBeVisible();
    expect(api.to('POST /invitations')[0]?.body).toEqual({
      email: 'eve@example.net',
      roles: ['read_only'],
    });
    await user.click(screen.getByRole('button', { name: 'Done' }));
    await waitFor(() => expect(screen.queryByText(link)).toBeNull());
  });

  it('Spec: auth 28: a_removed_person_is_back_without_a_link', async () => {
    const { user } = open({ 'POST /invitations': { status: 'restored', user_id: 'u2' } });
    await user.click(await screen.findByRole('button', { name: 'Invite' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.type(dialog.getByLabelText('Email'), 'bob@example.net');
    await user.click(dialog.getByRole('button', { name: 'Invite' }));
    expect(await screen.findByText(/had been removed and is back/)).toBeVisible();
  });

  it('Spec: auth 27: an_invitation_is_cancelled_after_a_question', async () => {
    const { api, user } = open({
      'GET /invitations': pageOf([anInvitation()]),
      'DELETE /invitations/{id}': undefined,
    });
    await user.click(
      await screen.findByRole('button', { name: 'Cancel the invitation of eve@example.net' }),
    );
    expect(api.to('DELETE /invitations/{id}')).toHaveLength(0);
    await user.click(await screen.findByRole('button', { name: 'Cancel invitation' }));
    await waitFor(() => expect(api.to('DELETE /invitations/{id}')).toHaveLength(1));
  });
});
