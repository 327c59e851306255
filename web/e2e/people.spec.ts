import { expect, test } from './support/journey';
import { letterTo, linkTo } from './support/mail';
import { expectAccessible, picture, watchPage } from './support/page';
import {
  ADA,
  acceptInvitation,
  giveCredentials,
  ORGANISATION,
  openAs,
  type Person,
  signedInState,
  signIn,
  signOut,
} from './support/people';
import { setting } from './support/setting';
import { nextCode } from './support/totp';

const GRACE: Person = {
  name: 'Grace Hopper',
  email: 'grace@example.net',
  password: 'a compiler of nineteen fifty-two',
};

let recoveryCodes: string[] = [];

test.describe.configure({ mode: 'serial' });

test('Spec: auth 27: an administrator invites somebody, and the letter arrives', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/people');
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Email').fill(GRACE.email);
  await dialog.getByLabel('Read only').uncheck();
  await dialog.getByLabel('Engineer').check();
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Invite' }).click();
  const shown = await dialog.getByRole('code').innerText();
  await picture(page, 'invited-desktop-light');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText(shown)).toBeHidden();
  await expect(page.getByRole('table', { name: 'Invitations' })).toContainText(GRACE.email);
  expect(await linkTo(GRACE.email, /invited to Northwind/)).toBe(shown);
  await page.context().close();
});

test('Spec: auth 28: who is invited accepts by the link of the letter, once', async ({ page }) => {
  const findings = watchPage(page, setting('JOURNEY_URL'));
  const link = await linkTo(GRACE.email, /invited/);
  await page.goto(link);
  await expect(page.getByRole('heading', { name: `Join ${ORGANISATION}` })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'invitation-desktop-light');
  await acceptInvitation(page, link, GRACE);
  const main = page.getByRole('navigation', { name: 'Main' });
  await expect(main.getByText(GRACE.name)).toBeVisible();
  // An engineer administers nothing.
  await page.goto('/settings/people');
  await expect(page.getByText(/Only administrators may see the people/)).toBeVisible();
  await signOut(page);
  await page.goto(link);
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByLabel('Full name')).toHaveCount(0);
  expect(findings).toEqual([]);
});

test('Spec: auth 16: an authenticator app is set up with its first code', async ({ browser }) => {
  const page = await openAs(browser, GRACE, '/account/security');
  await page.getByRole('button', { name: 'Set up an app' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByAltText('QR code of the secret')).toBeVisible();
  const secret = await dialog.getByRole('code').innerText();
  expect(secret.replace(/\s/g, '')).toMatch(/^[A-Z2-7]{32,}$/);
  await expectAccessible(page);
  await picture(page, 'totp-enrol-desktop-light');
  await dialog.getByLabel('Code the app shows now').fill('000000');
  await dialog.getByRole('button', { name: 'Turn on' }).click();
  await expect(dialog.getByText(/This code is not right/)).toBeVisible();
  await dialog.getByLabel('Code the app shows now').fill(await nextCode(secret));
  await dialog.getByRole('button', { name: 'Turn on' }).click();
  const codes = page.getByRole('dialog', { name: 'Recovery codes' });
  recoveryCodes = (await codes.getByRole('code').innerText()).trim().split(/\s+/);
  expect(new Set(recoveryCodes).size).toBe(10);
  await codes.getByRole('button', { name: 'I have kept them' }).click();
  await expect(page.getByRole('button', { name: 'Remove the app' })).toBeVisible();
  await expect(page.getByText(recoveryCodes[0] ?? '')).toHaveCount(0);
  GRACE.secret = secret;
  await page.context().close();
});

test('Spec: auth 16, 19: the password alone does not let in, the code once', async ({ page }) => {
  await giveCredentials(page, GRACE);
  await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'second-factor-desktop-light');
  expect((await page.request.get('/api/v1/me')).status()).toBe(401);
  const code = page.getByLabel('Code of your authenticator app');
  await code.fill('000000');
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('alert')).toContainText('This code is not right');
  const right = await nextCode(GRACE.secret ?? '');
  await code.fill(right);
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page).toHaveURL(/\/hosts$/);
  await signOut(page);

  await giveCredentials(page, GRACE);
  await code.fill(right);
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('alert')).toContainText('it was used before');
});

test('Spec: auth 16: a recovery code lets in once', async ({ page }) => {
  for (const outcome of ['in', 'refused']) {
    await giveCredentials(page, GRACE);
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.getByLabel('Recovery code').fill(recoveryCodes[0] ?? '');
    await page.getByRole('button', { name: 'Continue' }).click();
    if (outcome === 'in') {
      await expect(page).toHaveURL(/\/hosts$/);
      await signOut(page);
    } else {
      await expect(page.getByRole('alert')).toBeVisible();
    }
  }
});

test('Spec: auth 14: sign-ins are seen, told by mail and ended from elsewhere', async ({
  browser,
  page,
}) => {
  await signIn(page, GRACE);
  const notice = await letterTo(GRACE.email, /New sign-in/);
  expect(notice.text).toContain('Address: 198.18.');
  const elsewhere = await browser.newContext({
    storageState: await signedInState(browser, GRACE),
  });
  const other = await elsewhere.newPage();
  await other.goto('/hosts');
  await expect(other.getByRole('heading', { name: 'Hosts', exact: true })).toBeVisible();
  await page.goto('/account/sessions');
  await page.getByRole('button', { name: 'End all others' }).click();
  await page.getByRole('dialog').getByRole('button', { name: /^End/ }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  await other.goto('/account/security');
  await expect(other).toHaveURL(/\/login\?session=expired/);
  await elsewhere.close();
});
