import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Mfa } from '@/api/schema';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

const NONE: Mfa = {
  totp_enrolled_at: null,
  recovery_codes_left: 0,
  passkeys: 0,
  required: false,
};
const ENROLLED: Mfa = { ...NONE, totp_enrolled_at: ago(3_600), recovery_codes_left: 2 };
const CODES = Array.from({ length: 10 }, (_, n) => `abcdefghj${n}`);

function page(mfa: Mfa, more: Answers = {}): Answers {
  return {
    'GET /me/mfa': mfa,
    'GET /me/passkeys': { items: [] },
    'GET /me/external-identities': { items: [] },
    'GET /me/reauthentication': {
      password: true,
      passkey: false,
      redirect: null,
      confirmed_until: ago(60),
    },
    'POST /me/mfa/totp': { secret: 'GEZDGNBV', link: 'otpauth://totp/x', qr_svg: '<svg/>' },
    'POST /me/mfa/totp/confirm': { recovery_codes: CODES },
    ...more,
  };
}

describe('security page', () => {
  it('Spec: auth 16: enrolment_shows_picture_and_secret_then_the_recovery_codes_once', async () => {
    const { api, user } = renderApp('/account/security', page(NONE));
    await user.click(await screen.findByRole('button', { name: 'Set up an app' }));
    const dialog = await screen.findByRole('dialog', { name: 'Set up an authenticator app' });
    expect(within(dialog).getByRole('img', { name: 'QR code of the secret' })).toBeVisible();
    expect(within(dialog).getByText('GEZDGNBV')).toBeVisible();
    await user.type(within(dialog).getByLabelText(/Code the app shows now/), '123456');
    await user.click(within(dialog).getByRole('button', { name: 'Turn on' }));
    const codes = await screen.findByRole('dialog', { name: 'Recovery codes' });
    expect(codes).toHaveTextContent('abcdefghj0');
    expect(api.to('POST /me/mfa/totp/confirm')[0]?.body).toEqual({ code: '123456' });
    await user.click(within(codes).getByRole('button', { name: 'I have kept them' }));
    await waitFor(() => expect(screen.queryByText(/abcdefghj0/)).toBeNull());
  });

  it('Spec: auth 17: a_change_asks_for_the_password_when_the_last_proof_is_too_old', async () => {
    let refuse = true;
    const { api, user } = renderApp(
      '/account/security',
      page(ENROLLED, {
        'DELETE /me/mfa/totp': () =>
          refuse ? new Refusal(403, 'reauthentication_required') : undefined,
        'POST /me/reauthenticate': () => {
          refuse = false;
          return undefined;
        },
      }),
    );
    await user.click(await screen.findByRole('button', { name: 'Remove the app' }));
    const ask = await screen.findByRole('dialog', { name: 'Remove the authenticator app?' });
    await user.click(within(ask).getByRole('button', { name: 'Remove' }));
    const confirm = await screen.findByRole('dialog', { name: 'Confirm that it is you' });
    await user.type(await within(confirm).findByLabelText('Your password'), 'my password');
    await user.click(within(confirm).getByRole('button', { name: 'Confirm' }));
    await waitFor(() => expect(api.to('DELETE /me/mfa/totp')).toHaveLength(2));
    expect(api.to('POST /me/reauthenticate')[0]?.body).toEqual({ password: 'my password' });
  });

  it('Spec: auth 17: a_wrong_password_is_said_and_can_be_typed_again', async () => {
    const { api, user } = renderApp(
      '/account/security',
      page(NONE, {
        'POST /me/mfa/totp': new Refusal(403, 'reauthentication_required'),
        'POST /me/reauthenticate': new Refusal(422, 'invalid_credentials'),
      }),
    );
    await user.click(await screen.findByRole('button', { name: 'Set up an app' }));
    const confirm = await screen.findByRole('dialog', { name: 'Confirm that it is you' });
    await user.type(await within(confirm).findByLabelText('Your password'), 'wrong');
    await user.click(within(confirm).getByRole('button', { name: 'Confirm' }));
    expect(await within(confirm).findByRole('alert')).toHaveTextContent('The password is wrong.');
    expect(within(confirm).getByLabelText('Your password')).toHaveValue('');
    expect(api.to('POST /me/mfa/totp')).toHaveLength(1);
  });

  it('Spec: auth 17: people_of_an_identity_provider_are_sent_there_and_come_back_to_this_page', async () => {
    const { user } = renderApp(
      '/account/security?from=a#secret',
      page(NONE, {
        'POST /me/mfa/totp': new Refusal(403, 'reauthentication_required'),
        'GET /me/reauthentication': {
          password: false,
          passkey: false,
          redirect: '/api/v1/auth/oidc/p1/start?confirm=true',
          confirmed_until: ago(60),
        },
      }),
    );
    await user.click(await screen.findByRole('button', { name: 'Set up an app' }));
    const confirm = await screen.findByRole('dialog', { name: 'Confirm that it is you' });
    const way = await within(confirm).findByRole('link', { name: /Sign in again/ });
    const target = new URL(way.getAttribute('href') ?? '', 'https://ops.example.com');
    expect(target.pathname).toBe('/api/v1/auth/oidc/p1/start');
    expect(target.searchParams.get('confirm')).toBe('true');
    expect(target.searchParams.get('return_to')).toMatch(/^\/account\/security/);
    expect(target.href).not.toContain('secret');
    expect(within(confirm).queryByLabelText('Your password')).toBeNull();
  });

  it('Spec: auth 18: whoever_must_enrol_is_led_here_from_every_page', async () => {
    const me = { ...aMe(), standing: 'must_enrol' };
    const { address } = renderApp('/hosts', { ...page(NONE), 'GET /me': me });
    expect(await screen.findByText(/Your organisation demands a second factor/)).toBeVisible();
    expect(address()).toBe('/account/security');
  });

  it('Spec: auth 16: few_recovery_codes_are_warned_of_and_new_ones_shown', async () => {
    const { user } = renderApp(
      '/account/security',
      page(ENROLLED, { 'POST /me/mfa/recovery-codes': { recovery_codes: CODES } }),
    );
    expect(await screen.findByText(/Make new ones before they run out/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Make new codes' }));
    const ask = await screen.findByRole('dialog', { name: 'Make new recovery codes?' });
    await user.click(within(ask).getByRole('button', { name: 'Make new codes' }));
    expect(await screen.findByRole('dialog', { name: 'Recovery codes' })).toHaveTextContent(
      'abcdefghj9',
    );
  });

  it('passkeys_are_listed_renamed_and_removed', async () => {
    const passkey = { id: 'p1', name: 'Laptop', created_at: ago(7_200), last_used_at: null };
    const { api, user } = renderApp(
      '/account/security',
      page(
        { ...NONE, passkeys: 1 },
        {
          'GET /me/passkeys': { items: [passkey] },
          'PATCH /me/passkeys/{id}': { ...passkey, name: 'Phone' },
          'DELETE /me/passkeys/{id}': undefined,
        },
      ),
    );
    expect((await tableRows('Passkeys'))[0]?.slice(0, 3)).toEqual(['Laptop', '2 h ago', 'never']);
    await user.click(screen.getByRole('button', { name: 'Rename Laptop' }));
    const rename = await screen.findByRole('dialog', { name: 'Rename passkey' });
    await user.clear(within(rename).getByLabelText('Name'));
    await user.type(within(rename).getByLabelText('Name'), 'Phone');
    await user.click(within(rename).getByRole('button', { name: 'Rename' }));
    await waitFor(() =>
      expect(api.to('PATCH /me/passkeys/{id}')[0]?.body).toEqual({ name: 'Phone' }),
    );
    await user.click(await screen.findByRole('button', { name: 'Remove Laptop' }));
    const remove = await screen.findByRole('dialog', { name: 'Remove passkey?' });
    await user.click(within(remove).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(api.to('DELETE /me/passkeys/{id}')).toHaveLength(1));
  });
});
