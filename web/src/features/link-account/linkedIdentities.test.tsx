import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { LinkedIdentity } from '@/api/schema';
import { ago } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const CAMPUS: LinkedIdentity = {
  id: 'x1',
  provider: 'saml',
  provider_id: 'p1',
  name: 'Emmy of Campus',
  linked_at: ago(7_200),
  last_used_at: ago(60),
};

function open(items: LinkedIdentity[], more: Answers = {}) {
  return renderApp('/account/security', {
    'GET /me/mfa': {
      totp_enrolled_at: null,
      recovery_codes_left: 0,
      passkeys: 0,
      required: false,
    },
    'GET /me/passkeys': { items: [] },
    'GET /me/external-identities': { items },
    ...more,
  });
}

async function unlink(user: ReturnType<typeof renderApp>['user']) {
  await user.click(await screen.findByRole('button', { name: 'Unlink Emmy of Campus' }));
  const dialog = await screen.findByRole('dialog', { name: 'Unlink this sign-in?' });
  await user.click(within(dialog).getByRole('button', { name: 'Unlink' }));
  return dialog;
}

describe('linked sign-ins', () => {
  it('Spec: auth 31: what_is_linked_is_listed_and_unlinked', async () => {
    const { api, user } = open([CAMPUS], { 'DELETE /me/external-identities/{id}': undefined });
    expect(await tableRows('Linked sign-ins')).toEqual([
      ['Emmy of Campus', 'SAML 2.0', '2 h ago', '1 min ago', 'Unlink'],
    ]);
    api.answer({ 'GET /me/external-identities': { items: [] } });
    await unlink(user);
    await waitFor(() => expect(screen.queryByText('Emmy of Campus')).toBeNull());
    expect(api.to('DELETE /me/external-identities/{id}')).toHaveLength(1);
  });

  it('the_only_way_into_an_account_stays_and_it_is_said_why', async () => {
    const { user } = open([CAMPUS], {
      'DELETE /me/external-identities/{id}': new Refusal(409, 'conflict'),
    });
    const dialog = await unlink(user);
    expect(await within(dialog).findByText(/only way into your account/)).toBeVisible();
  });

  it('Spec: auth 17: an_old_proof_is_asked_for_again_before_anything_is_unlinked', async () => {
    const { user } = open([CAMPUS], {
      'DELETE /me/external-identities/{id}': new Refusal(403, 'reauthentication_required'),
      'GET /me/reauthentication': {
        password: true,
        passkey: false,
        redirect: null,
        confirmed_until: ago(60),
      },
    });
    await unlink(user);
    const confirm = await screen.findByRole('dialog', { name: 'Confirm that it is you' });
    expect(await within(confirm).findByLabelText('Your password')).toBeVisible();
  });

  it('who_has_none_sees_no_panel', async () => {
    const { api } = open([]);
    await screen.findByRole('button', { name: 'Set up an app' });
    await waitFor(() => expect(api.to('GET /me/external-identities')).toHaveLength(1));
    expect(screen.queryByText('Linked sign-ins')).toBeNull();
  });

  it('a_list_that_cannot_be_read_is_no_empty_list', async () => {
    open([], { 'GET /me/external-identities': new Refusal(503, 'unavailable') });
    expect(await screen.findByRole('alert', {}, { timeout: 5_000 })).toBeVisible();
  });
});
