import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ApiKey, Permission } from '@/api/schema';
import { ago, aMe, READ_ONLY } from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const MINE: Permission[] = [...READ_ONLY, 'api_keys.own'];
const ADMIN: Permission[] = [...MINE, 'service_keys.manage'];

function aKey(more: Partial<ApiKey> = {}): ApiKey {
  return {
    id: 'k1',
    name: 'Backup job',
    hint: 'x9_Q',
    scopes: ['hosts.read', 'agents.read'],
    roles: ['engineer'],
    host_groups: null,
    allowed_networks: ['192.0.2.0/24'],
    created_at: ago(86_400),
    created_by: 'Ada Moss',
    expires_at: ago(-86_400 * 89),
    last_used_at: ago(180),
    last_used_ip: '192.0.2.7',
    revoked_at: null,
    ...more,
  };
}

describe('API keys', () => {
  it('Spec: auth 20: keys_show_hint_use_limits_and_state_but_no_secret', async () => {
    renderApp('/account/api-keys', {
      'GET /me': aMe(MINE),
      'GET /me/api-keys': {
        items: [aKey(), aKey({ id: 'k2', name: 'Old', revoked_at: ago(60), last_used_at: null })],
      },
    });
    const [first, second] = await tableRows('API keys');
    expect(first?.slice(0, 6)).toEqual([
      'Backup job',
      '…x9_Q',
      'Active',
      'hosts.read and 1 more',
      '192.0.2.0/24',
      '3 min ago from 192.0.2.7',
    ]);
    expect(second?.[2]).toBe('Revoked');
  });

  it('Spec: auth 20: a_new_key_is_made_with_its_limits_and_its_secret_shown_once', async () => {
    const secret = 'ctops_pat_0123456789';
    const { api, user } = renderApp('/account/api-keys', {
      'GET /me': aMe(MINE),
      'GET /me/api-keys': { items: [] },
      'POST /me/api-keys': { key: aKey(), secret },
    });
    await user.click(await screen.findByRole('button', { name: 'Create key' }));
    const dialog = await screen.findByRole('dialog', { name: 'Create key' });
    await user.click(within(dialog).getByRole('button', { name: 'Create key' }));
    expect(await within(dialog).findByText('Choose at least one permission.')).toBeVisible();
    await user.type(within(dialog).getByLabelText('Name'), 'Backup job');
    await user.click(within(dialog).getByLabelText('hosts.read'));
    await user.type(within(dialog).getByLabelText('Allowed networks'), '192.0.2.0/24');
    await user.click(within(dialog).getByRole('button', { name: 'Create key' }));
    const made = await screen.findByRole('dialog', { name: 'Key created' });
    expect(within(made).getByText(secret)).toBeVisible();
    expect(api.to('POST /me/api-keys')[0]?.body).toEqual({
      name: 'Backup job',
      scopes: ['hosts.read'],
      allowed_networks: ['192.0.2.0/24'],
      expires_in_days: 90,
    });
    await user.click(within(made).getByRole('button', { name: 'Done' }));
    await waitFor(() => expect(screen.queryByText(secret)).toBeNull());
  });

  it('Spec: auth 20: a_key_is_limited_to_host_groups', async () => {
    const group = {
      id: 'g1',
      name: 'Web',
      description: '',
      kind: 'static',
      member_count: 1,
      online: 1,
      offline: 0,
      created_at: ago(10),
      updated_at: ago(10),
      deleted_at: null,
    };
    const fields = [{ path: 'host_groups', code: 'unknown', message: 'no such host group: g1' }];
    const { api, user } = renderApp('/account/api-keys', {
      'GET /me': aMe([...MINE, 'host_groups.read']),
      'GET /me/api-keys': { items: [] },
      'GET /host-groups': { items: [group], page: 1, page_size: 200, total: 1 },
      'POST /me/api-keys': new Refusal(422, 'validation_failed', { fields }),
    });
    await user.click(await screen.findByRole('button', { name: 'Create key' }));
    const dialog = within(await screen.findByRole('dialog', { name: 'Create key' }));
    await user.type(dialog.getByLabelText('Name'), 'Backup job');
    await user.click(dialog.getByLabelText('hosts.read'));
    await user.click(dialog.getByRole('combobox', { name: 'Host groups' }));
    await user.click(await screen.findByRole('option', { name: 'Web' }));
    await user.click(dialog.getByRole('button', { name: 'Create key' }));
    expect(await dialog.findByText('No such host group: g1.')).toBeVisible();
    expect(api.to('POST /me/api-keys')[0]?.body).toMatchObject({ host_groups: ['g1'] });
  });

  it('who_may_not_see_groups_is_offered_none', async () => {
    const { user } = renderApp('/account/api-keys', {
      'GET /me': aMe(MINE),
      'GET /me/api-keys': { items: [] },
    });
    await user.click(await screen.findByRole('button', { name: 'Create key' }));
    const dialog = within(await screen.findByRole('dialog', { name: 'Create key' }));
    expect(dialog.getByLabelText('Name')).toBeVisible();
    expect(dialog.queryByRole('combobox', { name: 'Host groups' })).toBeNull();
  });

  it('Spec: auth 20: what_the_server_refuses_is_said_at_the_field', async () => {
    const fields = [
      { path: 'allowed_networks', code: 'not_a_network', message: 'must be networks' },
    ];
    const { user } = renderApp('/account/api-keys', {
      'GET /me': aMe(MINE),
      'GET /me/api-keys': { items: [] },
      'POST /me/api-keys': new Refusal(422, 'validation_failed', { fields }),
    });
    await user.click(await screen.findByRole('button', { name: 'Create key' }));
    const dialog = await screen.findByRole('dialog', { name: 'Create key' });
    await user.type(within(dialog).getByLabelText('Name'), 'Backup job');
    await user.click(within(dialog).getByLabelText('hosts.read'));
    await user.click(within(dialog).getByRole('button', { name: 'Create key' }));
    expect(await within(dialog).findByText('Must be networks.')).toBeVisible();
  });

  it('Spec: auth 21: a_key_is_revoked_after_a_question', async () => {
    const { api, user } = renderApp('/account/api-keys', {
      'GET /me': aMe(MINE),
      'GET /me/api-keys': { items: [aKey()] },
      'DELETE /me/api-keys/{id}': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Revoke Backup job' }));
    const ask = await screen.findByRole('dialog', { name: 'Revoke key?' });
    await user.click(within(ask).getByRole('button', { name: 'Revoke key' }));
    await waitFor(() => expect(api.to('DELETE /me/api-keys/{id}')).toHaveLength(1));
  });
});

describe('service keys', () => {
  it('Spec: auth 21: a_service_key_has_a_role_of_its_own', async () => {
    const { api, user } = renderApp('/settings/service-keys', {
      'GET /me': aMe(ADMIN),
      'GET /api-keys': { items: [aKey()] },
      'POST /api-keys': { key: aKey(), secret: 'ctops_svc_0123456789' },
    });
    expect((await tableRows('Service keys'))[0]).toContain('Engineer');
    await user.click(screen.getByRole('button', { name: 'Create key' }));
    const dialog = await screen.findByRole('dialog', { name: 'Create key' });
    await user.type(within(dialog).getByLabelText('Name'), 'Nightly export');
    await user.selectOptions(within(dialog).getByLabelText('Role'), 'engineer');
    await user.click(within(dialog).getByLabelText('hosts.read'));
    await user.click(within(dialog).getByRole('button', { name: 'Create key' }));
    await screen.findByRole('dialog', { name: 'Key created' });
    expect(api.to('POST /api-keys')[0]?.body).toMatchObject({ role: 'engineer' });
  });

  it('Spec: auth 21: people_without_the_permission_see_no_service_keys', async () => {
    const { api } = renderApp('/settings/service-keys', { 'GET /me': aMe(MINE) });
    expect(await screen.findByText(/Only administrators/)).toBeVisible();
    expect(api.to('GET /api-keys')).toHaveLength(0);
  });
});
