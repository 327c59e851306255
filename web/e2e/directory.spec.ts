import { Directory } from './peers/directory';
import { expect, type Page, test } from './support/journey';
import { deactivate, expectMember, linkToAda, unlink, whoami } from './support/members';
import { expectAccessible, expectNoSidewaysScroll, picture, VIEWPORTS } from './support/page';
import { ADA, giveCredentials, openAs, signOut } from './support/people';

const NAME = 'Corporate directory';

const FRANCES = {
  uid: 'frances',
  name: 'Frances Allen',
  password: 'nanoseconds of wire',
  mail: 'frances@directory.example',
  groups: ['operators'],
};

const PEOPLE = [
  FRANCES,
  { uid: 'ada', name: 'Moss of the directory', password: 'herons', mail: ADA.email, groups: [] },
  { uid: 'alan', name: 'Alan Kay', password: 'small talk', groups: ['operators', 'auditors'] },
];

let directory: Directory;

test.describe.configure({ mode: 'serial' });
test.beforeAll(async () => {
  directory = await Directory.start(PEOPLE);
});
test.afterAll(() => directory?.stop());

async function signInWithDirectory(page: Page, uid: string, password: string): Promise<void> {
  await page.goto('/login');
  await page.getByRole('button', { name: `Sign in with ${NAME}` }).click();
  await giveDirectoryPassword(page, uid, password);
}

async function giveDirectoryPassword(page: Page, uid: string, password: string): Promise<void> {
  await page.getByLabel('Username').fill(uid);
  await page.getByLabel('Directory password').fill(password);
  await page.getByRole('button', { name: 'Sign in with the directory' }).click();
}

test('Spec: auth 29, ldap-directory-lookup 17: an administrator tries a directory out and adds it', async ({
  browser,
}) => {
  const page = await openAs(browser, ADA, '/settings/directories');
  await page.getByRole('button', { name: 'Add directory' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add directory' });
  await dialog.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'OpenLDAP' }).click();
  await dialog.getByLabel('Name', { exact: true }).fill(NAME);
  await dialog.getByLabel('Servers').fill(`127.0.0.1:${directory.port}`);
  await dialog.getByLabel('Certificate authority').fill(directory.authorityPem);
  await dialog.getByLabel('Service account (DN)').fill(Directory.serviceDn);
  const password = dialog.getByLabel('Password of the service account');
  await password.fill('not the password');
  await dialog.getByLabel('Base DN').fill(Directory.base);
  await dialog.getByLabel('Base for people').fill(Directory.people);
  const rules = [
    `engineer: ${Directory.group('operators')}`,
    `read_only: ${Directory.group('auditors')}`,
  ];
  await dialog.getByLabel('Roles by group').fill(rules.join('\n'));
  await dialog.getByLabel('People may sign in with it').check();
  await dialog.getByLabel('Sample username').fill(FRANCES.uid);

  const test = dialog.getByRole('button', { name: 'Test connection' });
  await test.click();
  await expect(dialog.getByText('Test failed')).toBeVisible();
  await password.fill(Directory.servicePassword);
  await test.click();
  await expect(dialog.getByText('Test passed')).toBeVisible();
  await expect(dialog.getByText('Entries found')).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'directory-tested');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  const row = page.getByRole('table', { name: 'Directories' }).getByRole('row', { name: NAME });
  await expect(row).toContainText('sign-in and look-up');
  await expect(row).toContainText('LDAPS');
  await expect(page.getByText(Directory.servicePassword)).toBeHidden();
  await page.context().close();
});

test('Spec: auth 30, 31: a person of the directory signs in and has the role of their group', async ({
  page,
  browser,
}) => {
  await page.setViewportSize(VIEWPORTS.phone);
  await signInWithDirectory(page, FRANCES.uid, 'a wrong password');
  await expect(page.getByText('The username or the password is wrong.')).toBeVisible();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await picture(page, 'directory-sign-in-phone');
  await giveDirectoryPassword(page, FRANCES.uid, FRANCES.password);
  await expect(page).toHaveURL(/\/hosts/);
  const { user, roles } = await whoami(page);
  expect([user.name, user.email, user.email_verified, roles]).toEqual([
    FRANCES.name,
    FRANCES.mail,
    true,
    ['engineer'],
  ]);
  await expectMember(browser, FRANCES.name, [FRANCES.mail, 'Engineer', 'Active']);
});

test('Spec: auth 31: the next sign-in follows the groups of the directory', async ({ page }) => {
  await directory.move(FRANCES.uid, 'operators', 'auditors');
  await signInWithDirectory(page, FRANCES.uid, FRANCES.password);
  await expect(page).toHaveURL(/\/hosts/);
  expect((await whoami(page)).roles).toEqual(['read_only']);
  // The account she has is the one she had.
  const people = await page.request.get('/api/v1/users');
  expect(people.status(), 'who may only read sees no list of people').toBe(403);
});

test('Spec: auth 31: an account with the same address is linked by its own sign-in only', async ({
  page,
}) => {
  await signInWithDirectory(page, 'ada', 'herons');
  await expect(page.getByText(/exists already/)).toBeVisible();
  await page.getByRole('link', { name: 'Link them' }).click();
  await linkToAda(page, 'Moss of the directory');
  await signOut(page);
  await signInWithDirectory(page, 'ada', 'herons');
  await expect(page).toHaveURL(/\/hosts/);
  expect((await whoami(page)).user.email).toBe(ADA.email);
  await unlink(page, 'Moss of the directory');
  await signOut(page);
  await signInWithDirectory(page, 'ada', 'herons');
  await expect(page.getByText(/exists already/)).toBeVisible();
});

test('Spec: auth 14: who is deactivated is out at once and cannot come back in', async ({
  page,
  browser,
}) => {
  await signInWithDirectory(page, FRANCES.uid, FRANCES.password);
  await expect(page).toHaveURL(/\/hosts/);
  await deactivate(browser, FRANCES.name);
  await page.goto('/account/sessions');
  await expect(page).toHaveURL(/\/login/);
  await signInWithDirectory(page, FRANCES.uid, FRANCES.password);
  await expect(page.getByText('The username or the password is wrong.')).toBeVisible();
});

test('Spec: auth 32: while the directory is away it is said so, and local accounts work', async ({
  page,
}) => {
  await directory.stop();
  await signInWithDirectory(page, 'alan', 'small talk');
  await expect(page.getByText(/The directory does not answer/)).toBeVisible();
  await giveCredentials(page, ADA);
  await expect(page).toHaveURL(/\/hosts/);
  await directory.resume();
});

test('Spec: auth 29: a directory that is deleted is not offered any more', async ({
  page,
  browser,
}) => {
  const admin = await openAs(browser, ADA, '/settings/directories');
  await admin.getByRole('button', { name: `Delete ${NAME}` }).click();
  const dialog = admin.getByRole('dialog', { name: `Delete ${NAME}?` });
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByRole('button', { name: 'Delete all the same' }).click();
  await expect(admin.getByText('No directory yet')).toBeVisible();
  await admin.context().close();
  await page.goto('/login');
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: `Sign in with ${NAME}` })).toBeHidden();
});
