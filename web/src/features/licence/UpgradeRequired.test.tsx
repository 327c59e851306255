import { screen, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import { lockedBy } from '@/api/features';
import { aMe, READ_ONLY } from '@/testing/fixtures';
import { renderApp } from '@/testing/renderApp';

const CLOSED = {
  tier: 'community' as const,
  features: { auditLog: false },
  required_tiers: { auditLog: 'pro' as const },
};

test('a feature counts as open until the server says otherwise', () => {
  expect(lockedBy(undefined, 'auditLog')).toBeUndefined();
  expect(lockedBy(CLOSED, 'auditLog')).toBe('pro');
  expect(lockedBy(CLOSED, 'ssoSaml')).toBeUndefined();
  expect(lockedBy({ ...CLOSED, features: { auditLog: true } }, 'auditLog')).toBeUndefined();
});

test('Spec: licensing 16: closed entries of the navigation name the tier that opens them', async () => {
  const me = aMe([...READ_ONLY, 'audit.read']);
  const { api } = renderApp('/settings/audit', { 'GET /me': me, 'GET /features': CLOSED });
  const settings = await screen.findByRole('navigation', { name: 'Settings' });
  const link = within(settings).getByRole('link', { name: /Audit log/ });
  expect(await within(link).findByText('Pro')).toBeVisible();
  expect(screen.getByRole('link', { name: 'Hosts' })).toBeVisible();
  expect(api.to('GET /features').length).toBeGreaterThan(0);
});

test('open entries carry no badge', async () => {
  const me = aMe([...READ_ONLY, 'audit.read']);
  const open = { ...CLOSED, tier: 'pro' as const, features: { auditLog: true } };
  renderApp('/settings/audit', { 'GET /me': me, 'GET /features': open });
  const settings = await screen.findByRole('navigation', { name: 'Settings' });
  expect(await within(settings).findByRole('link', { name: 'Audit log' })).toBeVisible();
});
