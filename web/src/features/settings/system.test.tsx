import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { FeatureFlag, PendingMail, SystemHealth } from '@/api/settings';
import { ago } from '@/testing/fixtures';
import { renderApp, tableRows } from '@/testing/renderApp';

function aFlag(more: Partial<FeatureFlag> = {}): FeatureFlag {
  return {
    key: 'calendar',
    value: true,
    default: true,
    configurable: true,
    about: 'The calendar.',
    owner: 'calendar',
    removal: null,
    turned_at: null,
    turned_by: null,
    ...more,
  };
}

function aMail(more: Partial<PendingMail> = {}): PendingMail {
  return {
    id: 'm1',
    kind: 'password_reset',
    to: 'bo@example.net',
    subject: 'Choose a new password',
    state: 'queued',
    attempts: 1,
    last_error: 'there is no mail relay',
    has_link: true,
    created_at: ago(60),
    expires_at: ago(-86_400),
    ...more,
  };
}

function aHealth(more: Partial<SystemHealth> = {}): SystemHealth {
  return {
    checked_at: ago(1),
    version: '1.2.3',
    node: 'ops-1',
    tier: 'community',
    warnings: [],
    database: { version: '15.4', size_bytes: 10 * 1024 * 1024, replica_lag_seconds: null },
    queue: {
      kind: 'embedded',
      consumers: [{ group: 'metrics', topic: 'metrics.raw', waiting: 12, applied_at: ago(2) }],
      dead_letters: 0,
    },
    ingest_nodes: [
      { id: 'n1', name: 'ops-1', alive: true, started_at: ago(60), lease_until: ago(-9) },
    ],
    agents_by_version: [{ version: '1.2.3', count: 3 }],
    jobs: [
      {
        name: 'deliver_mail',
        node: 'ops-1',
        every_seconds: 5,
        last_run_at: ago(4),
        duration_ms: 7,
        succeeded: false,
        error: 'unavailable',
        failures: 3,
        last_success_at: null,
      },
    ],
    certificates: [{ name: 'web', not_after: ago(-86_400 * 9) }],
    volumes: [{ name: 'state', total_bytes: 1024, free_bytes: 512 }],
    pending_mail: 2,
    ...more,
  };
}

it('turns a flag', async () => {
  const { api, user } = renderApp('/settings/feature-flags', {
    'GET /feature-flags': { items: [aFlag()], unknown: ['old.thing'] },
    'PATCH /feature-flags': { items: [aFlag({ value: false })], unknown: [] },
  });
  expect(await screen.findByText(/old\.thing/)).toBeVisible();
  await user.click(screen.getByRole('switch', { name: 'calendar' }));
  expect(api.to('PATCH /feature-flags')[0]?.body).toEqual({ calendar: false });
  expect(await screen.findByRole('switch', { name: 'calendar' })).not.toBeChecked();
});

it('shows the link of a mail that waits only on demand', async () => {
  const { api, user } = renderApp('/settings/pending-mail', {
    'GET /mail/pending': {
      items: [aMail(), aMail({ id: 'm2', to: 'cy@example.net', has_link: false })],
    },
    'POST /mail/pending/{id}/reveal': { link: 'https://ops.example.net/reset?token=abc' },
  });
  await user.click(await screen.findByRole('button', { name: 'Show the link for bo@example.net' }));
  expect(screen.queryByRole('button', { name: 'Show the link for cy@example.net' })).toBeNull();
  expect(api.to('POST /mail/pending/{id}/reveal')).toEqual([]);
  await user.click(
    within(await screen.findByRole('dialog')).getByRole('button', { name: 'Show the link' }),
  );
  expect(await screen.findByText('https://ops.example.net/reset?token=abc')).toBeVisible();
});

it('discards a mail after asking', async () => {
  const { api, user } = renderApp('/settings/pending-mail', {
    'GET /mail/pending': { items: [aMail()] },
    'DELETE /mail/pending/{id}': undefined,
  });
  await user.click(
    await screen.findByRole('button', { name: 'Discard the mail to bo@example.net' }),
  );
  api.answer({ 'GET /mail/pending': { items: [] }, 'DELETE /mail/pending/{id}': undefined });
  await user.click(
    within(await screen.findByRole('dialog')).getByRole('button', { name: 'Discard' }),
  );
  expect(await screen.findByText('No mail waits')).toBeVisible();
});

it('shows the health of the system with what to look at first', async () => {
  const warnings = [{ code: 'job_fails', message: 'the job deliver_mail failed 3 times in a row' }];
  renderApp('/settings/system', { 'GET /system/health': aHealth({ warnings }) });
  const attention = await screen.findByRole('list', { name: 'Needs attention' });
  expect(attention).toHaveTextContent('The job deliver_mail failed 3 times in a row.');
  expect(screen.getByText('PostgreSQL 15.4, 10.0 MiB')).toBeVisible();
  expect((await tableRows('Consumers'))[0]?.slice(0, 3)).toEqual(['metrics', 'metrics.raw', '12']);
  expect((await tableRows('Jobs'))[0]?.at(-1)).toBe('Failed 3 times');
});

it('lists jobs that fail before those that work, with spans people can read', async () => {
  const [failing] = aHealth().jobs;
  const jobs = [
    { ...failing, name: 'audit_prune', every_seconds: 86_400, succeeded: true, failures: 0 },
    { ...failing, name: 'zeal', every_seconds: 90, succeeded: false, failures: 2 },
  ] as SystemHealth['jobs'];
  renderApp('/settings/system', { 'GET /system/health': aHealth({ jobs, tier: 'pro' }) });
  const rows = await tableRows('Jobs');
  expect(rows.map((row) => [row[0], row[3]])).toEqual([
    ['zeal', '1 min'],
    ['audit_prune', '1 d'],
  ]);
  expect(screen.getByText('Pro')).toBeVisible();
});

it('says so when everything is in order', async () => {
  renderApp('/settings/system', { 'GET /system/health': aHealth() });
  expect(await screen.findByText('Everything is in order.')).toBeVisible();
});
