import { type Browser, expect, type Page } from '@playwright/test';
import type { Me } from '../../src/api/schema';
import { ADA, giveCredentials, openAs } from './people';

/** Who a page is signed in as. */
export async function whoami(page: Page): Promise<Me> {
  const answer = await page.request.get('/api/v1/me');
  expect(answer.ok(), await answer.text()).toBe(true);
  return answer.json();
}

/** Somebody's row in the list of people, as the administrator sees it. */
export async function expectMember(browser: Browser, name: string, facts: string[]): Promise<void> {
  const page = await openAs(browser, ADA, '/settings/people');
  const row = page.getByRole('table', { name: 'People' }).getByRole('row', { name });
  for (const fact of facts) {
    await expect(row).toContainText(fact);
  }
  await page.context().close();
}

/** The administrator keeps somebody out from now on. */
export async function deactivate(browser: Browser, name: string): Promise<void> {
  const page = await openAs(browser, ADA, '/settings/people');
  await page.getByRole('button', { name: `Open ${name}` }).click();
  const dialog = page.getByRole('dialog', { name });
  await dialog.getByRole('button', { name: 'Deactivate' }).click();
  await expect(dialog).toBeHidden();
  const row = page.getByRole('table', { name: 'People' }).getByRole('row', { name });
  await expect(row).toContainText('Deactivated');
  await page.context().close();
}

/**
 * On the page that asks for the own sign-in of an account that has the address already: signs in as the administrator,
 * looks at who wants to be linked, and links.
 */
export async function linkToAda(page: Page, name: string): Promise<void> {
  await expect(page).toHaveURL(/\/link-account/);
  await expect(page.getByText(/exists already/)).toBeVisible();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await giveCredentials(page, ADA);
  await expect(page.getByText(`You are signed in as ${ADA.email}.`)).toBeVisible();
  await expect(page.getByText(name)).toBeVisible();
  await page.getByRole('button', { name: 'Link', exact: true }).click();
  await expect(page).toHaveURL(/\/hosts/);
}

/** Whoever a page is signed in as takes a linked sign-in away again. */
export async function unlink(page: Page, name: string): Promise<void> {
  await page.goto('/account/security');
  await page.getByRole('button', { name: `Unlink ${name}` }).click();
  const dialog = page.getByRole('dialog', { name: 'Unlink this sign-in?' });
  await dialog.getByRole('button', { name: 'Unlink' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('button', { name: 'Set up an app' })).toBeVisible();
  await expect(page.getByRole('button', { name: `Unlink ${name}` })).toBeHidden();
}
