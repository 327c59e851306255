import type { ChildProcess } from 'node:child_process';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import {
  expectAccessible,
  expectNoSidewaysScroll,
  picture,
  SCHEMES,
  setting,
  startAgent,
  stopAgent,
  VIEWPORTS,
  watchPage,
} from './support';

const PERSON = {
  organisation: 'Northwind',
  name: 'Ada Moss',
  email: 'ada@example.net',
  password: 'nine unusual herons at dawn',
};

/** An agent asks every 30 s whether it was approved, then reports every 30 s. */
const AGENT_PATIENCE_MS = 90_000;

type State = Awaited<ReturnType<BrowserContext['storageState']>>;

let agent: ChildProcess | undefined;
let signedIn: State | undefined;
let hostPath = '';

test.describe.configure({ mode: 'serial' });
test.afterAll(() => stopAgent(agent));

test('Spec: auth 1, 2: set-up leads to an empty fleet and to a token', async ({ page }) => {
  const findings = watchPage(page, setting('CT_OPS_URL'));
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
  agent = startAgent(token);
  signedIn = await page.context().storageState();
  expect(findings).toEqual([]);
});

test('Spec: hosts 1, 19: a waiting agent is approved and comes online', async ({ browser }) => {
  const page = await open(browser.newContext({ storageState: signedIn }), '/hosts');
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
  const page = await open(browser.newContext({ storageState: signedIn }), '/hosts');
  await page.getByRole('table', { name: 'Hosts' }).getByRole('link').first().click();
  await expect(page).toHaveURL(/\/hosts\/[^/?]+$/);
  hostPath = new URL(page.url()).pathname;
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
  const page = await open(browser.newContext({ storageState: signedIn }), hostPath);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await page.goto(hostPath);
  await expect(page).toHaveURL(/\/login\?redirect=/);
  await expectAccessible(page);
  await picture(page, 'login-desktop-light');
  await page.getByLabel('Email').fill(PERSON.email);
  await page.getByLabel('Password', { exact: true }).fill('a wrong password');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('wrong');
  await page.getByLabel('Password', { exact: true }).fill(PERSON.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`${hostPath}$`));
  signedIn = await page.context().storageState();
  await page.context().close();
});

for (const [device, viewport] of Object.entries(VIEWPORTS)) {
  for (const colorScheme of SCHEMES) {
    test(`Spec: security 2, 3: every page is sound on ${device}, ${colorScheme}`, async ({
      browser,
    }) => {
      const context = await browser.newContext({
        storageState: signedIn,
        viewport,
        colorScheme,
        reducedMotion: 'reduce',
      });
      const page = await context.newPage();
      const findings = watchPage(page, setting('CT_OPS_URL'));
      for (const [name, path, ready] of pages()) {
        await page.goto(path);
        await expect(ready(page)).toBeVisible();
        await expectAccessible(page);
        await expectNoSidewaysScroll(page);
        await picture(page, `${name}-${device}-${colorScheme}`);
      }
      expect(findings).toEqual([]);
      await context.close();
    });
  }
}

function pages(): [string, string, (page: Page) => ReturnType<Page['locator']>][] {
  return [
    ['hosts', '/hosts', (page) => page.getByRole('table', { name: 'Hosts' })],
    ['host', hostPath, (page) => page.getByRole('region', { name: 'CPU' })],
    [
      'storage',
      `${hostPath}?tab=storage`,
      (page) => page.getByRole('region', { name: 'File systems' }),
    ],
    [
      'network',
      `${hostPath}?tab=network`,
      (page) => page.getByRole('table', { name: 'Network interfaces' }),
    ],
    ['enrolment', '/enrolment', (page) => page.getByRole('table', { name: 'Enrolment tokens' })],
    ['agents', '/agents', (page) => page.getByRole('table', { name: 'Agents' })],
    ['sessions', '/account/sessions', (page) => page.getByRole('table', { name: 'Sessions' })],
  ];
}

async function open(context: Promise<BrowserContext>, path: string): Promise<Page> {
  const page = await (await context).newPage();
  await page.goto(path);
  return page;
}

async function setUp(page: Page): Promise<void> {
  const code = page.getByLabel('Set-up code');
  if (await code.isVisible()) {
    await code.fill(setting('CT_OPS_SETUP_CODE'));
  }
  await page.getByLabel('Organisation name').fill(PERSON.organisation);
  await page.getByLabel('Full name').fill(PERSON.name);
  await page.getByLabel('Email').fill(PERSON.email);
  await page.getByLabel('Password', { exact: true }).fill(PERSON.password);
  await page.getByLabel('Password again').fill(PERSON.password);
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
