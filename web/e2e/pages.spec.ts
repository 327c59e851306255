import type { Browser, BrowserContext } from '@playwright/test';
import { expect, type Page, test } from './support/journey';
import {
  expectAccessible,
  expectNoSidewaysScroll,
  picture,
  VIEWPORTS,
  watchPage,
} from './support/page';
import { ADA, openAs, signedInState, signIn } from './support/people';
import { setting } from './support/setting';
import { furnish, STOPS_OUTSIDE, type Stop, stopsInside } from './support/walk';

/** Opening and measuring a page takes about a second where nothing else runs. */
const WALK_MS = 300_000;

let inside: Stop[] = [];

test.describe.configure({ timeout: WALK_MS });

test.beforeAll(async ({ browser }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page, ADA);
  await page.goto('/hosts');
  const host = page.getByRole('table', { name: 'Hosts' }).getByRole('link').first();
  const hostPath = (await host.getAttribute('href')) ?? '';
  inside = stopsInside(hostPath, await host.innerText(), await furnish(page));
  await context.close();
});

/** Widths and schemes do not depend on each other: each is looked at once. Pictures are made of all four. */
const WALKS = [
  { device: 'desktop', scheme: 'light', other: 'dark' },
  { device: 'phone', scheme: 'dark', other: 'light' },
] as const;

for (const look of WALKS) {
  const { device, scheme } = look;
  const options = { viewport: VIEWPORTS[device], reducedMotion: 'reduce' } as const;

  test(`Spec: security 2, 3: every page is sound on ${device}, ${scheme}`, async ({ browser }) => {
    const storageState = await signedInState(browser, ADA);
    const signedIn = await browser.newContext({ storageState, ...options });
    await walk(signedIn, inside, look);
  });

  test(`Spec: security 2, 3: every page before sign-in is sound on ${device}, ${scheme}`, async ({
    browser,
  }) => {
    const nobody = await browser.newContext(options);
    await walk(nobody, STOPS_OUTSIDE, look);
  });
}

test('Spec: settings 1: every page of the navigation is walked, and every page is in it', async ({
  browser,
}) => {
  const offered = await navigationOf(browser);
  const walked = inside.map(({ path }) => path);
  expect(offered.filter((path) => !walked.includes(path))).toEqual([]);
  // Pages that others lead to: details of a row, a tab, what stands behind a button, what is not there.
  const led = /^\/(hosts|host-groups)\/|\/(new|configuration|directory-lookup)$|^\/nowhere$/;
  expect(walked.filter((path) => !led.test(path) && !offered.includes(path))).toEqual([]);
});

/** Opens every stop once, in one context. */
async function walk(
  context: BrowserContext,
  stops: readonly Stop[],
  { device, scheme, other }: (typeof WALKS)[number],
): Promise<void> {
  const page = await context.newPage();
  const findings = watchPage(page, setting('JOURNEY_URL'));
  watchConsole(page, findings);
  for (const stop of stops) {
    await test.step(stop.path, async () => {
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(stop.path);
      await expectReady(page, stop);
      await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', scheme);
      await expectAccessible(page);
      await expectNoSidewaysScroll(page);
      await picture(page, `${stop.name}-${device}-${scheme}`);
      await page.emulateMedia({ colorScheme: other });
      await picture(page, `${stop.name}-${device}-${other}`);
    });
  }
  expect(findings).toEqual([]);
  await context.close();
}

/** The page says what it is, in the window's title too, and nothing is loading any more. */
async function expectReady(page: Page, { title }: Stop): Promise<void> {
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible();
  await expect(page).toHaveTitle(`${title} · CT-Ops`);
  await expect(page.locator('main [aria-busy="true"]')).toHaveCount(0);
}

/** Nothing is written to the console, but that the server refused somebody or a token that is worth nothing. */
function watchConsole(page: Page, findings: string[]): void {
  page.on('console', (message) => {
    const refused = /status of 4\d\d/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !refused) {
      findings.push(`${page.url()}: ${message.text()}`);
    }
  });
}

/** Where the navigations of the shell and of its areas lead. */
async function navigationOf(browser: Browser): Promise<string[]> {
  const page = await openAs(browser, ADA, '/hosts');
  const paths: string[] = [];
  for (const [start, name] of [
    ['/hosts', 'Main'],
    ['/settings', 'Settings'],
    ['/account/sessions', 'Account'],
  ] as const) {
    await page.goto(start);
    const links = page.getByRole('navigation', { name }).getByRole('link');
    await expect(links.first()).toBeVisible();
    paths.push(
      ...(await links.evaluateAll((all) => all.map((link) => link.getAttribute('href')))).filter(
        (path) => path !== null,
      ),
    );
  }
  await page.context().close();
  return [...new Set(paths)];
}
