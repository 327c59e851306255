import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { FakeEventSource } from '@/testing/eventSource';
import { ago, aMe, anAgent, aPendingAgent, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const FOUR = pageOf([
  aPendingAgent({ id: 'a1', hostname: 'web-01' }),
  anAgent({ id: 'a2', hostname: 'web-02' }),
  anAgent({ id: 'a3', hostname: 'web-03', status: 'offline' }),
  anAgent({ id: 'a4', hostname: 'web-04', status: 'revoked' }),
]);

function open(answers: Answers = {}, path = '/agents') {
  return renderApp(path, { 'GET /agents': FOUR, ...answers });
}

describe('list', () => {
  it('shows_identity_and_state_of_each_agent', async () => {
    open();
    const rows = await tableRows('Agents');
    expect(rows[1]?.slice(0, 7)).toEqual([
      'web-02linux · amd64',
      'Active',
      '0.1.0',
      'Rack 4',
      '3 min ago',
      'in 60 d',
      'SHA256:agent-key',
    ]);
    expect(rows[0]?.slice(4, 6)).toEqual(['never', '–']);
  });

  it('Spec: agents-enrolment 14, 16: each_status_offers_its_decisions', async () => {
    open();
    const rows = await tableRows('Agents');
    expect(rows.map((row) => row.at(-1))).toEqual([
      'ApproveRejectHistory',
      'RevokeHistory',
      'RevokeHistory',
      'History',
    ]);
  });

  it('readers_see_no_decisions', async () => {
    open({ 'GET /me': aMe(READ_ONLY) });
    const rows = await tableRows('Agents');
    expect(rows.map((row) => row.at(-1))).toEqual(Array(4).fill('History'));
  });

  it('the_status_filter_is_in_the_address_bar', async () => {
    const { api, user, address } = open();
    await user.selectOptions(await screen.findByRole('combobox', { name: 'Status' }), 'revoked');
    await waitFor(() => expect(address()).toBe('/agents?status=revoked'));
    await waitFor(() => expect(api.to('GET /agents').at(-1)?.query.get('status')).toBe('revoked'));
  });

  it('a_changed_agent_is_read_again', async () => {
    const { api } = open();
    await tableRows('Agents');
    const stream = FakeEventSource.latest('topics=fleet');
    stream.accept();
    stream.emit('fleet.changed', { kinds: ['vitals'] });
    stream.emit('fleet.changed', { kinds: ['agents'] });
    await waitFor(() => expect(api.to('GET /agents')).toHaveLength(2));
  });

  it('without_agents_the_way_on_is_shown', async () => {
    open({ 'GET /agents': pageOf([]) });
    expect(await screen.findByText('No agents yet')).toBeVisible();
  });
});

describe('decisions', () => {
  it('Spec: agents-enrolment 16: reject_asks_first_and_says_what_happens', async () => {
    const { api, user } = open({ 'POST /agents/{id}/reject': anAgent({ status: 'revoked' }) });
    await user.click(await screen.findByRole('button', { name: 'Reject web-01' }));
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('Its key is refused from now on');
    await user.click(within(dialog).getByRole('button', { name: 'Reject' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('POST /agents/{id}/reject')[0]?.path).toBe('/agents/a1/reject');
  });

  it('Spec: agents-enrolment 15: a_refused_approval_names_the_reason', async () => {
    const { user } = open({
      'POST /agents/{id}/approve': new Refusal(409, 'conflict', { detail: 'host db-1 is online' }),
    });
    await user.click(await screen.findByRole('button', { name: 'Approve web-01' }));
    const dialog = await screen.findByRole('dialog');
    await user.click(within(dialog).getByRole('button', { name: 'Approve' }));
    expect(await within(dialog).findByText('Host db-1 is online.')).toBeVisible();
  });

  it('cancel_sends_nothing', async () => {
    const { api, user } = open();
    await user.click(await screen.findByRole('button', { name: 'Revoke web-02' }));
    await user.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'Cancel' }),
    );
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('POST /agents/{id}/revoke')).toHaveLength(0);
  });
});

describe('history', () => {
  it('Spec: hosts 23: shows_who_changed_what_and_older_entries_on_demand', async () => {
    const { api, user } = open({
      'GET /agents/{id}/history': (call) =>
        call.query.get('cursor') === 'older'
          ? {
              items: [{ status: 'pending', reason: '', actor: null, at: ago(90_000) }],
              next_cursor: null,
            }
          : {
              items: [
                {
                  status: 'active',
                  reason: '',
                  actor: { id: 'u1', name: 'Ada Moss' },
                  at: ago(200),
                },
                {
                  status: 'adopted',
                  reason: 'key SHA256:aa replaced by SHA256:bb, matched by machine id',
                  actor: null,
                  at: ago(7_300),
                },
              ],
              next_cursor: 'older',
            },
    });
    await user.click(await screen.findByRole('button', { name: 'History of web-02' }));
    const history = await screen.findByRole('region', { name: 'History' });
    expect(await within(history).findByText(/by SHA256:bb, matched by machine id/)).toBeVisible();
    expect(history).toHaveTextContent('Active3 min ago by Ada Moss');
    await user.click(within(history).getByRole('button', { name: 'Show older' }));
    expect(await within(history).findByText('Pending')).toBeVisible();
    expect(within(history).queryByRole('button', { name: 'Show older' })).toBeNull();
    expect(api.to('GET /agents/{id}/history')).toHaveLength(2);
  });
});
