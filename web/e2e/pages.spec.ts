import { expect, type Page, test } from './support/journey';
import {
  expectAccessible,
  expectNoSidewaysScroll,
  picture,
  SCHEMES,
  VIEWPORTS,
  watchPage,
} from './support/page';
import { ADA, openAs, signedInState } from './support/people';
import { setting } from './support/setting';

let hostPath = '';

test.beforeAll(async ({ browser }) => {
  const page = await openAs(browser, ADA, '/hosts');
  const host = page.getByRole('table', { name: 'Hosts' }).getByRole('link').first();
  hostPath = (await host.getAttribute('href')) ?? '';
  await page.context().close();
});

for (const [device, viewport] of Object.entries(VIEWPORTS)) {
  for (const colorScheme of SCHEMES) {
    test(`Spec: security 2, 3: every page is sound on ${device}, ${colorScheme}`, async ({
      browser,
    }) => {
      const context = await browser.newContext({
        storageState: await signedInState(browser, ADA),
        viewport,
        colorScheme,
        reducedMotion: 'reduce',
      });
      const page = await context.newPage();
      const findings = watchPage(page, setting('JOURNEY_URL'));
      for (const [name, path, ready] of pages()) {
        await page.goto(path);
        await expect(ready(page)).toBeVisible();
        await expectAccessible(page);
        await expectNoSidewaysScroll(page);
        await picture(page, `${name}-${device}-${colorScheme}`);
      }
      expect(findings).toEqual([]);
      await context.close();
    });
  }
}

function pages(): [string, string, (page: Page) => ReturnType<Page['locator']>][] {
  return [
    ['hosts', '/hosts', (page) => page.getByRole('table', { name: 'Hosts' })],
    ['host', hostPath, (page) => page.getByRole('region', { name: 'CPU' })],
    [
      'storage',
      `${hostPath}?tab=storage`,
      (page) => page.getByRole('region', { name: 'File systems' }),
    ],
    [
      'network',
      `${hostPath}?tab=network`,
      (page) => page.getByRole('table', { name: 'Network interfaces' }),
    ],
    ['enrolment', '/enrolment', (page) => page.getByRole('table', { name: 'Enrolment tokens' })],
    ['agents', '/agents', (page) => page.getByRole('table', { name: 'Agents' })],
    ['sessions', '/account/sessions', (page) => page.getByRole('table', { name: 'Sessions' })],
  ];
}
