import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import type { Features } from '@/api/features';
import type { Licence } from '@/api/licence';
import type { Permission } from '@/api/schema';
import { ago, aMe, ORG_ADMIN } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';
import { adviceFor, featureText, noticeText } from './words';

const ADMIN: Permission[] = [...ORG_ADMIN, 'licence.read', 'licence.manage'];

function aLicence(more: Partial<Licence> = {}): Licence {
  return {
    status: 'active',
    tier: 'pro',
    features: ['auditLog', 'scheduledTasks'],
    unrecognised_features: [],
    max_hosts: 25,
    used_seats: 7,
    key: {
      jti: 'lic-1',
      tier: 'pro',
      customer_name: 'Northwind',
      customer_email: 'it@northwind.example',
      max_hosts: 25,
      issued_at: ago(86_400),
      expires_at: ago(-86_400 * 100),
      verifier_fingerprint: 'ab12',
    },
    banner: null,
    revocations: { enabled: false, fetched_at: null, expires_at: null, last_error: null },
    can_activate: true,
    ...more,
  };
}

const NONE = aLicence({
  status: 'none',
  tier: 'community',
  features: [],
  max_hosts: null,
  key: null,
});

const COMMUNITY: Features = {
  tier: 'community',
  features: { auditLog: false, ssoSaml: false },
  required_tiers: { auditLog: 'pro', ssoSaml: 'enterprise' },
};

function open(answers: Answers = {}) {
  return renderApp('/settings/licence', {
    'GET /me': aMe(ADMIN),
    'GET /features': COMMUNITY,
    'GET /licence': aLicence(),
    'GET /licence/history': { items: [] },
    ...answers,
  });
}

beforeEach(() => localStorage.clear());

test('the page shows tier, seats, end, features and history', async () => {
  open({
    'GET /licence': aLicence({ unrecognised_features: ['teleport'] }),
    'GET /licence/history': {
      items: [
        {
          id: 'l1',
          jti: 'lic-1',
          tier: 'pro',
          features: [],
          max_hosts: 25,
          customer_name: 'Northwind',
          issued_at: ago(86_400),
          expires_at: ago(-86_400 * 100),
          activated_by: { id: 'u1', name: 'Ada Moss' },
          activated_at: ago(60),
          replaced_at: null,
        },
      ],
    },
  });
  const state = await screen.findByRole('region', { name: 'State' });
  expect(within(state).getByText('7 of 25')).toBeVisible();
  expect(within(state).getByText('In force')).toBeVisible();
  expect(screen.getByText('Scheduled tasks')).toBeVisible();
  expect(screen.getByText('teleport')).toBeVisible();
  const [row] = await tableRows('History of licences');
  expect(row).toEqual(expect.arrayContaining(['lic-1', 'Pro', 'Ada Moss', 'in use']));
});

test('Spec: licensing 5: a token is generated, shown and offered for download', async () => {
  const { user } = open({
    'GET /licence': NONE,
    'POST /licence/activation-tokens': { token: 'infw-act_abc', expires_at: ago(-86_400 * 30) },
  });
  await user.click(await screen.findByRole('button', { name: 'Generate activation token' }));
  expect(await screen.findByText('infw-act_abc')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Copy activation token' })).toBeVisible();
  const download = screen.getByRole('link', { name: 'Download' });
  expect(download).toHaveAttribute('download', 'ct-ops-activation-token.txt');
});

test('Spec: licensing 7: a refused key is explained and stays in the field', async () => {
  const { user, api } = open({
    'GET /licence': NONE,
    'PUT /licence': new Refusal(422, 'wrong_organisation', { detail: 'other' }),
  });
  const field = await screen.findByLabelText('2. Paste the licence key');
  expect(screen.getByRole('button', { name: 'Activate' })).toBeDisabled();
  await user.click(field);
  await user.paste('eyJ.a.b');
  await user.click(screen.getByRole('button', { name: 'Activate' }));
  expect(await screen.findByText(/made for another organisation/)).toBeVisible();
  expect(field).toHaveValue('eyJ.a.b');
  expect(api.to('PUT /licence')[0]?.body).toEqual({ key: 'eyJ.a.b' });

  api.answer({ 'PUT /licence': aLicence(), 'GET /licence': aLicence() });
  await user.click(screen.getByRole('button', { name: 'Activate' }));
  expect(await screen.findByText('7 of 25')).toBeVisible();
  expect(field).toHaveValue('');
});

test('a server without a verifier key says what to set', async () => {
  open({ 'GET /licence': aLicence({ ...NONE, can_activate: false }) });
  expect(await screen.findByText(/LICENCE_PUBLIC_KEY_PATH/)).toBeVisible();
  expect(screen.queryByLabelText('2. Paste the licence key')).toBeNull();
});

test('removal is asked for and done', async () => {
  const { user, api } = open({ 'DELETE /licence': undefined });
  await user.click(await screen.findByRole('button', { name: 'Remove licence' }));
  const dialog = await screen.findByRole('dialog');
  api.answer({ 'GET /licence': NONE });
  await user.click(within(dialog).getByRole('button', { name: 'Remove' }));
  expect(await screen.findByText('No licence')).toBeVisible();
  expect(api.to('DELETE /licence')).toHaveLength(1);
});

test('the list of revoked keys can be fetched at once', async () => {
  const revocations = {
    enabled: true,
    fetched_at: null,
    expires_at: null,
    last_error: 'no answer',
  };
  const { user, api } = open({
    'GET /licence': aLicence({ revocations }),
    'POST /licence/revocations/refresh': aLicence({ revocations }),
  });
  expect(await screen.findByText(/The last attempt failed: no answer/)).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Fetch now' }));
  await waitFor(() => expect(api.to('POST /licence/revocations/refresh')).toHaveLength(1));
});

test('Spec: licensing 20: every page carries the notice until its stage is dismissed', async () => {
  const ending = aLicence({ banner: { status: 'active', stage: '14', days_left: 12 } });
  const { user } = renderApp('/hosts', { 'GET /me': aMe(ADMIN), 'GET /licence': ending });
  expect(await screen.findByText(/ends in 12 days/)).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Dismiss' }));
  expect(screen.queryByText(/ends in 12 days/)).toBeNull();
  expect(localStorage.getItem('ctops-licence-notice')).toBe('lic-1 14');
});

test('Spec: licensing 20: a later stage is shown although an earlier one was dismissed', async () => {
  localStorage.setItem('ctops-licence-notice', 'lic-1 14');
  const ended = aLicence({ banner: { status: 'expired', stage: 'expired', days_left: null } });
  renderApp('/hosts', { 'GET /me': aMe(ADMIN), 'GET /licence': ended });
  expect(await screen.findByText(/nothing is deleted/)).toBeVisible();
});

test('members without the permission see neither page nor notice', async () => {
  const { api } = open({ 'GET /me': aMe(ORG_ADMIN) });
  expect(await screen.findByText(/Administrators of your organisation/)).toBeVisible();
  expect(screen.queryByRole('link', { name: 'Licence' })).toBeNull();
  expect(api.to('GET /licence')).toHaveLength(0);
});

test('words are there for every state and code', () => {
  expect(noticeText({ status: 'active', stage: '1', days_left: 1 })).toContain('within a day');
  for (const status of ['revoked', 'clock_rollback', 'not_yet_valid', 'invalid'] as const) {
    expect(noticeText({ status, stage: status, days_left: null })).toContain('nothing is deleted');
  }
  expect(adviceFor('looks_like_activation_token')).toContain('activation token');
  expect(adviceFor('bad_issuer')).toBeUndefined();
  expect(featureText('sshKeyInventory')).toBe('SSH keys');
  expect(featureText('moonPhaseTracker')).toBe('Moon phase tracker');
});
