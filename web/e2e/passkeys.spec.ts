import { expect, type Page, test } from './support/journey';
import { expectAccessible, picture } from './support/page';
import { join, type Person, signIn, signOut } from './support/people';

const MIA: Person = {
  name: 'Mia Sanz',
  email: 'mia@example.net',
  password: 'a password that is soon not needed',
};

/** A device with a fingerprint reader whose owner always agrees. */
async function addDevice(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return async () => {
    const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
    return credentials.length;
  };
}

test("Spec: auth, beyond 1: a passkey of the browser's device signs in without a password", async ({
  browser,
  page,
}) => {
  await join(browser, MIA, 'engineer');
  const passkeysOfDevice = await addDevice(page);
  await signIn(page, MIA);
  await page.goto('/account/security');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Laptop');
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
  await expect(page.getByRole('table', { name: 'Passkeys' })).toContainText('Laptop');
  expect(await passkeysOfDevice()).toBe(1);
  await expectAccessible(page);
  await picture(page, 'passkeys-desktop-light');
  await signOut(page);

  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page).toHaveURL(/\/hosts$/);
  await page.goto('/account/sessions');
  await expect(page.getByRole('table', { name: 'Sessions' })).toContainText(/passkey/i);

  await page.goto('/account/security');
  await page.getByRole('button', { name: /^Remove Laptop|^Remove$/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('No passkeys')).toBeVisible();
  await signOut(page);
  // The device still offers it; the server does not know it any more.
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page).toHaveURL(/\/login/);
});
