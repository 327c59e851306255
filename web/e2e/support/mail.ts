import { readdirSync, readFileSync } from 'node:fs';
import { expect } from '@playwright/test';
import { scratch } from './setting';
import type { Letter } from './smtp';

/** The server looks into its outbox every 5 s. */
const DELIVERY_MS = 30_000;

/** Where the mail server of this run keeps its letters. */
export const mailDirectory = () => scratch('mail');

/** Every letter to an address so far, oldest first. */
export function lettersTo(email: string): Letter[] {
  return readdirSync(mailDirectory())
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(scratch('mail', name), 'utf8')) as Letter)
    .filter((letter) => letter.to.includes(email));
}

/** Waits for a letter to an address whose subject matches, and returns the newest one. */
export async function letterTo(email: string, subject: RegExp): Promise<Letter> {
  const found = () => lettersTo(email).filter((letter) => subject.test(letter.subject));
  await expect
    .poll(() => found().length, {
      message: `a letter to ${email} about ${subject}`,
      timeout: DELIVERY_MS,
    })
    .toBeGreaterThan(0);
  return found().at(-1) as Letter;
}

/** The address in the newest letter to somebody about something; a letter without one fails the test. */
export async function linkTo(email: string, subject: RegExp): Promise<string> {
  const { link, text } = await letterTo(email, subject);
  expect(link, text).toBeDefined();
  return link as string;
}
