import { expect, type Page, test } from './support/journey';
import { mint, shortened } from './support/licence';
import { expectAccessible, picture } from './support/page';
import { ADA, ORGANISATION, openAs } from './support/people';
import { ours, run } from './support/programs';

/** Long enough to look at what is open, short enough to be waited for. */
const SHORT_LIFE_S = 25;

let token = '';
let proKey = '';

test.describe.configure({ mode: 'serial' });

test('Spec: licensing 15, 16: without a licence paid pages say what would open them', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/audit');
  await expectClosed(page);
  await expectAccessible(page);
  await picture(page, 'licence-closed-desktop-light');
  await page.context().close();
});

test('Spec: licensing 5, 7, 8: a token goes to the issuer and a key comes back', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/licence');
  await expect(page.getByRole('region', { name: 'State' })).toContainText('No licence');
  await page.getByRole('button', { name: 'Generate activation token' }).click();
  const panel = page.getByRole('region', { name: 'Activate a licence' });
  token = await panel.getByRole('code').innerText();
  expect(token).toMatch(/^infw-act_/);
  const read = await run(ours('ct-ops-licence'), ['token', 'decode', token]);
  expect(read.stdout).toContain(`organisation ${ORGANISATION}`);

  await activate(page, token);
  await expect(panel.getByText(/This is an activation token/)).toBeVisible();
  proKey = await mint(token, 'pro', '--max-hosts', '5');
  const [header = '', claims = '', signature = ''] = proKey.split('.');
  const forged = Buffer.from(signature, 'base64url').reverse().toString('base64url');
  await activate(page, `${header}.${claims}.${forged}`);
  await expect(panel.getByText(/This key was not signed by the issuer/)).toBeVisible();
  await expect(page.getByRole('region', { name: 'State' })).toContainText('No licence');
  await expectAccessible(page);

  await activate(page, proKey);
  const state = page.getByRole('region', { name: 'State' });
  await expect(state).toContainText('In force');
  await expect(state).toContainText('Northwind Ltd');
  await expect(page.getByRole('table', { name: 'History of licences' })).toContainText('in use');
  await expectAccessible(page);
  await picture(page, 'licence-active-desktop-light');
  await page.goto('/settings/audit');
  await expectOpen(page);
  await page.context().close();
});

test('Spec: licensing 11, 20: at its end paid pages close and monitoring goes on', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/licence');
  const short = shortened(proKey, SHORT_LIFE_S);
  await activate(page, short.key);
  await expect(page.getByRole('alert').first()).toContainText('The licence ends within a day');
  await page.goto('/settings/audit');
  await expectOpen(page);
  await expect(page.getByText('The licence ends within a day')).toBeVisible();
  await picture(page, 'licence-ending-desktop-light');

  // Not a second longer than was paid for, and without a restart.
  await expect
    .poll(() => page.request.get('/api/v1/audit/events').then((answer) => answer.status()), {
      timeout: (SHORT_LIFE_S + 10) * 1000,
    })
    .toBe(403);
  expect(Date.now()).toBeGreaterThanOrEqual(short.endsAt);
  await page.reload();
  await expectClosed(page);
  await expect(page.getByText(/The licence has ended\. Paid features are closed/)).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'licence-ended-desktop-light');
  await page.goto('/settings/licence');
  await expect(page.getByRole('region', { name: 'State' })).toContainText('Expired');
  await page.goto('/hosts');
  const row = page.getByRole('table', { name: 'Hosts' }).getByRole('row').nth(1);
  await expect(row).toContainText('Online');
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.reload();
  await expect(row).toBeVisible();
  await expect(page.getByText(/The licence has ended/)).toHaveCount(0);
  await page.context().close();
});

test('Spec: licensing 11: a new key opens them again, with what was recorded meanwhile', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/licence');
  await activate(page, await mint(token, 'enterprise'));
  await expect(page.getByRole('region', { name: 'State' })).toContainText('In force');
  await expect(page.getByText(/The licence has ended/)).toHaveCount(0);
  await page.goto('/settings/audit');
  await expectOpen(page);
  await page.context().close();
});

async function activate(page: Page, key: string): Promise<void> {
  const answered = page.waitForResponse(
    (response) => response.url().endsWith('/licence') && response.request().method() === 'PUT',
  );
  await page.getByLabel('2. Paste the licence key').fill(key);
  await page.getByRole('button', { name: 'Activate', exact: true }).click();
  await answered;
}

const auditEntry = (page: Page) =>
  page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name: /^Audit log/ });

/** The audit log, which is part of Pro, is closed on the screen and on the server. */
async function expectClosed(page: Page): Promise<void> {
  await expect(page.getByText('Upgrade required')).toBeVisible();
  await expect(auditEntry(page)).toContainText('Pro');
  const answer = await page.request.get('/api/v1/audit/events');
  expect(answer.status()).toBe(403);
  expect(await answer.json()).toMatchObject({
    code: 'feature_not_licensed',
    feature: 'auditLog',
    current_tier: 'community',
    required_tier: 'pro',
  });
}

async function expectOpen(page: Page): Promise<void> {
  await expect(page.getByRole('region', { name: 'Events' }).getByRole('table')).toBeVisible();
  await expect(auditEntry(page)).not.toContainText('Pro');
}
