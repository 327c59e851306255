import { existsSync, mkdirSync } from 'node:fs';
import { type Browser, expect, type Page } from '@playwright/test';
import { send } from './api';
import { scratch } from './setting';
import { nextCode } from './totp';

export interface Person {
  name: string;
  email: string;
  password: string;
  /** Secret of the authenticator app, when one is set up. */
  secret?: string;
}

/** Name of the organisation that the first journey sets up. */
export const ORGANISATION = 'Northwind';

/** Super administrator; the account that the first journey sets up. */
export const ADA: Person = {
  name: 'Ada Moss',
  email: 'ada@example.net',
  password: 'nine unusual herons at dawn',
};

/** First step of the sign-in page, from wherever the page is. */
export async function giveCredentials(page: Page, person: Person): Promise<void> {
  if (new URL(page.url(), 'https://nowhere').pathname !== '/login') {
    await page.goto('/login');
  }
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Signs in the way a person does, with the second step when the person has one. */
export async function signIn(page: Page, person: Person): Promise<void> {
  await giveCredentials(page, person);
  if (person.secret !== undefined) {
    await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
    await page.getByLabel('Code of your authenticator app').fill(await nextCode(person.secret));
    await page.getByRole('button', { name: 'Continue' }).click();
  }
  await expect(page).not.toHaveURL(/\/login/);
}

/** Signs out the way a person does. */
export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
}

/**
 * File with the cookies of somebody who is signed in, for `browser.newContext({ storageState })`. It is kept over all
 * spec files; who is not signed in any more is signed in again.
 */
export async function signedInState(browser: Browser, person: Person = ADA): Promise<string> {
  const file = scratch('states', `${person.email}.json`);
  mkdirSync(scratch('states'), { recursive: true });
  if (existsSync(file)) {
    const known = await browser.newContext({ storageState: file });
    const answer = await known.request.get('/api/v1/me');
    await known.close();
    if (answer.ok()) {
      return file;
    }
  }
  const context = await browser.newContext();
  await signIn(await context.newPage(), person);
  await context.storageState({ path: file });
  await context.close();
  return file;
}

/** A page of somebody who is signed in. Closing its context is up to the caller. */
export async function openAs(browser: Browser, person: Person, path: string): Promise<Page> {
  const storageState = await signedInState(browser, person);
  const page = await (await browser.newContext({ storageState })).newPage();
  await page.goto(path);
  return page;
}

/** Makes an account with these roles, by an invitation that is accepted, for journeys that are about something else. */
export async function join(browser: Browser, person: Person, ...roles: string[]): Promise<void> {
  const admin = await openAs(browser, ADA, '/hosts');
  const invited = await send(admin, 'POST', '/invitations', { email: person.email, roles });
  const { link } = (await invited.json()) as { link: string };
  await admin.context().close();
  const context = await browser.newContext();
  const page = await context.newPage();
  await acceptInvitation(page, link, person);
  await context.close();
}

/** From the link of an invitation to the first page of the new account. */
export async function acceptInvitation(page: Page, link: string, person: Person): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Full name').fill(person.name);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByLabel('Password again').fill(person.password);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page).toHaveURL(/\/hosts$/);
}
