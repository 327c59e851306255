import { createHash, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from '@playwright/test';
import { scratch } from './e2e/support/setting';

/**
 * The journeys in the order in which they walk through one installation, by the beginning of the files' names. The first
 * one sets it up; without it the others are skipped.
 */
const ORDER = [
  'journey',
  'people',
  'passwords',
  'passkeys',
  'keys',
  'licence',
  'directory',
  'sso',
  'pages',
];

const [FIRST = '', ...OTHERS] = ORDER;

const astray = readdirSync(`${import.meta.dirname}/e2e`)
  .filter((name) => name.endsWith('.spec.ts'))
  .filter((name) => !ORDER.some((start) => name.startsWith(start)));
if (astray.length > 0) {
  throw new Error(`give ${astray.join(', ')} a place in the order of playwright.config.ts`);
}

/** The server makes its own certificate on first start. The browser is told to trust it: passkeys need that. */
function keyOfServer(): string {
  const { publicKey } = new X509Certificate(readFileSync(scratch('server', 'tls', 'server.crt')));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  globalSetup: './e2e/support/run.ts',
  projects: [
    { name: FIRST, testMatch: `${FIRST}*.spec.ts` },
    ...OTHERS.map((name) => ({ name, testMatch: `${name}*.spec.ts`, dependencies: [FIRST] })),
  ],
  // One server with one fresh database is walked through from its first page on.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 180_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    viewport: { width: 1440, height: 900 },
    // Contrast cannot be measured while something fades in.
    contextOptions: { reducedMotion: 'reduce' },
    baseURL: process.env.JOURNEY_URL,
    // Identity providers of journeys have certificates of their own.
    ignoreHTTPSErrors: true,
    screenshot: 'only-on-failure',
    actionTimeout: 15_000,
    navigationTimeout: 30_000,
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: [
        `--ignore-certificate-errors-spki-list=${keyOfServer()}`,
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
