import { createHash } from 'node:crypto';
import { test as base } from '@playwright/test';

export { expect, type Page } from '@playwright/test';

/**
 * Every test comes from an address of its own, as if a proxy had reported it: sign-ins of one test then do not use up
 * what another one may do in the same minute. The addresses are those for benchmarks (RFC 2544).
 */
export const test = base.extend<{ clientAddress: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: the runner reads the fixtures from the pattern
  clientAddress: async ({}, use, info) => {
    const [a = 0, b = 0] = createHash('sha256').update(info.testId).digest();
    await use(`198.18.${a}.${b}`);
  },
  extraHTTPHeaders: async ({ clientAddress }, use) => {
    await use({ 'X-Forwarded-For': clientAddress });
  },
});
