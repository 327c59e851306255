import { type OpenIdPerson, OpenIdProvider } from './peers/openidProvider';
import { expect, type Page, test } from './support/journey';
import { license, unlicense } from './support/licence';
import { deactivate, expectMember, linkToAda, unlink, whoami } from './support/members';
import { expectAccessible, expectNoSidewaysScroll, picture, VIEWPORTS } from './support/page';
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

const NAME = 'Corporate';
const AN_HOUR_S = 3600;

const ALICE: OpenIdPerson = {
  sub: 'alice-1',
  username: 'alice',
  password: 'down the rabbit hole',
  claims: {
    name: 'Alice Liddell',
    email: 'alice@corporate.example',
    email_verified: true,
    groups: ['ops'],
  },
};

const MOSS: OpenIdPerson = {
  sub: 'moss-1',
  username: 'moss',
  password: 'herons',
  claims: { name: 'Moss of Corporate', email: ADA.email, email_verified: true, groups: [] },
};

let provider: OpenIdProvider;

test.describe.configure({ mode: 'serial' });
test.beforeAll(async () => {
  provider = await OpenIdProvider.start();
});
test.afterAll(() => provider?.stop());

async function signIn(page: Page, person: OpenIdPerson): Promise<void> {
  await page.goto('/login');
  await leaveFor(page, NAME);
  await giveProviderPassword(page, person.username, person.password);
}

test('Spec: auth 33, 35: an administrator adds a provider by its discovery document', async ({
  browser,
}) => {
  const admin = await openAs(browser, ADA, '/');
  await license(admin, 'enterprise');
  await admin.context().close();
  const page = await beginProvider(browser, 'custom', NAME, 'ops = engineer');
  const dialog = page.getByRole('dialog', { name: 'Add identity provider' });
  await dialog.getByLabel('Issuer').fill(provider.issuer);
  await dialog.getByLabel('Client id').fill(OpenIdProvider.clientId);
  await dialog.getByLabel('Client secret').fill(OpenIdProvider.secret);
  await dialog.getByLabel('Scopes').fill('profile\nemail\ngroups');
  await dialog.getByLabel('Claim with the groups').fill('groups');
  await dialog.getByLabel('Certificate authority').fill(provider.authorityPem);
  await expectAccessible(page);
  await picture(page, 'oidc-provider-form');
  await addProvider(page, NAME);
  const panel = page.getByRole('region', { name: NAME });
  const redirect = await panel.getByText(/\/api\/v1\/auth\/oidc\/.*\/callback$/).innerText();
  await provider.serve(redirect, `${setting('JOURNEY_URL')}/login`, [ALICE, MOSS]);
  await page.getByRole('button', { name: `Test ${NAME}` }).click();
  await expect(panel.getByText(/keys for RS256 or ES256/)).toBeVisible();
  await expect(panel.getByText(OpenIdProvider.secret)).toBeHidden();
  await picture(page, 'oidc-provider-tested');
  await page.context().close();
});

test('Spec: auth 33, 35: somebody new comes in through the provider and back to their page', async ({
  page,
  browser,
}) => {
  await page.setViewportSize(VIEWPORTS.phone);
  await page.goto('/agents');
  await expect(page).toHaveURL(/\/login\?redirect=/);
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await picture(page, 'sign-in-with-provider-phone');
  const left = page.waitForRequest((request) =>
    request.url().startsWith(`${provider.issuer}/auth`),
  );
  await leaveFor(page, NAME);
  const asked = new URL((await left).url()).searchParams;
  expect(asked.get('code_challenge_method')).toBe('S256');
  expect(asked.get('prompt'), 'the provider decides whether it asks').toBeNull();
  for (const name of ['code_challenge', 'state', 'nonce']) {
    expect(asked.get(name), name).toMatch(/^[\w-]{43}$/);
  }
  await expect(page.getByRole('heading', { name: 'Sign in to the provider' })).toBeVisible();
  await giveProviderPassword(page, ALICE.username, 'a wrong password');
  await expect(page.getByText('Wrong name or password.')).toBeVisible();
  await giveProviderPassword(page, ALICE.username, ALICE.password);
  await expect(page).toHaveURL(`${setting('JOURNEY_URL')}/agents`);
  const { user, roles } = await whoami(page);
  expect([user.name, user.email, user.email_verified, roles]).toEqual([
    'Alice Liddell',
    'alice@corporate.example',
    true,
    ['engineer'],
  ]);
  await expectMember(browser, 'Alice Liddell', ['alice@corporate.example', 'Engineer', 'Active']);
});

test('Spec: auth 17: an hour-old session at the provider confirms nothing, its password does', async ({
  page,
}) => {
  await provider.know([{ ...ALICE, seconds_ago: AN_HOUR_S }, MOSS]);
  await signIn(page, ALICE);
  await expect(page).toHaveURL(/\/hosts/);
  await beginAuthenticator(page);
  await expectAccessible(page);
  await picture(page, 'confirm-at-provider');
  await confirmAtProvider(page);
  // It has a session of this browser and asks all the same.
  await giveProviderPassword(page, ALICE.username, ALICE.password);
  await expect(page, 'what the token says is older than what was asked for').toHaveURL(/sso_error/);
  await expect(page.getByText(/gave no usable answer/)).toBeVisible();

  await provider.know([ALICE, MOSS]);
  await beginAuthenticator(page);
  await confirmAtProvider(page);
  await giveProviderPassword(page, ALICE.username, ALICE.password);
  await expect(page).toHaveURL(/\/account\/security/);
  await page.getByRole('button', { name: 'Set up an app' }).click();
  await expect(page.getByRole('dialog', { name: 'Set up an authenticator app' })).toBeVisible();
});

test('Spec: auth 17: the password of somebody else confirms nothing', async ({ page }) => {
  await provider.know([{ ...ALICE, seconds_ago: AN_HOUR_S }, MOSS]);
  await signIn(page, ALICE);
  await expect(page).toHaveURL(/\/hosts/);
  await beginAuthenticator(page);
  await confirmAtProvider(page);
  await giveProviderPassword(page, MOSS.username, MOSS.password);
  await expect(page).not.toHaveURL(/\/account\/security/);
  await expect(page.getByRole('button', { name: 'Set up an app' })).toBeHidden();
  await provider.know([ALICE, MOSS]);
});

test('Spec: auth 31, 35: an account with the same address is linked by its own sign-in only', async ({
  page,
}) => {
  await signIn(page, MOSS);
  await linkToAda(page, 'Moss of Corporate');
  expect((await whoami(page)).user.email).toBe(ADA.email);
  await page.context().clearCookies();
  await signIn(page, MOSS);
  await expect(page).toHaveURL(/\/hosts/);
  expect((await whoami(page)).user.email).toBe(ADA.email);
  await unlink(page, 'Moss of Corporate');
});

test('Spec: auth 12, 35: signing out ends the session here and at the provider', async ({
  page,
}) => {
  await signIn(page, ALICE);
  await expect(page).toHaveURL(/\/hosts/);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(new RegExp(`^${provider.issuer}/session/end`));
  await page.getByRole('button', { name: /sign me out/i }).click();
  await expect(page).toHaveURL(`${setting('JOURNEY_URL')}/login`);
  await leaveFor(page, NAME);
  await expect(page.getByRole('heading', { name: 'Sign in to the provider' })).toBeVisible();
});

test('Spec: auth 35, licensing 12: without the licence the button is gone, with it it is back', async ({
  page,
  browser,
}) => {
  await page.goto('/login');
  await expect(page.getByRole('link', { name: `Sign in with ${NAME}` })).toBeVisible();
  const admin = await openAs(browser, ADA, '/');
  await unlicense(admin);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: `Sign in with ${NAME}` })).toBeHidden();
  await license(admin, 'pro');
  await page.reload();
  await expect(page.getByRole('link', { name: `Sign in with ${NAME}` })).toBeVisible();
  await admin.context().close();
});

test('Spec: auth 14, 35: who is deactivated is out at once and is refused with a reason', async ({
  page,
  browser,
}) => {
  await signIn(page, ALICE);
  await expect(page).toHaveURL(/\/hosts/);
  await deactivate(browser, 'Alice Liddell');
  await page.goto('/account/sessions');
  await expect(page).toHaveURL(/\/login/);
  await leaveFor(page, NAME);
  await expect(page.getByText(/you may not come in here/)).toBeVisible();
  await picture(page, 'refused-by-provider');
  await page.goto('/hosts');
  await expect(page).toHaveURL(/\/login/);
});

test('Spec: auth 35: a provider that is deleted is not offered any more', async ({ browser }) => {
  await deleteProvider(browser, NAME);
  const admin = await openAs(browser, ADA, '/');
  await unlicense(admin);
  await signOut(admin);
  await admin.context().close();
});
