import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { SettingsKey, SettingsPage } from '@/api/settings';
import { ago, aMe, ORG_ADMIN, READ_ONLY } from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

function aKey(
  more: Partial<SettingsKey> & Pick<SettingsKey, 'name' | 'title' | 'type'>,
): SettingsKey {
  return {
    about: `About ${more.title}.`,
    optional: false,
    least: null,
    most: null,
    choices: null,
    most_items: null,
    default: null,
    scope: 'organisation',
    restart: false,
    env: null,
    env_only: false,
    ...more,
  };
}

const KEYS = [
  aKey({ name: 'sso_only', title: 'Identity providers only', type: 'flag', default: false }),
  aKey({
    name: 'session_max_days',
    title: 'Longest session',
    type: 'integer',
    least: 1,
    most: 30,
    default: 7,
  }),
  aKey({ name: 'allowed_domains', title: 'Allowed domains', type: 'list', default: [] }),
  aKey({
    name: 'require_email_verification',
    title: 'Verified addresses',
    type: 'flag',
    default: true,
    env: 'REQUIRE_EMAIL_VERIFICATION',
    env_only: true,
  }),
];

function aPage(more: Partial<SettingsPage> = {}): SettingsPage {
  return {
    name: 'authentication',
    title: 'Authentication',
    section: 'authentication',
    writable: true,
    version: 4,
    keys: KEYS,
    values: {
      sso_only: false,
      session_max_days: 7,
      allowed_domains: ['example.com'],
      require_email_verification: true,
    },
    sources: {
      sso_only: 'default',
      session_max_days: 'default',
      allowed_domains: 'stored',
      require_email_verification: 'environment',
    },
    secrets: {},
    faults: [],
    updated_at: ago(60),
    updated_by: { id: 'u2', name: 'Bo Lind' },
    ...more,
  };
}

function aRelay(): SettingsPage {
  return aPage({
    name: 'smtp-relay',
    title: 'Mail relay',
    keys: [
      aKey({ name: 'host', title: 'Host', type: 'text' }),
      aKey({ name: 'password', title: 'Password', type: 'secret' }),
    ],
    values: { host: 'mail.example.com' },
    sources: { host: 'stored' },
    secrets: { password: { set_at: ago(3_600), set_by: 'Bo Lind' } },
  });
}

it('saves only what was changed, with the version that was seen', async () => {
  const { api, user } = renderApp('/settings/authentication', {
    'GET /settings/authentication': aPage(),
    'PUT /settings/authentication': aPage({ version: 5 }),
  });
  await user.click(await screen.findByRole('switch', { name: 'Identity providers only' }));
  const days = screen.getByRole('textbox', { name: 'Longest session' });
  await user.clear(days);
  await user.type(days, '3');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved')).toBeVisible();
  const [call] = api.to('PUT /settings/authentication');
  expect(call?.body).toEqual({ sso_only: true, session_max_days: 3 });
  expect(call?.headers.get('If-Match')).toBe('"4"');
});

it('locks what the environment fixes and names the variable', async () => {
  renderApp('/settings/authentication', { 'GET /settings/authentication': aPage() });
  expect(await screen.findByRole('switch', { name: 'Verified addresses' })).toBeDisabled();
  expect(screen.getByText('REQUIRE_EMAIL_VERIFICATION')).toBeVisible();
});

it('shows the allowed range beside a refused key', async () => {
  const fields = [
    { path: 'session_max_days', code: 'out_of_range', message: 'must be from 1 to 30' },
  ];
  const { user } = renderApp('/settings/authentication', {
    'GET /settings/authentication': aPage(),
    'PUT /settings/authentication': new Refusal(422, 'validation_failed', { fields }),
  });
  await user.type(await screen.findByRole('textbox', { name: 'Longest session' }), '1');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Must be from 1 to 30.')).toBeVisible();
});

/** Spec: settings 2 */
it('shows both versions when somebody else saved first, and saves mine on demand', async () => {
  const { api, user } = renderApp('/settings/authentication', {
    'GET /settings/authentication': aPage(),
    'PUT /settings/authentication': new Refusal(412, 'version_conflict'),
  });
  await user.click(await screen.findByRole('switch', { name: 'Identity providers only' }));
  api.answer({ 'GET /settings/authentication': aPage({ version: 5 }) });
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await tableRows('Both versions')).toEqual([['Identity providers only', 'on', 'off']]);
  expect(await screen.findByText(/Bo Lind saved this page since you opened it/)).toBeVisible();
  api.answer({ 'PUT /settings/authentication': aPage({ version: 6 }) });
  await user.click(screen.getByRole('button', { name: 'Keep mine and go on' }));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved')).toBeVisible();
  expect(api.to('PUT /settings/authentication').at(-1)?.headers.get('If-Match')).toBe('"5"');
});

it('lists the history and restores a version', async () => {
  const save = { at: ago(60), by: { id: 'u2', name: 'Bo Lind' }, secrets: [] };
  const { api, user } = renderApp('/settings/authentication', {
    'GET /settings/authentication': aPage(),
    'GET /settings/authentication/history': {
      items: [
        { ...save, version: 4, changes: [{ key: 'sso_only', before: true, after: false }] },
        { ...save, version: 3, changes: [{ key: 'sso_only', before: false, after: true }] },
      ],
      next_cursor: null,
    },
    'POST /settings/authentication/restore': aPage({ version: 5 }),
  });
  await user.click(await screen.findByRole('button', { name: 'Show' }));
  expect(
    await screen.findByText(/Identity providers only: /, { selector: 'tr:first-child div' }),
  ).toHaveTextContent('on → off');
  await user.click(screen.getByRole('button', { name: 'Restore version 3' }));
  await user.click(
    within(await screen.findByRole('dialog')).getByRole('button', { name: 'Restore' }),
  );
  expect(await screen.findByText('Version 3 is back')).toBeVisible();
  expect(api.to('POST /settings/authentication/restore')[0]?.body).toEqual({ version: 3 });
});

it('never shows a secret and clears it explicitly', async () => {
  const { api, user } = renderApp('/settings/smtp-relay', {
    'GET /settings/smtp-relay': aRelay(),
    'PUT /settings/smtp-relay': aRelay(),
  });
  expect(await screen.findByText(/by Bo Lind/)).toBeVisible();
  expect(screen.getByLabelText('Password')).toHaveValue('');
  await user.click(screen.getByRole('button', { name: 'Clear' }));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved')).toBeVisible();
  expect(api.to('PUT /settings/smtp-relay')[0]?.body).toEqual({ password: null });
});

it('tests the relay as the form shows it and logs every step', async () => {
  const { api, user } = renderApp('/settings/smtp-relay', {
    'GET /settings/smtp-relay': aRelay(),
    'POST /settings/smtp-relay/test': {
      succeeded: false,
      steps: [{ step: 'resolve', ok: false, detail: '10.0.0.5 may not be reached' }],
      needs_target: '10.0.0.5',
    },
  });
  const host = await screen.findByRole('textbox', { name: 'Host' });
  await user.clear(host);
  await user.type(host, '10.0.0.5');
  await user.click(screen.getByRole('button', { name: 'Send a test mail' }));
  const steps = await screen.findByRole('list', { name: 'Steps of the test' });
  expect(steps).toHaveTextContent('10.0.0.5 may not be reached');
  expect(screen.getByText(/A super_admin has to add it/)).toBeVisible();
  expect(api.to('POST /settings/smtp-relay/test')[0]?.body).toEqual({
    recipient: 'ada@example.net',
    settings: { host: '10.0.0.5' },
  });
});

/** Spec: settings 10 */
it('adds a private relay to the internal targets in one step and tests again', async () => {
  const { api, user } = renderApp('/settings/smtp-relay', {
    'GET /me': aMe([...ORG_ADMIN, 'egress.manage']),
    'GET /settings/smtp-relay': aRelay(),
    'POST /settings/smtp-relay/test': { succeeded: false, steps: [], needs_target: '10.0.0.5' },
    'POST /settings/egress/targets': new Refusal(409, 'limit_reached', { detail: 'at most 200' }),
  });
  await user.click(await screen.findByRole('button', { name: 'Send a test mail' }));
  const add = await screen.findByRole('button', { name: 'Add it and try again' });
  await user.click(add);
  expect(await screen.findByText('At most 200.')).toBeVisible();
  expect(api.to('POST /settings/smtp-relay/test')).toHaveLength(1);
  const taken = { succeeded: true, steps: [], needs_target: null };
  api.answer({
    'POST /settings/egress/targets': { mode: 'internal', targets: [] },
    'POST /settings/smtp-relay/test': taken,
  });
  await user.click(add);
  await waitFor(() => expect(api.to('POST /settings/smtp-relay/test')).toHaveLength(2));
  await waitFor(() => expect(add).not.toBeInTheDocument());
});

/** Spec: settings 6 */
it('finds keys by what they do and marks the one that was chosen', async () => {
  const { user, address } = renderApp('/settings', {
    'GET /settings': { items: [aPage(), aRelay()] },
    'GET /settings/authentication': aPage(),
  });
  await user.type(await screen.findByRole('textbox', { name: 'Search settings' }), 'about longest');
  expect(screen.queryByRole('link', { name: 'Host' })).toBeNull();
  await user.click(screen.getByRole('link', { name: 'Longest session' }));
  expect(address()).toBe('/settings/authentication?key=session_max_days');
  const field = (await screen.findByRole('textbox', { name: 'Longest session' })).closest(
    '[data-marked]',
  );
  expect(field).not.toBeNull();
});

it('imports after showing what would change', async () => {
  const changes = [{ page: 'authentication', key: 'sso_only', before: false, after: true }];
  const { api, user } = renderApp('/settings', {
    'GET /settings': { items: [aPage()] },
    'POST /settings/import': (call) => {
      const dry = (call.body as { dry_run: boolean }).dry_run;
      return { applied: !dry, changes, faults: [] };
    },
  });
  await user.click(await screen.findByRole('button', { name: 'Import' }));
  const dialog = await screen.findByRole('dialog');
  const input = dialog.ownerDocument.querySelector<HTMLInputElement>('input[type="file"]');
  const file = new File([JSON.stringify({ format: 'ct-ops-settings' })], 'settings.json');
  await user.upload(input as HTMLInputElement, file);
  expect(await tableRows('Changes')).toEqual([['authentication', 'sso_only', 'off', 'on']]);
  await user.click(screen.getByRole('button', { name: 'Take over' }));
  expect(await screen.findByText('Settings taken over')).toBeVisible();
  const wishes = api
    .to('POST /settings/import')
    .map((call) => (call.body as { dry_run: boolean }).dry_run);
  expect(wishes).toEqual([true, false]);
});

/** Spec: settings 1 */
it('keeps settings from those who may not see them', async () => {
  renderApp('/settings/authentication', { 'GET /me': aMe(READ_ONLY) });
  expect(await screen.findByText('You may not see settings.')).toBeVisible();
  expect(screen.queryByRole('link', { name: 'Settings' })).toBeNull();
  expect(
    within(screen.getByRole('navigation', { name: 'Settings' })).queryAllByRole('link'),
  ).toEqual([]);
});
