import { expect, test } from './support/journey';
import { expectAccessible, picture } from './support/page';
import { ADA, openAs } from './support/people';
import { run } from './support/programs';
import { scratch, setting } from './support/setting';

const NAME = 'Nightly report';

interface Answer {
  status: number;
  body: { code?: string; items?: { hostname: string }[] };
}

/** A request of the real curl, which trusts the authority of this installation and nothing else. */
async function curl(secret: string, path: string, ...more: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await run('curl', [
    ...['--silent', '--show-error', '--max-time', '30', '--write-out', '\n%{http_code}'],
    ...['--cacert', scratch('server', 'tls', 'ca.pem')],
    ...['--header', `Authorization: Bearer ${secret}`],
    ...more,
    `${setting('JOURNEY_URL')}/api/v1${path}`,
  ]);
  expect(code, stderr).toBe(0);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end) || '{}') };
}

test('Spec: auth 20, 21: a key made in the browser works from curl until it is revoked', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/account/api-keys');
  await page.getByRole('button', { name: 'Create key' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(NAME);
  await dialog.getByLabel('hosts.read', { exact: true }).check();
  await dialog.getByLabel('Ends after (days)').fill('30');
  await dialog.getByLabel('Allowed networks').fill('198.51.100.0/24');
  await expectAccessible(page);
  await picture(page, 'key-form-desktop-light');
  await dialog.getByRole('button', { name: 'Create key' }).click();
  const secret = await dialog.getByRole('region', { name: 'Secret' }).getByRole('code').innerText();
  expect(secret).toMatch(/^ctops_pat_[A-Za-z0-9_-]{43}$/);
  await expect(dialog.getByRole('region', { name: 'Example' })).toContainText(secret);
  await picture(page, 'key-created-desktop-light');
  await dialog.getByRole('button', { name: /Done|kept/ }).click();
  await expect(page.getByText(secret)).toHaveCount(0);

  const inside = ['--header', 'X-Forwarded-For: 198.51.100.7'];
  const hosts = await curl(secret, '/hosts', ...inside);
  expect(hosts).toMatchObject({ status: 200, body: { items: [{}] } });
  const written = ['--request', 'POST', '--json', '{"label":"by a key"}'];
  expect(await curl(secret, '/enrolment-tokens', ...inside, ...written)).toMatchObject({
    status: 403,
    body: { code: 'forbidden' },
  });
  expect(await curl(secret, '/enrolment-tokens', ...inside)).toMatchObject({ status: 403 });
  // From elsewhere, or changed by a letter, it is nothing.
  expect(await curl(secret, '/hosts')).toMatchObject({ status: 401 });
  expect(await curl(`${secret.slice(0, -1)}~`, '/hosts', ...inside)).toMatchObject({ status: 401 });

  await page.reload();
  const row = page.getByRole('row', { name: new RegExp(NAME) });
  await expect(row).toContainText('198.51.100.7');
  await expect(row).toContainText(`…${secret.slice(-4)}`);
  await page.getByRole('button', { name: `Revoke ${NAME}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke key' }).click();
  await expect(row).toContainText('Revoked');
  expect(await curl(secret, '/hosts', ...inside)).toMatchObject({ status: 401 });
  await expectAccessible(page);
  await page.context().close();
});
