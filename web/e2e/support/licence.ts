import { createPrivateKey, createSign, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, type Page } from '@playwright/test';
import { send } from './api';
import { ours, run } from './programs';
import { scratch, setting } from './setting';

export { send };

const CUSTOMER = ['--customer-name', 'Northwind Ltd', '--customer-email', 'ops@northwind.example'];

/** What the issuer answers to an activation token. */
export async function mint(
  token: string,
  tier: 'pro' | 'enterprise',
  ...more: string[]
): Promise<string> {
  const env = { CT_OPS_ISSUER_PASSPHRASE: setting('JOURNEY_ISSUER_PASSPHRASE') };
  const place = ['--dir', scratch('issuer')];
  const args = ['mint', ...place, '--token', token, '--tier', tier, ...CUSTOMER, ...more];
  const { code, stdout, stderr } = await run(ours('ct-ops-licence'), args, { env });
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

/** The same key with an end in a few seconds and an id of its own. The issuer's program sells no terms under a day. */
export function shortened(key: string, seconds: number): { key: string; endsAt: number } {
  const [header = '', claims = ''] = key.split('.');
  const endsAt = Math.floor(Date.now() / 1000) + seconds;
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
  const changed = JSON.stringify({ ...said, jti: randomUUID(), exp: endsAt });
  const signed = `${header}.${Buffer.from(changed).toString('base64url')}`;
  const issuer = createPrivateKey({
    key: readFileSync(scratch('issuer', 'issuer-key.pem')),
    passphrase: setting('JOURNEY_ISSUER_PASSPHRASE'),
  });
  const signature = createSign('RSA-SHA256').update(signed).sign(issuer).toString('base64url');
  return { key: `${signed}.${signature}`, endsAt: endsAt * 1000 };
}

/**
 * Gives the organisation a licence for a year, for journeys that are about something else. Nothing happens when it has
 * one of this tier: an organisation activates ten keys per hour at most.
 */
export async function license(page: Page, tier: 'pro' | 'enterprise'): Promise<void> {
  const present = await (await page.request.get('/api/v1/licence')).json();
  if (present.tier === tier) {
    return;
  }
  const answer = await send(page, 'POST', '/licence/activation-tokens');
  const { token } = (await answer.json()) as { token: string };
  await send(page, 'PUT', '/licence', { key: await mint(token, tier) });
}

/** Takes the licence away again. */
export async function unlicense(page: Page): Promise<void> {
  await send(page, 'DELETE', '/licence');
}
