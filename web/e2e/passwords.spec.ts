import { expect, test } from './support/journey';
import { letterTo, linkTo } from './support/mail';
import { expectAccessible, picture, watchPage } from './support/page';
import {
  ADA,
  giveCredentials,
  join,
  openAs,
  type Person,
  signedInState,
  signIn,
} from './support/people';
import { setting } from './support/setting';

/** Wrong passwords in 15 minutes that lock an account. */
const ATTEMPTS = 5;

const LIN: Person = {
  name: 'Lin Okafor',
  email: 'lin@example.net',
  password: 'the first of two passwords',
};

const SECOND_PASSWORD = 'the other of two passwords';

test.describe.configure({ mode: 'serial' });

test('Spec: auth 10: a forgotten password is replaced by the link of a letter', async ({
  browser,
  page,
}) => {
  await join(browser, LIN, 'read_only');
  const before = await browser.newContext({ storageState: await signedInState(browser, LIN) });
  const findings = watchPage(page, setting('JOURNEY_URL'));
  await page.goto('/login');
  await page.getByRole('link', { name: 'Forgotten your password?' }).click();
  await page.getByLabel('Email').fill(LIN.email);
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Send a link' }).click();
  await expect(page.getByText(/a link to choose a new password is on its way/)).toBeVisible();
  await picture(page, 'forgotten-desktop-light');

  const link = await linkTo(LIN.email, /Choose a new password/);
  await page.goto(link);
  await page.getByLabel('New password', { exact: true }).fill(LIN.email);
  await page.getByLabel('New password again').fill(LIN.email);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await expect(page.getByLabel('New password', { exact: true })).toHaveAccessibleDescription(
    /address/,
  );
  await page.getByLabel('New password', { exact: true }).fill(SECOND_PASSWORD);
  await page.getByLabel('New password again').fill(SECOND_PASSWORD);
  await expectAccessible(page);
  await picture(page, 'new-password-desktop-light');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await expect(page.getByText('Your new password is set. Sign in with it.')).toBeVisible();

  // Sessions of before are over, and the owner is told.
  expect((await before.request.get('/api/v1/me')).status()).toBe(401);
  await before.close();
  await letterTo(LIN.email, /Your CT-Ops password was changed/);

  await giveCredentials(page, LIN);
  await expect(page.getByRole('alert')).toContainText('wrong');
  LIN.password = SECOND_PASSWORD;
  await signIn(page, LIN);

  await page.context().clearCookies();
  await page.goto(link);
  await page.getByLabel('New password', { exact: true }).fill('a third password, by the old link');
  await page.getByLabel('New password again').fill('a third password, by the old link');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await expect(page.getByText('This link is unknown, used or too old.')).toBeVisible();
  expect(findings).toEqual([]);
});

test('Spec: auth 10, 23: an address without account is told the same', async ({ page }) => {
  await page.goto('/forgot-password');
  await page.getByLabel('Email').fill('nobody@example.net');
  await page.getByRole('button', { name: 'Send a link' }).click();
  await expect(page.getByText(/a link to choose a new password is on its way/)).toBeVisible();
});

test('Spec: auth 22, 23: wrong passwords lock an account until an administrator unlocks it', async ({
  browser,
  page,
}) => {
  const guesser = { ...LIN, password: 'not the password of Lin' };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const answered = page.waitForResponse(/\/auth\/login$/);
    await giveCredentials(page, guesser);
    expect((await answered).status()).toBe(401);
    await expect(page.getByRole('alert')).toContainText(
      'The email address or the password is wrong',
    );
  }
  // Now the right password is refused as well.
  const refused = page.waitForResponse(/\/auth\/login$/);
  await giveCredentials(page, LIN);
  const answer = await refused;
  expect(answer.status()).toBe(429);
  const wait = Number(await answer.headerValue('retry-after'));
  expect(wait).toBeGreaterThan(200);
  expect(wait).toBeLessThanOrEqual(300);
  await expect(page.getByRole('alert')).toContainText(/too many/i);
  await expect(page).toHaveURL(/\/login/);
  await expectAccessible(page);
  await picture(page, 'locked-desktop-light');

  const admin = await openAs(browser, ADA, '/settings/people');
  await admin.getByRole('link', { name: LIN.name }).click();
  const panel = admin.getByRole('region', { name: 'Sign-in', exact: true });
  await expect(panel).toContainText('Locked after too many failed sign-ins');
  await expectAccessible(admin);
  await picture(admin, 'unlock-desktop-light');
  await panel.getByRole('button', { name: 'Unlock' }).click();
  await expect(panel).toContainText('The account is not locked');
  await admin.context().close();
  await signIn(page, LIN);
});
