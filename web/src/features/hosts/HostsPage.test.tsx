import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { FakeEventSource } from '@/testing/eventSource';
import {
  aHost,
  aMe,
  aPendingAgent,
  aSummary,
  facets,
  NO_HOSTS,
  ORG_ADMIN,
  pageOf,
  READ_ONLY,
} from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

describe('fleet overview', () => {
  it('Spec: hosts 7: cards_with_hosts_show_counts_and_the_whole_share_of_online', async () => {
    renderApp('/hosts', {
      'GET /hosts/summary': aSummary({ total: 1_337, online: 1_207, online_percent: 90.3 }),
    });
    const cards = await screen.findByRole('list', { name: 'Fleet summary' });
    const texts = within(cards)
      .getAllByRole('listitem')
      .map((card) => card.textContent);
    expect(texts).toEqual([
      'Total 1,337 ',
      'Online 1,207 90%',
      'Offline 2 ',
      'Stale 3 not seen for 15 min',
      'Pending approval 0 ',
    ]);
  });

  it('Spec: hosts 7: cards_without_a_share_leave_it_out', async () => {
    renderApp('/hosts', {
      'GET /hosts/summary': { ...NO_HOSTS, pending_approval: 1 },
      'GET /agents': pageOf([aPendingAgent()]),
    });
    expect(await screen.findByRole('link', { name: 'Online 0' })).toBeVisible();
  });

  it('Spec: hosts 8: hotspots_show_three_counts_and_lead_to_the_hosts', async () => {
    const { user, address } = renderApp('/hosts');
    const panel = await screen.findByRole('region', { name: 'Resource hotspots' });
    const texts = within(panel)
      .getAllByRole('link')
      .map((link) => link.textContent);
    expect(texts).toEqual(['1 CPU', '2 Memory', '0 Disk']);
    await user.click(within(panel).getByRole('link', { name: /Memory/ }));
    await waitFor(() => expect(address()).toBe('/hosts?hot=memory'));
  });

  it('Spec: hosts 9: choosing_an_os_filters_the_list_and_returns_to_page_1', async () => {
    const { user, address, api } = renderApp('/hosts?page=3', {
      'GET /hosts/facets': facets([
        { value: 'linux', count: 8, percent: 80 },
        { value: null, count: 2, percent: 20 },
      ]),
    });
    await user.click(await screen.findByRole('button', { name: /^Linux/ }));
    await waitFor(() => expect(address()).toBe('/hosts?os=linux'));
    await waitFor(() => expect(api.to('GET /hosts').at(-1)?.query.get('os')).toBe('linux'));
    expect(api.to('GET /hosts').at(-1)?.query.get('page')).toBe('1');
    await user.click(screen.getByRole('button', { name: /^Unknown/ }));
    await waitFor(() => expect(address()).toBe('/hosts?os=unknown'));
  });
});

describe('live updates', () => {
  it('Spec: hosts 10: a_change_of_vitals_reads_rows_and_counts_again', async () => {
    const { api } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    expect(screen.getByText('Polling')).toBeVisible();
    const stream = FakeEventSource.latest('topics=fleet');
    stream.accept();
    expect(screen.getByText('Live')).toBeVisible();
    api.answer({
      'GET /hosts': pageOf([aHost({ cpu_percent: 99.9 })]),
      'GET /hosts/summary': aSummary({ total: 11 }),
    });
    stream.emit('fleet.changed', { kinds: ['vitals'] });
    expect(await screen.findByText('99.9%')).toBeVisible();
    expect(await screen.findByRole('link', { name: 'Total 11' })).toBeVisible();
    expect(api.to('GET /hosts/facets')).toHaveLength(1);
  });

  it('Spec: hosts 10: a_burst_of_changes_is_answered_by_few_questions', async () => {
    const { api } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    const stream = FakeEventSource.latest('topics=fleet');
    stream.accept();
    for (let burst = 0; burst < 20; burst += 1) {
      stream.emit('fleet.changed', { kinds: ['status'] });
    }
    await waitFor(() => expect(api.to('GET /hosts').length).toBeGreaterThan(1));
    expect(api.to('GET /hosts').length).toBeLessThanOrEqual(3);
  });

  it('Spec: hosts 10: a_reset_reads_everything_again', async () => {
    const { api } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    const stream = FakeEventSource.latest('topics=fleet');
    stream.accept();
    stream.emit('reset', {});
    await waitFor(() => expect(api.to('GET /hosts/facets')).toHaveLength(2));
    expect(api.to('GET /hosts/summary')).toHaveLength(2);
    expect(api.to('GET /agents')).toHaveLength(2);
  });
});

describe('empty, refused and failed', () => {
  it('Spec: hosts 18: an_empty_fleet_leads_administrators_to_enrolment', async () => {
    renderApp('/hosts', { 'GET /hosts/summary': NO_HOSTS, 'GET /hosts': pageOf([]) });
    expect(await screen.findByText('No hosts yet')).toBeVisible();
    expect(screen.getByRole('link', { name: 'Go to enrolment' })).toHaveAttribute(
      'href',
      '/enrolment',
    );
  });

  it('Spec: hosts 18: an_empty_fleet_shows_readers_no_link', async () => {
    renderApp('/hosts', {
      'GET /me': aMe(READ_ONLY),
      'GET /hosts/summary': NO_HOSTS,
      'GET /hosts': pageOf([]),
    });
    expect(await screen.findByText(/administrator has to enrol/)).toBeVisible();
    expect(screen.queryByRole('link', { name: 'Go to enrolment' })).toBeNull();
  });

  it('Spec: hosts 18: an_empty_result_reads_differently_from_an_empty_fleet', async () => {
    renderApp('/hosts?search=nothing', { 'GET /hosts': pageOf([]) });
    expect(await screen.findByText('No host matches')).toBeVisible();
    expect(screen.queryByText('No hosts yet')).toBeNull();
  });

  it('a_failure_shows_the_request_id_and_can_be_tried_again', async () => {
    const { user, api } = renderApp('/hosts', {
      'GET /hosts/summary': new Refusal(403, 'forbidden', {
        detail: 'your roles do not allow this',
      }),
    });
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'Your roles do not allow this.Request id req-00000001',
    );
    api.answer({ 'GET /hosts/summary': aSummary() });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: 'web-01' })).toBeVisible();
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = renderApp('/hosts', { 'GET /me': aMe(['sessions.own']) });
    expect(await screen.findByText('You may not see hosts.')).toBeVisible();
    expect(api.to('GET /hosts')).toHaveLength(0);
  });
});

describe('pending panel', () => {
  const waiting = aPendingAgent({
    id: 'a9',
    hostname: 'db-09',
    ip_addresses: ['192.0.2.9', '192.0.2.19', '2001:db8::9'],
    key_fingerprint: 'SHA256:db-key',
  });

  it('Spec: hosts 19: shows_administrators_what_they_need_to_decide', async () => {
    renderApp('/hosts', {
      'GET /me': aMe(ORG_ADMIN),
      'GET /agents': pageOf([waiting]),
    });
    const panel = await screen.findByRole('region', { name: 'Waiting for approval (1)' });
    for (const text of ['db-09', 'linux · amd64', '192.0.2.9', 'Rack 4', 'SHA256:db-key']) {
      expect(within(panel).getByText(text)).toBeVisible();
    }
    expect(within(panel).getByText('10 min ago')).toBeVisible();
  });

  it('Spec: hosts 19: is_not_shown_to_those_who_may_not_approve', async () => {
    const { api } = renderApp('/hosts', {
      'GET /me': aMe(READ_ONLY),
      'GET /agents': pageOf([waiting]),
    });
    await screen.findByRole('link', { name: 'web-01' });
    expect(screen.queryByText(/Waiting for approval/)).toBeNull();
    expect(api.to('GET /agents')).toHaveLength(0);
  });

  it('Spec: hosts 19: approve_after_confirmation_reads_agents_and_hosts_again', async () => {
    const { api, user } = renderApp('/hosts', {
      'GET /agents': pageOf([waiting]),
      'POST /agents/{id}/approve': waiting,
    });
    await user.click(await screen.findByRole('button', { name: 'Approve db-09' }));
    expect(api.to('POST /agents/{id}/approve')).toHaveLength(0);
    api.answer({ 'GET /agents': pageOf([]) });
    await user.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'Approve' }),
    );
    await waitFor(() => expect(screen.queryByText(/Waiting for approval/)).toBeNull());
    expect(api.to('POST /agents/{id}/approve')[0]?.path).toBe('/agents/a9/approve');
    expect(api.to('POST /agents/{id}/approve')[0]?.headers.get('X-CTOps-Request')).toBe('1');
    expect(api.to('GET /hosts/summary').length).toBeGreaterThan(1);
  });

  it('Spec: hosts 24: a_claim_names_the_host_it_would_take_over', async () => {
    renderApp('/hosts', {
      'GET /agents': pageOf([
        {
          ...waiting,
          host_id: null,
          collision: {
            host_id: 'h7',
            hostname: 'db-old',
            status: 'offline',
            matched_on: 'machine_id',
          },
        },
      ]),
    });
    const panel = await screen.findByRole('region', { name: /Waiting for approval/ });
    expect(panel).toHaveTextContent(/Same machine id as the host db-old, which is offline/);
  });

  it('Spec: hosts 25: a_refused_approval_says_why_and_stays_open', async () => {
    const { user } = renderApp('/hosts', {
      'GET /agents': pageOf([waiting]),
      'POST /agents/{id}/approve': new Refusal(409, 'conflict', {
        detail: 'host mail-41 is online with the same address',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Approve db-09' }));
    const dialog = await screen.findByRole('dialog');
    await user.click(within(dialog).getByRole('button', { name: 'Approve' }));
    expect(await within(dialog).findByRole('alert')).toHaveTextContent(
      'Host mail-41 is online with the same address.',
    );
  });
});

describe('hostile text', () => {
  it('a_hostname_with_markup_is_shown_as_text_and_isolated', async () => {
    const hostname = '\u202e<img src=x onerror=alert(1)>';
    renderApp('/hosts', { 'GET /hosts': pageOf([aHost({ hostname })]) });
    await tableRows('Hosts');
    const name = screen.getByText(hostname);
    expect(name.tagName).toBe('BDI');
    expect(document.querySelector('td img')).toBeNull();
  });
});
