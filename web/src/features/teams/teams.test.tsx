import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Permission, Team, TeamDetail, TeamMemberPreview } from '@/api/schema';
import { ago, aMe, ORG_ADMIN, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { effectText } from './MembersSection';

const ADMIN: Permission[] = [...ORG_ADMIN, 'teams.read', 'teams.manage', 'users.read'];

function aTeam(more: Partial<Team> = {}): Team {
  return {
    id: 't1',
    name: 'Operations',
    description: '',
    scoping: true,
    lead: null,
    member_count: 1,
    host_group_count: 1,
    created_at: ago(100),
    updated_at: ago(100),
    ...more,
  };
}

function detail(): TeamDetail {
  return {
    ...aTeam(),
    members: [{ id: 'u2', name: 'Bob Reed', state: 'active', added_at: ago(50) }],
    host_groups: [{ id: 'g1', name: 'Web' }],
  };
}

function effect(more: Partial<TeamMemberPreview> = {}): TeamMemberPreview {
  return {
    scoped: true,
    sees_all_before: false,
    sees_all_after: false,
    hosts_gained: 0,
    hosts_lost: 0,
    widens: false,
    ...more,
  };
}

function open(answers: Answers = {}) {
  return renderApp('/settings/teams', {
    'GET /me': aMe(ADMIN),
    'GET /teams': pageOf([aTeam()]),
    'GET /teams/{id}': detail(),
    'GET /users': pageOf([]),
    'GET /host-groups': pageOf([]),
    ...answers,
  });
}

describe('teams', () => {
  it('Spec: users-teams-rbac 9, 10: lists_teams_and_says_which_limit', async () => {
    open({ 'GET /teams': pageOf([aTeam(), aTeam({ id: 't2', name: 'Plain', scoping: false })]) });
    const rows = await tableRows('Teams');
    expect(rows.map((cells) => cells.slice(0, 2))).toEqual([
      ['Operations', 'Limits what members see'],
      ['Plain', 'No limit'],
    ]);
  });

  it('without_teams_the_way_on_is_shown', async () => {
    open({ 'GET /teams': pageOf<Team>([]) });
    expect(await screen.findByText('No teams yet')).toBeVisible();
  });

  it('members_without_the_permission_look_only', async () => {
    const { user } = open({ 'GET /me': aMe([...READ_ONLY, 'teams.read']) });
    await user.click(await screen.findByRole('button', { name: 'Open Operations' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(await dialog.findByText('Bob Reed')).toBeVisible();
    expect(dialog.queryByRole('button', { name: 'Delete team' })).toBeNull();
    expect(dialog.queryByRole('button', { name: 'Take Bob Reed out' })).toBeNull();
    expect(screen.queryByRole('button', { name: 'Create team' })).toBeNull();
  });

  it('a_team_needs_a_name_and_a_taken_one_is_said_at_the_field', async () => {
    const { user } = open({
      'POST /teams': new Refusal(409, 'already_exists', {
        fields: [{ path: 'name', code: 'already_exists', message: 'is the name of another team' }],
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Create team' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Create team' }));
    expect(dialog.getByText('Use 1 to 100 characters.')).toBeVisible();
    await user.type(dialog.getByLabelText('Name'), 'Operations');
    await user.click(dialog.getByRole('button', { name: 'Create team' }));
    expect(await dialog.findByText('Is the name of another team.')).toBeVisible();
  });

  it('Spec: users-teams-rbac 13: leaving_shows_hosts_gained_and_confirms_the_widening', async () => {
    const { api, user } = open({
      'POST /teams/{id}/members/preview': effect({
        sees_all_after: true,
        hosts_gained: 12,
        widens: true,
      }),
      'DELETE /teams/{id}/members/{id}': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Open Operations' }));
    await user.click(await screen.findByRole('button', { name: 'Take Bob Reed out' }));
    expect(await screen.findByText(/every host of the organisation: 12 hosts more/)).toBeVisible();
    expect(api.to('DELETE /teams/{id}/members/{id}')).toHaveLength(0);
    await user.click(screen.getByRole('button', { name: 'Take out' }));
    await waitFor(() =>
      expect(api.to('DELETE /teams/{id}/members/{id}')[0]?.query.get('confirm_widening')).toBe(
        'true',
      ),
    );
  });

  it('Spec: users-teams-rbac 13: a_refused_widening_is_asked_for_once_more', async () => {
    const { api, user } = open({
      'PATCH /teams/{id}': (call) =>
        (call.body as { confirm_widening: boolean }).confirm_widening
          ? detail()
          : new Refusal(409, 'scope_widens', { detail: '1 people would see hosts' }),
    });
    await user.click(await screen.findByRole('button', { name: 'Open Operations' }));
    await user.click(await screen.findByRole('switch', { name: /Limits what members see/ }));
    await user.click(await screen.findByRole('button', { name: 'Go on' }));
    await waitFor(() => expect(api.to('PATCH /teams/{id}')).toHaveLength(2));
    expect(api.to('PATCH /teams/{id}')[1]?.body).toEqual({
      scoping: false,
      confirm_widening: true,
    });
  });

  it('Spec: users-teams-rbac 13, 16: effects_are_said_in_words', () => {
    expect(effectText(effect({ scoped: false }))).toMatch(/Administrators see every host/);
    expect(effectText(effect({ hosts_gained: 3, hosts_lost: 1 }))).toBe(
      'The person gains sight of 3 hosts and loses sight of 1 host.',
    );
    expect(effectText(effect())).toMatch(/Nothing changes/);
    expect(effectText(effect({ widens: true }))).toMatch(/no further hosts now/);
  });
});
