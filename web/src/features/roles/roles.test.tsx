import { screen, waitFor, within } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { CustomRole, PermissionInfo, RoleAssignment } from '@/api/access';
import type { Features } from '@/api/features';
import type { Permission } from '@/api/schema';
import { ago, aMe, ORG_ADMIN, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const MANAGER: Permission[] = [
  ...ORG_ADMIN,
  'rbac.manage',
  'users.read',
  'teams.read',
  'host_groups.read',
];

const CATALOGUE: PermissionInfo[] = [
  {
    name: 'hosts.read',
    about: 'See hosts.',
    roles: ['read_only', 'engineer', 'org_admin', 'super_admin'],
    assignable: true,
  },
  {
    name: 'hosts.write',
    about: 'Rename hosts.',
    roles: ['engineer', 'org_admin', 'super_admin'],
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

function aRole(more: Partial<CustomRole> = {}): CustomRole {
  return {
    id: 'r1',
    name: 'Auditor',
    description: '',
    base: 'read_only',
    permissions: ['audit.read', 'hosts.read'],
    selector: [],
    assignment_count: 1,
    version: 4,
    updated_at: ago(7_300),
    ...more,
  };
}

function anAssignment(more: Partial<RoleAssignment> = {}): RoleAssignment {
  return {
    id: 'as1',
    role_id: 'r1',
    role_name: 'Auditor',
    user_id: 'u2',
    team_id: null,
    subject_name: 'Bob Reed',
    assigned_at: ago(60),
    ...more,
  };
}

const COMMUNITY: Features = {
  tier: 'community',
  features: { advancedRbac: false },
  required_tiers: { advancedRbac: 'enterprise' },
};

const GROUPS = pageOf(
  [
    { id: 'g1', name: 'Web' },
    { id: 'g2', name: 'Db' },
  ].map((group) => ({
    ...group,
    description: '',
    kind: 'static',
    member_count: 1,
    online: 1,
    offline: 0,
    created_at: ago(10),
    updated_at: ago(10),
    deleted_at: null,
  })),
);

function open(path: string, answers: Answers = {}) {
  return renderApp(path, {
    'GET /me': aMe(MANAGER),
    'GET /roles': { items: [aRole()] },
    'GET /roles/{id}': aRole(),
    'GET /permissions': { items: CATALOGUE },
    'GET /role-assignments': { items: [anAssignment()] },
    'POST /roles/preview': { hosts: 12, warnings: [] },
    'GET /host-groups': GROUPS,
    'GET /users': pageOf([]),
    'GET /teams': pageOf([]),
    ...answers,
  });
}

describe('list', () => {
  it('Spec: users-teams-rbac 17: shows_every_custom_role', async () => {
    open('/settings/roles', {
      'GET /roles': {
        items: [
          aRole(),
          aRole({
            id: 'r2',
            name: 'Plain',
            base: null,
            selector: [{ host_groups: ['g1'], negated: false }],
          }),
        ],
      },
    });
    expect(await tableRows('Custom roles')).toEqual([
      ['Auditor', 'Read only', '2', 'All hosts', '1', '2 h ago'],
      ['Plain', '–', '2', '1 condition', '1', '2 h ago'],
    ]);
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open('/settings/roles', { 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see and change roles/)).toBeVisible();
    expect(api.to('GET /roles')).toHaveLength(0);
  });

  it('without_the_licence_and_without_roles_the_tier_is_named', async () => {
    open('/settings/roles', { 'GET /roles': { items: [] }, 'GET /features': COMMUNITY });
    expect(await screen.findByText(/is part of Enterprise/)).toBeVisible();
    expect(screen.queryByRole('link', { name: 'New role' })).toBeNull();
  });

  it('Spec: users-teams-rbac 22: after_a_lapse_roles_are_shown_and_not_changed', async () => {
    open('/settings/roles', { 'GET /features': COMMUNITY });
    expect(await screen.findByText(/keep working as they are/)).toBeVisible();
    expect(await tableRows('Custom roles')).toHaveLength(1);
    expect(screen.queryByRole('link', { name: 'New role' })).toBeNull();
  });
});

async function look(user: UserEvent) {
  await user.click(screen.getByRole('button', { name: 'Look at what changes, then save' }));
}

describe('editor', () => {
  it('Spec: users-teams-rbac 17: a_role_is_made_from_a_built_in_one', async () => {
    const { api, user, address } = open('/settings/roles/new', { 'POST /roles': aRole() });
    await user.selectOptions(
      await screen.findByRole('combobox', { name: 'Made from' }),
      'engineer',
    );
    expect(screen.getByRole('checkbox', { name: 'hosts.write' })).toBeChecked();
    expect(screen.queryByRole('checkbox', { name: 'mfa.reset' })).toBeNull();
    await user.click(screen.getByRole('checkbox', { name: 'hosts.write' }));
    await user.click(screen.getByRole('checkbox', { name: 'audit.read' }));
    await look(user);
    expect(screen.getByText('Give the role a name.')).toBeVisible();
    await user.type(screen.getByLabelText('Name'), ' Auditor');
    await look(user);
    const dialog = within(await screen.findByRole('dialog'));
    expect(dialog.getByText('Gives: hosts.read, audit.read.')).toBeVisible();
    expect(await dialog.findByText('Reaches 12 hosts.')).toBeVisible();
    expect(api.to('POST /roles')).toHaveLength(0);
    await user.click(dialog.getByRole('button', { name: 'Make role' }));
    await waitFor(() => expect(address()).toBe('/settings/roles/r1'));
    expect(api.to('POST /roles')[0]?.body).toEqual({
      name: 'Auditor',
      description: '',
      base: 'engineer',
      permissions: ['hosts.read', 'audit.read'],
      selector: [],
    });
  });

  it('Spec: users-teams-rbac 21: saving_shows_first_what_and_whom_it_changes', async () => {
    const { api, user } = open('/settings/roles/r1', {
      'POST /roles/preview': (call) => ({
        hosts: (call.body as { selector: unknown[] }).selector.length === 0 ? 40 : 3,
        warnings: [],
      }),
      'PUT /roles/{id}': aRole({ version: 5 }),
    });
    await user.click(await screen.findByRole('checkbox', { name: 'audit.read' }));
    await user.click(screen.getByRole('button', { name: 'Add a condition' }));
    expect(screen.getByText('Choose the groups of every condition.')).toBeVisible();
    await look(user);
    expect(screen.queryByRole('dialog')).toBeNull();
    await user.selectOptions(screen.getByRole('combobox', { name: 'Condition 1' }), 'none');
    await user.click(screen.getByRole('combobox', { name: 'Groups of condition 1' }));
    await user.click(await screen.findByRole('option', { name: 'Db' }));
    expect(await screen.findByText('Selects 3 hosts now.')).toBeVisible();
    await look(user);
    const dialog = within(await screen.findByRole('dialog'));
    expect(dialog.getByText('Takes away: audit.read.')).toBeVisible();
    expect(await dialog.findByText('Reaches 3 hosts instead of 40 hosts.')).toBeVisible();
    expect(dialog.getByText(/what Bob Reed may do/)).toBeVisible();
    await user.click(dialog.getByRole('button', { name: 'Change role' }));
    await waitFor(() => expect(api.to('PUT /roles/{id}')).toHaveLength(1));
    const [call] = api.to('PUT /roles/{id}');
    expect(call?.headers.get('If-Match')).toBe('"4"');
    expect(call?.body).toMatchObject({
      permissions: ['hosts.read'],
      selector: [{ host_groups: ['g2'], negated: true }],
    });
  });

  it('a_change_made_by_somebody_else_meanwhile_is_said', async () => {
    const { user } = open('/settings/roles/r1', {
      'PUT /roles/{id}': new Refusal(412, 'version_conflict', {
        detail: 'somebody else changed the role in the meantime',
      }),
    });
    await user.click(await screen.findByRole('checkbox', { name: 'hosts.write' }));
    await look(user);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Change role' }));
    expect(await dialog.findByText(/Somebody else changed the role/)).toBeVisible();
  });

  it('a_selector_that_meets_no_host_warns', async () => {
    open('/settings/roles/r1', {
      'GET /roles/{id}': aRole({ selector: [{ host_groups: ['g1'], negated: false }] }),
      'POST /roles/preview': { hosts: 0, warnings: ['matches_nothing'] },
    });
    expect(await screen.findByText(/No host meets this now/)).toBeVisible();
  });

  it('the_catalogue_is_searched_and_taken_by_parts', async () => {
    const { user } = open('/settings/roles/new');
    const search = await screen.findByRole('searchbox', { name: 'Search permissions' });
    await user.type(search, 'rename');
    expect(screen.getAllByRole('checkbox')).toHaveLength(1);
    await user.clear(search);
    await user.click(screen.getByRole('button', { name: 'All of Hosts' }));
    expect(screen.getByRole('heading', { name: 'Permissions (2 chosen)' })).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'None of Hosts' }));
    expect(screen.getByRole('heading', { name: 'Permissions (0 chosen)' })).toBeVisible();
    await user.type(search, 'nothing like it');
    expect(screen.getByText('No permission matches')).toBeVisible();
  });

  it('Spec: users-teams-rbac 22: without_the_licence_nothing_can_be_changed', async () => {
    open('/settings/roles/r1', { 'GET /features': COMMUNITY });
    expect(await screen.findByText(/cannot\s+be changed/)).toBeVisible();
    expect(await screen.findByText('Bob Reed')).toBeVisible();
    for (const checkbox of screen.getAllByRole('checkbox')) {
      expect(checkbox).toBeDisabled();
    }
    for (const name of ['Delete role', 'Give', 'Take away from Bob Reed', /then save/]) {
      expect(screen.queryByRole('button', { name })).toBeNull();
    }
  });

  it('a_role_that_is_gone_says_so', async () => {
    open('/settings/roles/r9', { 'GET /roles/{id}': new Refusal(404, 'not_found') });
    expect(await screen.findByText('This role does not exist')).toBeVisible();
  });
});

describe('assignments', () => {
  it('Spec: users-teams-rbac 17: a_role_is_given_to_a_team', async () => {
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
    const { api, user } = open('/settings/roles/r1', {
      'GET /teams': pageOf([team]),
      'POST /role-assignments': anAssignment({ user_id: null, team_id: 't1' }),
    });
    await user.click(await screen.findByRole('radio', { name: 'A team' }));
    await user.click(screen.getByRole('combobox', { name: 'Team' }));
    await user.click(await screen.findByRole('option', { name: 'Operations' }));
    await user.click(screen.getByRole('button', { name: 'Give' }));
    await waitFor(() =>
      expect(api.to('POST /role-assignments')[0]?.body).toEqual({ role_id: 'r1', team_id: 't1' }),
    );
  });

  it('taking_away_asks_first_and_shows_a_refusal', async () => {
    const { api, user } = open('/settings/roles/r1', {
      'DELETE /role-assignments/{id}': new Refusal(409, 'cannot_change_self', {
        detail: 'somebody else has to change what you may do',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Take away from Bob Reed' }));
    expect(api.to('DELETE /role-assignments/{id}')).toHaveLength(0);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Take away' }));
    expect(await dialog.findByText(/Somebody else has to change/)).toBeVisible();
  });

  it('Spec: users-teams-rbac 21: a_role_in_use_is_not_deleted', async () => {
    const { user } = open('/settings/roles/r1', {
      'DELETE /roles/{id}': new Refusal(409, 'conflict', {
        detail: 'the role is given to 1 people or teams; take it away first',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Delete role' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Delete' }));
    expect(await dialog.findByText(/take it away first/)).toBeVisible();
  });
});
