import type { Browser } from '@playwright/test';
import { expect, type Page, test } from './support/journey';
import { expectAccessible, picture, watchPage } from './support/page';
import { ADA, ORGANISATION, openAs, signedInState, signIn, signOut } from './support/people';
import { ours, start } from './support/programs';
import { scratch, setting } from './support/setting';

/** An agent asks every 30 s whether it was approved, then reports every 5 s. */
const AGENT_PATIENCE_MS = 90_000;

test.describe.configure({ mode: 'serial' });

test('Spec: auth 1, 2: set-up leads to an empty fleet and to a token', async ({ page }) => {
  const findings = watchPage(page, setting('JOURNEY_URL'));
  await page.goto('/hosts');
  await expect(page).toHaveURL(/\/setup$/);
  await expect(page.getByRole('heading', { name: 'Set up CT-Ops' })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'setup-desktop-light');
  await setUp(page);
  await expect(page.getByText('No hosts yet')).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'hosts-empty-desktop-light');

  const token = await createToken(page);
  expect(token).toMatch(/^tok_[A-Za-z0-9_-]{43}$/);
  startAgent(token);
  expect(findings).toEqual([]);
});

test('Spec: hosts 1, 19: a waiting agent is approved and comes online', async ({ browser }) => {
  const page = await openAs(browser, ADA, '/hosts');
  await expect(page.getByRole('region', { name: 'Waiting for approval (1)' })).toBeVisible({
    timeout: AGENT_PATIENCE_MS,
  });
  await expectAccessible(page);
  await picture(page, 'hosts-pending-desktop-light');
  await page.getByRole('button', { name: /^Approve / }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await expect(page.getByText(/Waiting for approval/)).toBeHidden();
  // No reload: the change arrives through the event stream.
  const row = page.getByRole('table', { name: 'Hosts' }).getByRole('row').nth(1);
  await expect(row).toContainText('Online', { timeout: AGENT_PATIENCE_MS });
  await expect(page.getByRole('link', { name: /^Online 1/ })).toBeVisible();
  await page.context().close();
});

test('Spec: hosts 26, 28: the vitals of the host move', async ({ browser }) => {
  const page = await openHost(browser);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const heartbeat = page.getByRole('region', { name: 'Agent' }).getByText(/ago|just now/);
  const seen = page.locator('h1 + div time');
  const first = await seen.getAttribute('datetime');
  await expect(heartbeat.first()).toBeVisible();
  await expect
    .poll(() => seen.getAttribute('datetime'), { timeout: AGENT_PATIENCE_MS })
    .not.toBe(first);
  await expect(page.getByRole('region', { name: 'CPU' })).toContainText(/\d+\.\d%/);
  await page.context().close();
});

test('Spec: auth 12, 15: signing out closes the pages and signing in returns', async ({
  browser,
}) => {
  const page = await openHost(browser);
  const hostPath = new URL(page.url()).pathname;
  await signOut(page);
  await page.goto(hostPath);
  await expect(page).toHaveURL(/\/login\?redirect=/);
  await expectAccessible(page);
  await picture(page, 'login-desktop-light');
  await page.getByLabel('Email').fill(ADA.email);
  await page.getByLabel('Password', { exact: true }).fill('a wrong password');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('wrong');
  await signIn(page, ADA);
  await expect(page).toHaveURL(new RegExp(`${hostPath}$`));
  await page.context().close();
  await signedInState(browser, ADA);
});

async function openHost(browser: Browser): Promise<Page> {
  const page = await openAs(browser, ADA, '/hosts');
  await page.getByRole('table', { name: 'Hosts' }).getByRole('link').first().click();
  await expect(page).toHaveURL(/\/hosts\/[^/?]+$/);
  return page;
}

async function setUp(page: Page): Promise<void> {
  const code = page.getByLabel('Set-up code');
  if (await code.isVisible()) {
    await code.fill(setting('JOURNEY_SETUP_CODE'));
  }
  await page.getByLabel('Organisation name').fill(ORGANISATION);
  await page.getByLabel('Full name').fill(ADA.name);
  await page.getByLabel('Email').fill(ADA.email);
  await page.getByLabel('Password', { exact: true }).fill(ADA.password);
  await page.getByLabel('Password again').fill(ADA.password);
  await page.getByRole('button', { name: 'Create organisation' }).click();
  await expect(page).toHaveURL(/\/hosts$/);
}

/** Creates a token the way a person does and returns its secret. */
async function createToken(page: Page): Promise<string> {
  await page.getByRole('link', { name: 'Go to enrolment' }).click();
  await page.getByRole('button', { name: 'Create token' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Label').fill('Browser journey');
  await expectAccessible(page);
  await picture(page, 'token-form-desktop-light');
  await dialog.getByRole('button', { name: 'Create token' }).click();
  const secret = await dialog.getByRole('region', { name: 'Secret' }).getByRole('code').innerText();
  await expect(dialog.getByRole('region', { name: 'Install command' })).toContainText('install.sh');
  await expectAccessible(page);
  await picture(page, 'token-created-desktop-light');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText(secret)).toBeHidden();
  return secret;
}

/** A real agent on this machine, until the end of the run. */
function startAgent(token: string): void {
  start('agent', ours('ct-ops-agent'), ['-config', '/nonexistent/agent.toml'], {
    CT_OPS_ENROLMENT_TOKEN: token,
    CT_OPS_INGEST_ADDRESS: setting('JOURNEY_INGEST'),
    CT_OPS_INGEST_CA_CERT: scratch('server', 'tls', 'ca.pem'),
    CT_OPS_DATA_DIR: scratch('agent'),
    CT_OPS_HEARTBEAT_INTERVAL_SECS: '5',
  });
}
