import { type ChildProcess, spawn } from 'node:child_process';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

export const VIEWPORTS = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

export const SCHEMES = ['light', 'dark'] as const;

/** A setting of this run; a missing one stops the run with its name. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`set ${name} to run the browser journey`);
  }
  return value;
}

/** Starts a real agent by the command in CT_OPS_AGENT_START, in a process group of its own. */
export function startAgent(token: string): ChildProcess {
  const command = setting('CT_OPS_AGENT_START').replaceAll('{token}', token);
  return spawn(command, { shell: true, detached: true, stdio: 'inherit' });
}

export function stopAgent(agent: ChildProcess | undefined): void {
  if (agent?.pid !== undefined && agent.exitCode === null) {
    process.kill(-agent.pid, 'SIGTERM');
  }
}

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
  const directory = process.env.CT_OPS_SHOTS;
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
