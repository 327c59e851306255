import { type SamlPerson, SamlProvider } from './peers/samlProvider';
import { expect, type Page, test } from './support/journey';
import { license, unlicense } from './support/licence';
import { deactivate, expectMember, linkToAda, unlink, whoami } from './support/members';
import { expectAccessible, picture } from './support/page';
import { ADA, openAs, signOut } from './support/people';
import {
  addProvider,
  beginAuthenticator,
  beginProvider,
  confirmAtProvider,
  deleteProvider,
  giveProviderPassword,
  leaveFor,
} from './support/providers';
import { setting } from './support/setting';

const NAME = 'Campus';
const MAIL = 'urn:oid:0.9.2342.19200300.100.1.3';
const DISPLAY_NAME = 'urn:oid:2.16.840.1.113730.3.1.241';

const EMMY: SamlPerson = {
  id: 'emmy-4711',
  username: 'emmy',
  password: 'rings and ideals',
  attributes: {
    [MAIL]: ['emmy@campus.example'],
    [DISPLAY_NAME]: ['Emmy Noether'],
    groups: ['algebra', 'staff'],
  },
};

const MOSS: SamlPerson = {
  id: 'moss-1',
  username: 'moss',
  password: 'herons',
  attributes: { [MAIL]: [ADA.email], [DISPLAY_NAME]: ['Moss of Campus'], groups: [] },
};

let provider: SamlProvider;

test.describe.configure({ mode: 'serial' });
test.beforeAll(async () => {
  provider = await SamlProvider.start([EMMY, MOSS]);
});
test.afterAll(() => provider?.stop());

async function signIn(page: Page, person: SamlPerson): Promise<void> {
  await page.goto('/login');
  await leaveFor(page, NAME);
  await giveProviderPassword(page, person.username, person.password);
}

test('Spec: auth 34: an administrator uploads metadata and gets ours', async ({ browser }) => {
  const admin = await openAs(browser, ADA, '/');
  await license(admin, 'enterprise');
  await admin.context().close();
  const page = await beginProvider(browser, 'saml', NAME, 'staff = read_only\nalgebra = engineer');
  const dialog = page.getByRole('dialog', { name: 'Add identity provider' });
  const buffer = Buffer.from(provider.metadata);
  await dialog
    .locator('input[type=file]')
    .setInputFiles({ name: 'campus.xml', mimeType: 'application/xml', buffer });
  await expect(dialog.getByLabel('Metadata of the identity provider')).toHaveValue(
    /IDPSSODescriptor/,
  );
  await dialog.getByLabel('Take its email addresses for verified').check();
  await expectAccessible(page);
  await picture(page, 'saml-provider-form');
  await addProvider(page, NAME);
  const panel = page.getByRole('region', { name: NAME });
  await expect(panel).toContainText(provider.entityId);
  await page.getByRole('button', { name: `Test ${NAME}` }).click();
  await expect(panel.getByText(`browsers are sent to ${provider.address}/sso`)).toBeVisible();
  const ours = await panel.getByRole('link', { name: 'Our metadata' }).getAttribute('href');
  const metadata = await (await page.request.get(ours ?? '')).text();
  expect(metadata).toContain('WantAssertionsSigned="true"');
  expect(metadata).not.toContain('PRIVATE');
  await picture(page, 'saml-provider-added');
  await page.context().close();
});

test('Spec: auth 34, 35: somebody new comes in through the provider and back to their page', async ({
  page,
  browser,
}) => {
  await page.goto('/agents');
  await expect(page).toHaveURL(/\/login\?redirect=/);
  const left = page.waitForRequest((request) =>
    request.url().startsWith(`${provider.address}/sso`),
  );
  await leaveFor(page, NAME);
  expect(new URL((await left).url()).searchParams.has('SAMLRequest')).toBe(true);
  await giveProviderPassword(page, EMMY.username, 'a wrong password');
  await expect(page.getByText('Wrong name or password.')).toBeVisible();
  const posted = page.waitForRequest((request) => request.url().endsWith('/acs'));
  await giveProviderPassword(page, EMMY.username, EMMY.password);
  const answer = await posted;
  expect([answer.method(), answer.postData()?.includes('SAMLResponse=')]).toEqual(['POST', true]);
  await expect(page).toHaveURL(`${setting('JOURNEY_URL')}/agents`);
  const { user, roles } = await whoami(page);
  expect([user.name, user.email, [...roles].sort()]).toEqual([
    'Emmy Noether',
    'emmy@campus.example',
    ['engineer', 'read_only'],
  ]);
  await expectMember(browser, 'Emmy Noether', ['emmy@campus.example', 'Engineer', 'Active']);
});

test('Spec: auth 34: an answer that was used is worth nothing in another browser', async ({
  page,
  browser,
}) => {
  const posted = page.waitForRequest((request) => request.url().endsWith('/acs'));
  await signIn(page, EMMY);
  const answer = await posted;
  await expect(page).toHaveURL(/\/hosts/);
  const thief = await browser.newContext();
  const again = await thief.request.post(answer.url(), {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
    data: answer.postData() ?? '',
    maxRedirects: 0,
  });
  expect(again.status(), await again.text()).toBe(401);
  expect((await thief.request.get('/api/v1/me')).status()).toBe(401);
  await thief.close();
});

test('Spec: auth 17: a session at the provider confirms nothing, its password does', async ({
  page,
}) => {
  provider.signedInAgoMs = 3_600_000;
  await signIn(page, EMMY);
  await expect(page).toHaveURL(/\/hosts/);
  provider.signedInAgoMs = 0;
  provider.ignoresForce = true;
  await beginAuthenticator(page);
  await confirmAtProvider(page);
  await expect(page, 'the assertion is older than what was asked for').toHaveURL(/sso_error/);
  await expect(page.getByText(/gave no usable answer/)).toBeVisible();

  provider.ignoresForce = false;
  await beginAuthenticator(page);
  await confirmAtProvider(page);
  await giveProviderPassword(page, EMMY.username, EMMY.password);
  await expect(page).toHaveURL(/\/account\/security/);
  await page.getByRole('button', { name: 'Set up an app' }).click();
  await expect(page.getByRole('dialog', { name: 'Set up an authenticator app' })).toBeVisible();
});

test('Spec: auth 31, 35: an account with the same address is linked by its own sign-in only', async ({
  page,
}) => {
  await signIn(page, MOSS);
  await linkToAda(page, 'Moss of Campus');
  await signOut(page);
  await leaveFor(page, NAME);
  await expect(page, 'the provider knows the browser').toHaveURL(/\/hosts/);
  expect((await whoami(page)).user.email).toBe(ADA.email);
  await unlink(page, 'Moss of Campus');
});

test('Spec: auth 14, 35: who is deactivated is out at once and is refused with a reason', async ({
  page,
  browser,
}) => {
  await signIn(page, EMMY);
  await expect(page).toHaveURL(/\/hosts/);
  await deactivate(browser, 'Emmy Noether');
  await page.goto('/account/sessions');
  await expect(page).toHaveURL(/\/login/);
  await leaveFor(page, NAME);
  await expect(page.getByText(/you may not come in here/)).toBeVisible();
});

test('Spec: auth 35: a provider that is deleted is not offered any more', async ({ browser }) => {
  await deleteProvider(browser, NAME);
  const admin = await openAs(browser, ADA, '/');
  await unlicense(admin);
  await admin.context().close();
});
