import { type Browser, expect, type Page } from '@playwright/test';
import { ADA, openAs } from './people';

/** Opens the dialog for a new identity provider of a kind, named and with the groups that give roles. */
export async function beginProvider(
  browser: Browser,
  kind: string,
  name: string,
  roles: string,
): Promise<Page> {
  const page = await openAs(browser, ADA, '/settings/identity-providers');
  await page.getByRole('button', { name: 'Add provider' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Add identity provider' });
  await dialog.getByRole('combobox', { name: 'Provider', exact: true }).selectOption(kind);
  await dialog.getByLabel('Name', { exact: true }).fill(name);
  await dialog.getByLabel('Groups to roles').fill(roles);
  await dialog.getByLabel('Offer it on the sign-in page').check();
  return page;
}

/** Adds what the dialog holds. */
export async function addProvider(page: Page, name: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Add identity provider' });
  await dialog.getByRole('button', { name: 'Add provider' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('region', { name })).toContainText('On');
}

/** Deletes a provider; its button goes with it. */
export async function deleteProvider(browser: Browser, name: string): Promise<void> {
  const page = await openAs(browser, ADA, '/settings/identity-providers');
  await page.getByRole('button', { name: `Delete ${name}` }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete identity provider?' });
  await dialog.getByRole('button', { name: 'Delete provider' }).click();
  await expect(page.getByRole('region', { name })).toBeHidden();
  await page.goto('/login');
  await page.context().clearCookies();
  await page.goto('/login');
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: `Sign in with ${name}` })).toBeHidden();
  await page.context().close();
}

/** Leaves the sign-in page for a provider. */
export async function leaveFor(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: `Sign in with ${name}` }).click();
}

/** Signs in on the provider's own page. */
export async function giveProviderPassword(
  page: Page,
  username: string,
  password: string,
): Promise<void> {
  await page.getByLabel('Name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Go on' }).click();
}

/** The ways of a signed-in person to begin setting an authenticator app up, which needs a fresh confirmation. */
export async function beginAuthenticator(page: Page): Promise<void> {
  await page.goto('/account/security');
  await page.getByRole('button', { name: 'Set up an app' }).click();
}

/** The dialog that asks to confirm leads to the provider. */
export async function confirmAtProvider(page: Page): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' });
  await dialog.getByRole('link', { name: 'Sign in again at your identity provider' }).click();
}
