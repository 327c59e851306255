import { expect, type Page } from '@playwright/test';
import { setting } from './setting';

/** Sends a request that changes something, as the page of whoever is signed in would. */
export async function send(page: Page, method: string, path: string, data?: object) {
  const headers = { 'X-CTOps-Request': '1', Origin: setting('JOURNEY_URL') };
  const answer = await page.request.fetch(`/api/v1${path}`, { method, headers, data });
  expect(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`).toBe(true);
  return answer;
}
