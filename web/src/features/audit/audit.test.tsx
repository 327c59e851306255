import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type {
  AuditEvent,
  AuditEventDetail,
  AuditForwarder,
  AuditSettings,
  Permission,
} from '@/api/schema';
import { ago, aHostDetail, aMe, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { differences } from './difference';
import { filterOf, parseAuditSearch } from './search';

const ADMIN: Permission[] = [...READ_ONLY, 'audit.read', 'audit.export', 'audit.manage'];

function anEvent(more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: 'e1',
    at: ago(120),
    actor: { kind: 'user', id: 'u1', name: 'Ada Moss' },
    action: 'host.updated',
    target_type: 'host',
    target_id: 'h1',
    target_label: 'web-01',
    outcome: 'success',
    reason_code: null,
    cause: null,
    summary: 'changed a host',
    repeats: 1,
    ip: '192.0.2.7',
    request_id: 'req-12345678',
    ...more,
  };
}

function aDetail(more: Partial<AuditEventDetail> = {}): AuditEventDetail {
  return {
    ...anEvent(),
    before: { name: 'old', tags: ['a'] },
    after: { name: 'new', tags: ['a'] },
    user_agent: 'Firefox',
    session_hash: '5e55',
    auth_method: 'passkey',
    second_factor: true,
    api_key_id: null,
    chain: { seq: 12, prev_hash: 'aa', hash: 'bb' },
    target_exists: true,
    same_request: [],
    same_session: [anEvent({ id: 'e0', summary: 'looked around' })],
    ...more,
  };
}

const SETTINGS: AuditSettings = {
  retention_days: 365,
  legal_hold: null,
  events_sealed: 1_234,
  public_key: 'c0ffee',
};

function aForwarder(more: Partial<AuditForwarder> = {}): AuditForwarder {
  return {
    id: 'f1',
    name: 'SIEM',
    kind: 'webhook',
    endpoint: 'https://siem.example.com/in',
    has_secret: true,
    enabled: true,
    lag: 3,
    failures: 1,
    last_error: 'the server answered 503',
    last_sent_at: ago(60),
    ...more,
  };
}

function open(path = '/settings/audit', answers: Answers = {}) {
  return renderApp(path, {
    'GET /me': aMe(ADMIN),
    'GET /audit/events': { items: [anEvent()], next_cursor: null },
    'GET /audit/events/{id}': aDetail(),
    'GET /audit/settings': SETTINGS,
    'GET /audit/forwarders': { items: [] },
    ...answers,
  });
}

describe('list', () => {
  it('Spec: audit-log 9: shows_who_did_what_to_what_with_which_result', async () => {
    open('/settings/audit', {
      'GET /audit/events': {
        items: [
          anEvent(),
          anEvent({
            id: 'e2',
            actor: { kind: 'anonymous', id: null, name: null },
            outcome: 'denied',
            summary: 'was refused',
            repeats: 4,
            target_label: null,
            target_id: null,
            target_type: 'operation',
            ip: null,
          }),
        ],
        next_cursor: null,
      },
    });
    expect(await tableRows('Audit events')).toEqual([
      ['changed a host', 'Success', 'Ada Moss', 'host.updated', 'web-01', '192.0.2.7', '2 min ago'],
      [
        'was refused (4 times)',
        'Denied',
        'Not signed in',
        'host.updated',
        'operation',
        '–',
        '2 min ago',
      ],
    ]);
  });

  it('Spec: audit-log 9: filters_are_combined_in_the_address_bar_and_asked_for', async () => {
    const { api, user, address } = open('/settings/audit?outcome=failed');
    await user.type(await screen.findByRole('textbox', { name: 'Action' }), 'auth.login{Enter}');
    await waitFor(() => expect(address()).toContain('action=auth.login'));
    expect(address()).toContain('outcome=failed');
    await waitFor(() => {
      const query = api.to('GET /audit/events').at(-1)?.query;
      expect([query?.get('action'), query?.get('outcome')]).toEqual(['auth.login', 'failed']);
    });
    await user.click(screen.getByRole('button', { name: 'Clear filters' }));
    await waitFor(() => expect(address()).toBe('/settings/audit'));
  });

  it('Spec: audit-log 9: older_events_are_asked_for_with_the_cursor', async () => {
    const { api, user } = open('/settings/audit', {
      'GET /audit/events': (call) =>
        call.query.get('cursor') === 'c2'
          ? { items: [anEvent({ id: 'e9', summary: 'older' })], next_cursor: null }
          : { items: [anEvent()], next_cursor: 'c2' },
    });
    await user.click(await screen.findByRole('button', { name: 'Show older' }));
    expect(await screen.findByText('older')).toBeVisible();
    expect(api.to('GET /audit/events')[0]?.query.get('limit')).toBe('50');
  });

  it('Spec: audit-log 12: without_a_licence_an_upgrade_is_named', async () => {
    open('/settings/audit', {
      'GET /audit/events': new Refusal(403, 'feature_not_licensed'),
    });
    expect(await screen.findByText('Upgrade required')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Export' })).toBeNull();
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open('/settings/audit', { 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see/)).toBeVisible();
    expect(api.to('GET /audit/events')).toHaveLength(0);
    expect(screen.queryByRole('link', { name: 'Audit log' })).toBeNull();
  });

  it('a_failure_is_shown_with_its_request_id', async () => {
    open('/settings/audit', { 'GET /audit/events': new Refusal(503, 'query_timeout') });
    expect(await screen.findByText('req-00000001')).toBeVisible();
  });
});

describe('event', () => {
  it('Spec: audit-log 10: opens_with_difference_target_chain_and_neighbours', async () => {
    const { user, address } = open();
    await user.click(await screen.findByRole('button', { name: 'changed a host' }));
    const drawer = within(await screen.findByRole('dialog'));
    expect(address()).toContain('event=e1');
    const table = await drawer.findByRole('table', { name: 'Difference' });
    const cells = within(table).getAllByRole('cell');
    expect(cells.map((cell) => cell.textContent)).toEqual(['name', 'old', 'new']);
    expect(drawer.getByRole('link', { name: 'web-01' })).toHaveAttribute('href', '/hosts/h1');
    expect(drawer.getByText('passkey')).toBeVisible();
    await user.click(drawer.getByRole('button', { name: 'looked around' }));
    await waitFor(() => expect(address()).toContain('event=e0'));
  });

  it('Spec: audit-log 10: a_target_that_is_gone_is_no_link', async () => {
    open('/settings/audit?event=e1', {
      'GET /audit/events/{id}': aDetail({ target_exists: false }),
    });
    const drawer = within(await screen.findByRole('dialog'));
    expect(await drawer.findByText(/gone/)).toBeVisible();
    expect(drawer.queryByRole('link')).toBeNull();
  });
});

describe('export and verification', () => {
  it('Spec: audit-log 14: the_present_filter_is_exported_with_its_signature', async () => {
    const { api, user } = open('/settings/audit?action=auth.', {
      'POST /audit/exports': {
        id: 'x1',
        status: 'ready',
        format: 'jsonl',
        filter: {},
        events: 2_000,
        first_hash: null,
        last_hash: null,
        created_at: ago(0),
      },
    });
    await user.click(await screen.findByRole('button', { name: 'Export' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.selectOptions(dialog.getByRole('combobox', { name: 'Format' }), 'jsonl');
    await user.click(dialog.getByRole('button', { name: 'Prepare export' }));
    expect(await dialog.findByText('2,000 events are ready.')).toBeVisible();
    const links = dialog.getAllByRole('link').map((link) => link.getAttribute('href'));
    expect(links).toEqual(['/api/v1/audit/exports/x1/file', '/api/v1/audit/exports/x1/signature']);
    expect(api.to('POST /audit/exports')[0]?.body).toEqual({
      format: 'jsonl',
      filter: { action: 'auth.' },
    });
  });

  it('Spec: audit-log 7: the_first_break_is_named', async () => {
    const { user } = open('/settings/audit', {
      'POST /audit/verify': {
        intact: false,
        checked: 40,
        first_seq: 1,
        last_seq: 90,
        last_hash: null,
        checkpoints: 1,
        unsealed: 0,
        first_break: { seq: 41, event_id: 'e1', at: ago(60), reason: 'event_changed' },
        public_key: 'c0ffee',
      },
    });
    await user.click(await screen.findByRole('button', { name: 'Verify' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Verify' }));
    expect(await dialog.findByText('Broken at place 41: the event was changed.')).toBeVisible();
  });
});

describe('retention and forwarding', () => {
  const PATH = '/settings/audit/configuration';

  it('Spec: audit-log 17, 18: retention_and_hold_are_saved_together', async () => {
    const { api, user } = open(PATH, { 'PUT /audit/settings': SETTINGS });
    const days = await screen.findByLabelText(/Keep events for/);
    await user.clear(days);
    await user.type(days, '30');
    await user.click(screen.getByRole('switch', { name: /Legal hold/ }));
    await user.type(screen.getByLabelText(/Reason of the hold/), 'case 17');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText('Saved')).toBeVisible();
    expect(api.to('PUT /audit/settings')[0]?.body).toEqual({
      retention_days: 30,
      legal_hold: { reason: 'case 17' },
    });
  });

  it('Spec: audit-log 15: forwarders_show_lag_and_last_error_and_are_tested', async () => {
    const { user } = open(PATH, {
      'GET /audit/forwarders': { items: [aForwarder(), aForwarder({ id: 'f2', enabled: false })] },
      'POST /audit/forwarders/{id}/test': {
        delivered: false,
        error: 'no answer',
        needs_target: null,
      },
    });
    const rows = await tableRows('Forwarders');
    expect(rows[0]?.slice(0, 5)).toEqual([
      'SIEM',
      'Webhook',
      'https://siem.example.com/in',
      'FailingThe server answered 503.',
      '3 events',
    ]);
    expect(rows[1]?.[3]).toBe('Off');
    await user.click(screen.getAllByRole('button', { name: 'Test SIEM' })[0] as HTMLElement);
    expect(await screen.findByText('Not delivered: no answer')).toBeVisible();
  });

  it('Spec: security 8: a_receiver_in_a_private_network_is_opened_and_tested_again', async () => {
    const { api, user } = open(PATH, {
      'GET /me': aMe([...ADMIN, 'egress.manage']),
      'GET /audit/forwarders': { items: [aForwarder()] },
      'POST /audit/forwarders/{id}/test': {
        delivered: false,
        error: 'its address is private',
        needs_target: 'siem.corp.example',
      },
      'POST /settings/egress/targets': { mode: 'internal', targets: [] },
    });
    await user.click(await screen.findByRole('button', { name: 'Test SIEM' }));
    await user.click(await screen.findByRole('button', { name: 'Add it and try again' }));
    await waitFor(() => expect(api.to('POST /audit/forwarders/{id}/test')).toHaveLength(2));
    expect(api.to('POST /settings/egress/targets')[0]?.body).toEqual({
      target: 'siem.corp.example',
      note: '',
    });
  });

  it('Spec: audit-log 15: a_forwarder_is_added_and_a_kept_secret_is_not_sent', async () => {
    const { api, user } = open(PATH, {
      'GET /audit/forwarders': { items: [aForwarder()] },
      'POST /audit/forwarders': aForwarder(),
      'PUT /audit/forwarders/{id}': aForwarder(),
    });
    await user.click(await screen.findByRole('button', { name: 'Add forwarder' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.type(dialog.getByLabelText(/Name/), 'Logs');
    await user.type(dialog.getByLabelText(/Host and port/), 'logs.example.com:6514');
    await user.click(dialog.getByRole('button', { name: 'Save forwarder' }));
    await waitFor(() => expect(api.to('POST /audit/forwarders')).toHaveLength(1));
    expect(api.to('POST /audit/forwarders')[0]?.body).toEqual({
      name: 'Logs',
      kind: 'syslog_tls',
      endpoint: 'logs.example.com:6514',
      enabled: true,
      secret: null,
    });
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    await user.click(await screen.findByRole('button', { name: 'Edit SIEM' }));
    await user.click(await screen.findByRole('button', { name: 'Save forwarder' }));
    await waitFor(() => expect(api.to('PUT /audit/forwarders/{id}')).toHaveLength(1));
    expect(api.to('PUT /audit/forwarders/{id}')[0]?.body).toMatchObject({ secret: null });
  });

  it('Spec: audit-log 16: a_forwarder_is_deleted_after_a_question', async () => {
    const { api, user } = open(PATH, {
      'GET /audit/forwarders': { items: [aForwarder()] },
      'DELETE /audit/forwarders/{id}': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Delete SIEM' }));
    expect(api.to('DELETE /audit/forwarders/{id}')).toHaveLength(0);
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Delete forwarder' }));
    await waitFor(() => expect(api.to('DELETE /audit/forwarders/{id}')).toHaveLength(1));
  });
});

describe('activity of a host', () => {
  it('Spec: audit-log 11: its_page_shows_what_happened_to_it', async () => {
    const { api, user, address } = open('/hosts/h1?tab=activity', {
      'GET /hosts/{id}': aHostDetail(),
      'GET /hosts/{id}/samples': { items: [] },
    });
    const rows = await tableRows('Activity');
    expect(rows[0]?.[0]).toBe('changed a host');
    const query = api.to('GET /audit/events')[0]?.query;
    expect([query?.get('target_type'), query?.get('target_id')]).toEqual(['host', 'h1']);
    await user.click(screen.getByRole('button', { name: 'changed a host' }));
    await waitFor(() => expect(address()).toContain('/settings/audit?target_type=host'));
  });

  it('Spec: audit-log 11: who_may_not_see_the_log_sees_no_activity', async () => {
    const { api } = open('/hosts/h1?tab=activity', {
      'GET /me': aMe(READ_ONLY),
      'GET /hosts/{id}': aHostDetail(),
      'GET /hosts/{id}/samples': { items: [] },
    });
    expect(await screen.findByText(/Only administrators may see what/)).toBeVisible();
    expect(api.to('GET /audit/events')).toHaveLength(0);
  });
});

describe('own sign-ins', () => {
  it('Spec: audit-log 12: everybody_sees_their_own', async () => {
    open('/account/sign-ins', {
      'GET /me': aMe(READ_ONLY),
      'GET /me/sign-ins': {
        items: [
          {
            at: ago(60),
            action: 'auth.login.failed',
            outcome: 'failed',
            summary: 'wrong password',
            ip: '192.0.2.9',
            user_agent: null,
            auth_method: null,
            second_factor: null,
          },
        ],
      },
    });
    const rows = await tableRows('Sign-ins');
    expect(rows[0]?.slice(0, 4)).toEqual([
      'Sign-in refused',
      'Failed',
      'wrong password',
      '192.0.2.9',
    ]);
  });
});

describe('helpers of the page', () => {
  it('days_become_moments_and_the_last_day_is_included', () => {
    const filter = filterOf(parseAuditSearch({ from: '2026-06-03', to: '2026-06-03', q: 7 }));
    expect(Date.parse(filter.to ?? '') - Date.parse(filter.from ?? '')).toBe(86_400_000);
    expect(filter.q).toBe('7');
  });

  it('only_what_differs_is_listed_with_its_path', () => {
    const before = { a: 1, b: { c: 'x', d: null }, same: [1] };
    const after = { a: 2, b: { c: 'x', d: true }, same: [1], e: 'new' };
    expect(differences(before, after)).toEqual([
      { path: 'a', before: '1', after: '2' },
      { path: 'b.d', before: '–', after: 'true' },
      { path: 'e', before: undefined, after: 'new' },
    ]);
    expect(differences(null, undefined)).toEqual([]);
  });
});
