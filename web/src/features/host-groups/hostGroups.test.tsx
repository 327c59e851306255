import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { HostGroup, HostGroupReference } from '@/api/access';
import type { HostRow, Permission } from '@/api/schema';
import { ago, aHost, aHostDetail, aMe, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { parseGroupSearch, parseGroupsSearch } from './search';

const READER: Permission[] = [...READ_ONLY, 'host_groups.read'];
const WRITER: Permission[] = [...READER, 'host_groups.write'];

function aGroup(more: Partial<HostGroup> = {}): HostGroup {
  return {
    id: 'g1',
    name: 'Web',
    description: 'Front ends',
    kind: 'static',
    member_count: 3,
    online: 2,
    offline: 1,
    created_at: ago(9_000),
    updated_at: ago(9_000),
    deleted_at: null,
    ...more,
  };
}

const TWO_HOSTS: HostRow[] = [aHost(), aHost({ id: 'h2', hostname: 'web-02' })];

function open(path = '/host-groups', answers: Answers = {}) {
  return renderApp(path, {
    'GET /me': aMe(WRITER),
    'GET /host-groups': pageOf([aGroup()]),
    'GET /host-groups/{id}': aGroup(),
    'GET /host-groups/{id}/members': pageOf(TWO_HOSTS, { total: 120 }),
    'GET /host-groups/{id}/references': { items: [] },
    ...answers,
  });
}

describe('list', () => {
  it('Spec: host-groups 2: shows_every_group_with_its_counts', async () => {
    open('/host-groups', {
      'GET /host-groups': pageOf([aGroup(), aGroup({ id: 'g2', name: 'db', description: '' })]),
    });
    expect(await tableRows('Host groups')).toEqual([
      ['Web', 'Front ends', '3', '2', '1'],
      ['db', '', '3', '2', '1'],
    ]);
    expect(screen.getByRole('link', { name: 'Web' })).toHaveAttribute('href', '/host-groups/g1');
  });

  it('Spec: host-groups 2: without_groups_a_new_one_is_offered', async () => {
    open('/host-groups', { 'GET /host-groups': pageOf<HostGroup>([]) });
    expect(await screen.findByText('No groups yet')).toBeVisible();
    expect(screen.getAllByRole('button', { name: 'New group' })).not.toHaveLength(0);
  });

  it('the_search_is_in_the_address_bar_and_asks_the_server', async () => {
    const { api, user, address } = open();
    await user.type(await screen.findByRole('searchbox', { name: 'Search groups' }), 'we%');
    await waitFor(() => expect(address()).toBe('/host-groups?search=we%25'));
    await waitFor(() => expect(api.to('GET /host-groups').at(-1)?.query.get('search')).toBe('we%'));
  });

  it('people_who_may_not_write_look_only', async () => {
    open('/host-groups', { 'GET /me': aMe(READER) });
    await tableRows('Host groups');
    expect(screen.queryByRole('button', { name: 'New group' })).toBeNull();
    expect(screen.queryByRole('button', { name: 'Deleted groups' })).toBeNull();
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open('/host-groups', { 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText('You may not see host groups.')).toBeVisible();
    expect(api.to('GET /host-groups')).toHaveLength(0);
  });

  it('a_list_that_cannot_be_read_says_so_and_asks_again', async () => {
    const { api, user } = open('/host-groups', {
      'GET /host-groups': new Refusal(500, 'internal'),
    });
    await screen.findByText('Something went wrong on the server.');
    api.answer({ 'GET /host-groups': pageOf([aGroup()]) });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await tableRows('Host groups')).toHaveLength(1);
  });

  it('Spec: host-groups 10: deleted_groups_are_restored', async () => {
    const { api, user, address } = open('/host-groups', {
      'GET /host-groups': (call) =>
        call.query.get('deleted') === 'true'
          ? pageOf([aGroup({ name: 'Old', deleted_at: ago(7_300) })])
          : pageOf([aGroup()]),
      'POST /host-groups/{id}/restore': aGroup({ name: 'Old' }),
    });
    await user.click(await screen.findByRole('button', { name: 'Deleted groups' }));
    expect(await tableRows('Deleted groups')).toEqual([
      ['Old', 'Front ends', '3', '2 h ago', 'Restore'],
    ]);
    expect(address()).toBe('/host-groups?deleted=true');
    await user.click(screen.getByRole('button', { name: 'Restore Old' }));
    await waitFor(() =>
      expect(api.to('POST /host-groups/{id}/restore')[0]?.path).toBe('/host-groups/g1/restore'),
    );
  });

  it('Spec: host-groups 10: a_name_taken_meanwhile_is_said', async () => {
    const { user } = open('/host-groups?deleted=true', {
      'GET /host-groups': pageOf([aGroup({ deleted_at: ago(60) })]),
      'POST /host-groups/{id}/restore': new Refusal(409, 'already_exists', {
        detail: 'another group has this name',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Restore Web' }));
    expect(await screen.findByText('Another group has this name.')).toBeVisible();
  });
});

describe('new group', () => {
  it('Spec: host-groups 1: needs_a_name_and_opens_the_group', async () => {
    const { api, user, address } = open('/host-groups', { 'POST /host-groups': aGroup() });
    await user.click(await screen.findByRole('button', { name: 'New group' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Create group' }));
    expect(dialog.getByText('Give the group a name.')).toBeVisible();
    expect(api.to('POST /host-groups')).toHaveLength(0);
    await user.type(dialog.getByLabelText('Name'), ' Web ');
    await user.click(dialog.getByRole('button', { name: 'Create group' }));
    await waitFor(() => expect(address()).toBe('/host-groups/g1'));
    expect(api.to('POST /host-groups')[0]?.body).toEqual({ name: 'Web', description: '' });
  });

  it('Spec: host-groups 1: a_taken_name_is_said_at_the_field', async () => {
    const { user } = open('/host-groups', {
      'POST /host-groups': new Refusal(409, 'already_exists'),
    });
    await user.click(await screen.findByRole('button', { name: 'New group' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.type(dialog.getByLabelText('Name'), 'Web');
    await user.click(dialog.getByRole('button', { name: 'Create group' }));
    expect(await dialog.findByText('Another group has this name.')).toBeVisible();
  });
});

describe('group', () => {
  it('Spec: host-groups 5: members_are_shown_searched_sorted_and_paged', async () => {
    const { api, user, address } = open('/host-groups/g1');
    const rows = await tableRows('Hosts of the group');
    expect(rows.map((cells) => cells[1])).toEqual(['web-01', 'web-02']);
    expect(screen.getByText('3 hosts, 2 online, 1 offline')).toBeVisible();
    const asked = () => api.to('GET /host-groups/{id}/members').at(-1)?.query;
    await user.click(screen.getByRole('button', { name: 'Next page' }));
    await waitFor(() => expect(asked()?.get('page')).toBe('2'));
    await user.click(screen.getByRole('button', { name: /^CPU/ }));
    await waitFor(() => expect(asked()?.get('sort')).toBe('cpu'));
    expect(asked()?.get('page')).toBeNull();
    await user.type(screen.getByRole('searchbox'), 'web');
    await waitFor(() => expect(asked()?.get('search')).toBe('web'));
    expect(address()).toBe('/host-groups/g1?search=web&sort=cpu');
  });

  it('Spec: host-groups 3: chosen_hosts_are_taken_out_after_a_question', async () => {
    const { api, user } = open('/host-groups/g1', {
      'DELETE /host-groups/{id}/members': { removed: 2, not_member: 0 },
    });
    await user.click(await screen.findByRole('checkbox', { name: 'Choose web-01' }));
    await user.click(screen.getByRole('checkbox', { name: 'Choose web-02' }));
    expect(screen.getByText('2 hosts chosen')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Take out of the group' }));
    expect(api.to('DELETE /host-groups/{id}/members')).toHaveLength(0);
    await user.click(await screen.findByRole('button', { name: 'Take out' }));
    await waitFor(() =>
      expect(api.to('DELETE /host-groups/{id}/members')[0]?.body).toEqual({
        host_ids: ['h1', 'h2'],
      }),
    );
    await waitFor(() => expect(screen.queryByText('2 hosts chosen')).toBeNull());
  });

  it('Spec: host-groups 3, 4: hosts_are_added_over_several_pages_and_counted', async () => {
    const { api, user } = open('/host-groups/g1', {
      'GET /hosts': (call) =>
        call.query.get('page') === '2'
          ? pageOf([aHost({ id: 'h9', hostname: 'db-09' })], { total: 26 })
          : pageOf([aHost()], { total: 26 }),
      'POST /host-groups/{id}/members': { added: 1, already_member: 1 },
    });
    await user.click(await screen.findByRole('button', { name: 'Add hosts' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(await dialog.findByRole('checkbox', { name: 'web-01' }));
    await user.click(dialog.getByRole('button', { name: 'Next page' }));
    await user.click(await dialog.findByRole('checkbox', { name: 'db-09' }));
    await user.click(dialog.getByRole('button', { name: 'Add 2 hosts' }));
    expect(await dialog.findByText(/1 host added\. 1 host had been in the group/)).toBeVisible();
    expect(api.to('POST /host-groups/{id}/members')[0]?.body).toEqual({ host_ids: ['h1', 'h9'] });
  });

  it('Spec: host-groups 17: a_refusal_of_the_server_is_shown', async () => {
    const { user } = open('/host-groups/g1', {
      'GET /hosts': pageOf([aHost()]),
      'POST /host-groups/{id}/members': new Refusal(403, 'out_of_scope', {
        detail: 'people limited to some hosts do not change groups',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Add hosts' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(await dialog.findByRole('checkbox', { name: 'web-01' }));
    await user.click(dialog.getByRole('button', { name: 'Add 1 host' }));
    expect(await dialog.findByText(/do not change groups/)).toBeVisible();
  });

  it('Spec: host-groups 1: name_and_description_are_changed', async () => {
    const { api, user } = open('/host-groups/g1', {
      'PATCH /host-groups/{id}': aGroup({ name: 'Front' }),
    });
    await user.click(await screen.findByRole('button', { name: 'Change' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.clear(dialog.getByLabelText('Name'));
    await user.type(dialog.getByLabelText('Name'), 'Front');
    await user.click(dialog.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('PATCH /host-groups/{id}')[0]?.body).toEqual({
      name: 'Front',
      description: 'Front ends',
    });
  });

  it('Spec: host-groups 9: deleting_names_what_refers_to_the_group', async () => {
    const references: HostGroupReference[] = [
      { kind: 'team', id: 't1', name: 'Operations', blocks_deletion: false },
      { kind: 'user', id: 'u2', name: 'Bob Reed', blocks_deletion: true },
    ];
    const { user } = open('/host-groups/g1', {
      'GET /host-groups/{id}/references': { items: references },
      'DELETE /host-groups/{id}': new Refusal(409, 'conflict', {
        detail: '1 people, teams or roles are limited by this group; change them first',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Delete' }));
    const list = await screen.findByRole('list', { name: 'What refers to the group' });
    expect(
      within(list)
        .getAllByRole('listitem')
        .map((item) => item.textContent),
    ).toEqual([
      'Team Operations',
      'Person Bob Reed, which is limited by this group alone: change it first',
    ]);
    await user.click(screen.getByRole('button', { name: 'Delete group' }));
    expect(await screen.findByText(/are limited by this group; change them/)).toBeVisible();
  });

  it('Spec: host-groups 9: a_deleted_group_leads_back_to_the_list', async () => {
    const { api, user, address } = open('/host-groups/g1', {
      'DELETE /host-groups/{id}': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Delete' }));
    expect(await screen.findByText('Nothing refers to it.')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Delete group' }));
    await waitFor(() => expect(address()).toBe('/host-groups'));
    expect(api.to('DELETE /host-groups/{id}')).toHaveLength(1);
  });

  it('readers_see_members_and_change_nothing', async () => {
    open('/host-groups/g1', { 'GET /me': aMe(READER) });
    const rows = await tableRows('Hosts of the group');
    expect(rows.map((cells) => cells[0])).toEqual(['web-01', 'web-02']);
    expect(screen.queryByRole('checkbox')).toBeNull();
    expect(screen.queryByRole('button', { name: 'Add hosts' })).toBeNull();
  });

  it('Spec: host-groups 16: a_group_out_of_sight_does_not_exist', async () => {
    open('/host-groups/g7', { 'GET /host-groups/{id}': new Refusal(404, 'not_found') });
    expect(await screen.findByText('This group does not exist')).toBeVisible();
  });
});

describe('host page', () => {
  it('Spec: host-groups 3: groups_of_a_host_are_edited_from_its_page', async () => {
    const { api, user } = open('/hosts/h1?tab=access', {
      'GET /hosts/{id}': aHostDetail(),
      'GET /hosts/{id}/groups': { items: [aGroup()] },
      'GET /host-groups': pageOf([aGroup(), aGroup({ id: 'g2', name: 'db' })]),
      'DELETE /host-groups/{id}/members': { removed: 1, not_member: 0 },
      'POST /host-groups/{id}/members': { added: 1, already_member: 0 },
    });
    await user.click(await screen.findByRole('button', { name: 'Take out of Web' }));
    await waitFor(() =>
      expect(api.to('DELETE /host-groups/{id}/members')[0]?.body).toEqual({ host_ids: ['h1'] }),
    );
    await user.click(screen.getByRole('combobox', { name: 'Add to groups' }));
    await user.click(await screen.findByRole('option', { name: 'db' }));
    await user.click(screen.getByRole('button', { name: 'Add' }));
    await waitFor(() =>
      expect(api.to('POST /host-groups/{id}/members')[0]?.path).toBe('/host-groups/g2/members'),
    );
  });
});

describe('address bar', () => {
  it('drops_what_it_does_not_understand', () => {
    expect(parseGroupsSearch({ search: ' ', page: '0', deleted: 'no' })).toEqual({});
    expect(parseGroupsSearch({ page: '3', deleted: 'true' })).toEqual({ page: 3, deleted: true });
    expect(parseGroupSearch({ sort: 'org_id', page: '1.5' })).toEqual({});
    expect(parseGroupSearch({ sort: '-last_seen' })).toEqual({ sort: '-last_seen' });
  });
});
