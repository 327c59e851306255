import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

export const VIEWPORTS = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

export const SCHEMES = ['light', 'dark'] as const;

/** No serious or critical finding on what is shown now. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`);
  expect(grave, `accessibility of ${page.url()}`).toEqual([]);
}

/** Nothing sticks out of the page sideways. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(excess, `width of ${page.url()}`).toBeLessThanOrEqual(0);
}

/** Writes a picture when the run is asked for pictures. */
export async function picture(page: Page, name: string): Promise<void> {
  const directory = process.env.JOURNEY_SHOTS;
  if (directory) {
    await page.screenshot({ path: `${directory}/${name}.png`, animations: 'disabled' });
  }
}

/** What must not happen on any page: other hosts, refused styles or scripts, uncaught errors. */
export function watchPage(page: Page, home: string): string[] {
  const findings: string[] = [];
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== new URL(home).origin) {
      findings.push(`request to ${request.url()}`);
    }
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) {
      findings.push(message.text());
    }
  });
  page.on('pageerror', (error) => findings.push(`uncaught ${error.message}`));
  return findings;
}
