import { screen, waitFor } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SecondFactorMethod } from '@/api/schema';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const SIGNED_OUT = new Refusal(401, 'unauthenticated');

/** The server's options are opaque to the page. */
const CEREMONY = { ceremony: 'c1', options: { publicKey: {} } as never };

function waiting(methods: SecondFactorMethod[] = ['totp', 'recovery_code']): Answers {
  const step = { methods, expires_at: ago(-600) };
  return {
    'GET /me': SIGNED_OUT,
    'POST /auth/login': { status: 'second_factor', ...step },
    'GET /auth/mfa': step,
    'POST /auth/mfa/verify': { status: 'signed_in', me: aMe() },
  };
}

async function signIn(user: UserEvent) {
  await user.type(await screen.findByLabelText('Email'), 'ada@example.net');
  await user.type(screen.getByLabelText('Password'), 'a long enough password');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
}

/** A browser that knows passkeys, with a device that signs whatever it is given. */
function stubPasskeys() {
  const credential = { toJSON: () => ({ id: 'credential' }) };
  const identity = (options: unknown) => options;
  vi.stubGlobal('PublicKeyCredential', {
    parseRequestOptionsFromJSON: identity,
    parseCreationOptionsFromJSON: identity,
  });
  const get = vi.fn(async () => credential as unknown);
  vi.stubGlobal('navigator', { ...navigator, credentials: { get, create: get } });
  return get;
}

const NAVIGATOR = navigator;

afterEach(() => {
  vi.stubGlobal('PublicKeyCredential', undefined);
  vi.stubGlobal('navigator', NAVIGATOR);
});

describe('second step', () => {
  it('Spec: auth 16: a_code_of_the_app_finishes_the_sign-in', async () => {
    const { api, user, address } = renderApp('/login?redirect=%2Fagents', waiting());
    await signIn(user);
    expect(await screen.findByRole('heading', { name: 'Second factor' })).toBeVisible();
    await user.type(await screen.findByLabelText(/Code of your authenticator app/), '123456');
    await user.click(screen.getByRole('button', { name: 'Continue' }));
    await waitFor(() => expect(address()).toBe('/agents'));
    expect(api.to('POST /auth/mfa/verify')[0]?.body).toEqual({ code: '123456' });
  });

  it('Spec: auth 16: a_recovery_code_is_taken_instead', async () => {
    const { api, user } = renderApp('/login', waiting());
    await signIn(user);
    await user.click(await screen.findByRole('button', { name: 'Use a recovery code' }));
    await user.type(screen.getByLabelText(/Recovery code/), 'ab12cd34ef');
    await user.click(screen.getByRole('button', { name: 'Continue' }));
    await waitFor(() => expect(api.to('POST /auth/mfa/verify')).toHaveLength(1));
    expect(api.to('POST /auth/mfa/verify')[0]?.body).toEqual({ recovery_code: 'ab12cd34ef' });
  });

  it('Spec: auth 19: a_wrong_code_is_explained_and_an_ended_step_begins_anew', async () => {
    const { api, user } = renderApp('/login', {
      ...waiting(),
      'POST /auth/mfa/verify': new Refusal(401, 'invalid_code'),
    });
    await signIn(user);
    await user.type(await screen.findByLabelText(/Code of your authenticator app/), '000000');
    await user.click(screen.getByRole('button', { name: 'Continue' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('This code is not right');
    api.answer({ 'POST /auth/mfa/verify': new Refusal(401, 'sign_in_expired') });
    await user.type(screen.getByLabelText(/Code of your authenticator app/), '000000');
    await user.click(screen.getByRole('button', { name: 'Continue' }));
    expect(await screen.findByText(/too many wrong codes/)).toBeVisible();
    expect(screen.getByLabelText('Password')).toBeVisible();
  });

  it('a_round_trip_through_a_provider_comes_back_to_the_second_step', async () => {
    renderApp('/login?step=second_factor&redirect=%2Fhosts', waiting());
    expect(await screen.findByLabelText(/Code of your authenticator app/)).toBeVisible();
  });

  it('a_passkey_is_the_second_factor_when_there_is_no_app', async () => {
    const get = stubPasskeys();
    const { api, user, address } = renderApp('/login?redirect=%2Fhosts', {
      ...waiting(['passkey']),
      'POST /auth/mfa/passkey/options': CEREMONY,
      'POST /auth/mfa/passkey': { status: 'signed_in', me: aMe() },
    });
    await signIn(user);
    await user.click(await screen.findByRole('button', { name: 'Use a passkey' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(get).toHaveBeenCalledOnce();
    expect(api.to('POST /auth/mfa/passkey')[0]?.body).toEqual({
      ceremony: 'c1',
      credential: { id: 'credential' },
    });
  });
});

describe('sign-in with a passkey', () => {
  it('signs_in_without_a_password', async () => {
    stubPasskeys();
    const { user, address } = renderApp('/login', {
      'GET /me': SIGNED_OUT,
      'POST /auth/passkey/options': CEREMONY,
      'POST /auth/passkey': { status: 'signed_in', me: aMe() },
    });
    await user.click(await screen.findByRole('button', { name: 'Sign in with a passkey' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
  });

  it('a_closed_dialog_of_the_browser_is_no_failure_of_the_server', async () => {
    stubPasskeys().mockRejectedValue(new DOMException('no', 'NotAllowedError'));
    const { api, user } = renderApp('/login', {
      'GET /me': SIGNED_OUT,
      'POST /auth/passkey/options': CEREMONY,
    });
    await user.click(await screen.findByRole('button', { name: 'Sign in with a passkey' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The passkey was not used.');
    expect(api.to('POST /auth/passkey')).toHaveLength(0);
  });

  it('is_not_offered_by_browsers_that_cannot', async () => {
    renderApp('/login', { 'GET /me': SIGNED_OUT });
    await screen.findByRole('button', { name: 'Sign in' });
    expect(screen.queryByRole('button', { name: 'Sign in with a passkey' })).toBeNull();
  });
});
