import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { EgressPolicy } from '@/api/egress';
import { aMe, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const HOOKS = { target: '10.1.0.0/16', note: 'chat' };
const POLICY: EgressPolicy = { mode: 'internal', targets: [HOOKS] };
const ROOT = aMe(['hosts.read', 'egress.read', 'egress.manage']);

function open(answers: Answers = {}) {
  return renderApp('/settings/internal-targets', {
    'GET /me': ROOT,
    'GET /settings/egress': POLICY,
    ...answers,
  });
}

describe('internal targets', () => {
  it('Spec: security 8: lists_adds_and_empties_the_form', async () => {
    const relay = { target: '.corp.example', note: 'relay' };
    const { api, user } = open({
      'POST /settings/egress/targets': { mode: 'internal', targets: [relay, HOOKS] },
    });
    expect((await tableRows('Internal targets'))[0]?.slice(0, 2)).toEqual(['10.1.0.0/16', 'chat']);
    await user.click(screen.getByRole('button', { name: 'Add target' }));
    expect(screen.getByText('Enter what may be reached.')).toBeVisible();
    expect(api.to('POST /settings/egress/targets')).toHaveLength(0);
    await user.type(screen.getByLabelText('Target'), ' .corp.example ');
    await user.type(screen.getByLabelText('What for'), 'relay');
    await user.click(screen.getByRole('button', { name: 'Add target' }));
    await waitFor(async () => expect(await tableRows('Internal targets')).toHaveLength(2));
    expect(api.to('POST /settings/egress/targets')[0]?.body).toEqual(relay);
    expect(screen.getByLabelText('Target')).toHaveValue('');
  });

  it('Spec: security 8: says_why_an_entry_is_refused', async () => {
    const fields = [{ path: 'target', code: 'too_wide', message: 'covers too much' }];
    const { user } = open({
      'POST /settings/egress/targets': new Refusal(422, 'validation_failed', { fields }),
    });
    await user.type(await screen.findByLabelText('Target'), '0.0.0.0/0');
    await user.click(screen.getByRole('button', { name: 'Add target' }));
    expect(await screen.findByText('Covers too much.')).toBeVisible();
    expect(screen.getByLabelText('Target')).toHaveValue('0.0.0.0/0');
  });

  it('Spec: security 8: removes_the_entry_that_was_named', async () => {
    const { api, user } = open({ 'DELETE /settings/egress/targets/{id}': undefined });
    const remove = await screen.findByRole('button', { name: 'Remove 10.1.0.0/16' });
    api.answer({ 'GET /settings/egress': { ...POLICY, targets: [] } });
    await user.click(remove);
    expect(await screen.findByText('No internal target yet')).toBeVisible();
    expect(api.to('DELETE /settings/egress/targets/{id}')[0]?.path).toBe(
      '/settings/egress/targets/10.1.0.0%2F16',
    );
  });

  it('Spec: security 8: the_mode_is_changed_after_a_question_and_keeps_the_newest_entries', async () => {
    const { api, user } = open({ 'PUT /settings/egress': { mode: 'closed', targets: [] } });
    await user.click(await screen.findByRole('radio', { name: /Internal targets only/ }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(api.to('PUT /settings/egress')).toHaveLength(0);
    const newest = { mode: 'internal' as const, targets: [{ target: 'added.example', note: '' }] };
    api.answer({ 'GET /settings/egress': newest });
    await user.click(dialog.getByRole('button', { name: 'Change' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('PUT /settings/egress')[0]?.body).toEqual({
      mode: 'closed',
      targets: newest.targets,
    });
    expect(screen.getByRole('radio', { name: /Internal targets only/ })).toBeChecked();
  });

  it('an_administrator_without_the_right_reads_only', async () => {
    open({ 'GET /me': aMe(['hosts.read', 'egress.read']) });
    expect(await screen.findByText('Only a super_admin may change this.')).toBeVisible();
    expect(screen.queryByRole('button', { name: /Remove/ })).toBeNull();
    expect(screen.queryByLabelText('Target')).toBeNull();
    for (const radio of screen.getAllByRole('radio')) {
      expect(radio).toBeDisabled();
    }
  });

  it('without_the_right_nothing_is_asked_for', async () => {
    const { api } = open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see where/)).toBeVisible();
    expect(api.to('GET /settings/egress')).toHaveLength(0);
  });
});
