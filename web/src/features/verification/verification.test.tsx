import { screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const SIGNED_OUT: Answers = { 'GET /me': new Refusal(401, 'unauthenticated') };

function invalidToken(): Refusal {
  const message = 'is unknown, used or too old; ask for a new link';
  return new Refusal(422, 'validation_failed', {
    fields: [{ path: 'token', code: 'invalid_token', message }],
  });
}

beforeEach(() => localStorage.clear());

describe('link that verifies an address', () => {
  async function press(answers: Answers, path = '/verify-email#ver_secret') {
    const app = renderApp(path, { ...SIGNED_OUT, ...answers });
    await app.user.click(await screen.findByRole('button', { name: 'Verify' }));
    return app;
  }

  it('Spec: auth 7: nothing_is_sent_before_somebody_presses', async () => {
    const { api } = renderApp('/verify-email#ver_secret', SIGNED_OUT);
    await screen.findByRole('button', { name: 'Verify' });
    expect(api.to('POST /auth/verify-email')).toHaveLength(0);
  });

  it('Spec: auth 7: the_link_signs_in_and_leads_on_to_a_local_path', async () => {
    const { api, address } = await press(
      { 'POST /auth/verify-email': { status: 'signed_in', me: aMe() } },
      '/verify-email?redirect=%2Fhosts%3Fstatus%3Doffline#ver_secret',
    );
    await waitFor(() => expect(address()).toBe('/hosts?status=offline'));
    expect(api.to('POST /auth/verify-email').map((call) => call.body)).toEqual([
      { token: 'ver_secret' },
    ]);
    expect(localStorage.getItem('ctops-signed-in')).toBe('1');
  });

  it.each(['https://evil.example/', '//evil.example', '/\\evil.example'])(
    'Spec: auth 7: it_does_not_lead_to_%s',
    async (foreign) => {
      const { address } = await press(
        { 'POST /auth/verify-email': { status: 'signed_in', me: aMe() } },
        `/verify-email?redirect=${encodeURIComponent(foreign)}#ver_secret`,
      );
      await waitFor(() => expect(address()).toBe('/hosts'));
    },
  );

  it('Spec: auth 19: a_second_factor_is_asked_for_on_the_sign-in_page', async () => {
    const { address } = await press({
      'POST /auth/verify-email': {
        status: 'second_factor',
        methods: ['totp'],
        expires_at: ago(-600),
      },
      'GET /auth/mfa': { methods: ['totp'], expires_at: ago(-600) },
    });
    expect(await screen.findByRole('heading', { name: 'Second factor' })).toBeVisible();
    expect(address()).toContain('step=second_factor');
  });

  it('Spec: auth 11: a_changed_address_is_told_and_signs_nobody_in', async () => {
    await press({
      'POST /auth/verify-email': { status: 'verified', email: 'lovelace@example.net' },
    });
    expect(await screen.findByRole('status')).toHaveTextContent(
      'lovelace@example.net is the verified address of your account.',
    );
    expect(screen.getByRole('link', { name: 'Sign in' })).toHaveAttribute('href', '/login');
  });

  it('Spec: auth 11: whoever_is_signed_in_here_goes_on', async () => {
    localStorage.setItem('ctops-signed-in', '1');
    await press(
      { 'POST /auth/verify-email': { status: 'verified', email: 'lovelace@example.net' } },
      '/verify-email?redirect=%2Faccount%2Fprofile#ver_secret',
    );
    const on = await screen.findByRole('link', { name: 'Go on' });
    expect(on).toHaveAttribute('href', '/account/profile');
  });

  it('Spec: auth 7: a_link_that_cannot_be_used_leads_to_a_new_one', async () => {
    const { user, address } = await press({ 'POST /auth/verify-email': invalidToken() });
    expect(await screen.findByRole('alert')).toHaveTextContent('unknown, used or too old');
    expect(screen.queryByRole('button', { name: 'Verify' })).toBeNull();
    await user.click(screen.getByRole('link', { name: 'Ask for a new link' }));
    await waitFor(() => expect(address()).toBe('/resend-verification'));
  });

  it('a_link_without_its_token_is_told', async () => {
    renderApp('/verify-email', SIGNED_OUT);
    expect(await screen.findByRole('alert')).toHaveTextContent('This link is not complete.');
  });

  it('Spec: auth 4: an_address_that_has_an_account_by_now_is_told', async () => {
    await press({
      'POST /auth/verify-email': new Refusal(409, 'already_exists', {
        detail: 'an account has this address already; sign in to it',
      }),
    });
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'An account has this address already; sign in to it.',
    );
    expect(screen.getByRole('link', { name: 'Back to sign-in' })).toBeVisible();
  });
});

describe('sending the link again', () => {
  async function type(user: ReturnType<typeof renderApp>['user'], button: string) {
    await user.type(await screen.findByLabelText('Email'), 'grace@example.net');
    await user.type(screen.getByLabelText('Password'), 'compiler of 1952');
    await user.click(screen.getByRole('button', { name: button }));
  }

  it('Spec: auth 6, 8: a_sign-in_with_an_unverified_address_offers_it_at_once', async () => {
    const { api, user } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/login': new Refusal(403, 'email_not_verified'),
      'POST /auth/resend-verification': undefined,
    });
    await type(user, 'Sign in');
    expect(await screen.findByRole('alert')).toHaveTextContent('not verified yet');
    await user.click(screen.getByRole('button', { name: 'Send the link again' }));
    expect(await screen.findByText(/A new link is on its way/)).toBeVisible();
    expect(api.to('POST /auth/resend-verification').map((call) => call.body)).toEqual([
      { email: 'grace@example.net', password: 'compiler of 1952' },
    ]);
  });

  it('a_wrong_password_offers_no_link', async () => {
    const { user } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/login': new Refusal(401, 'invalid_credentials'),
    });
    await type(user, 'Sign in');
    expect(await screen.findByRole('alert')).toHaveTextContent('is wrong');
    expect(screen.queryByRole('button', { name: 'Send the link again' })).toBeNull();
  });

  it('Spec: auth 8: the_page_says_the_same_whether_or_not_there_is_an_account', async () => {
    const { api, user } = renderApp('/resend-verification', {
      ...SIGNED_OUT,
      'POST /auth/resend-verification': undefined,
    });
    await type(user, 'Send the link again');
    expect(await screen.findByRole('status')).toHaveTextContent(
      'If an account with this address and password waits for its verification',
    );
    expect(api.to('POST /auth/resend-verification')).toHaveLength(1);
  });

  it('Spec: auth 8: too_many_requests_say_how_long_to_wait', async () => {
    const { user } = renderApp('/resend-verification', {
      ...SIGNED_OUT,
      'POST /auth/resend-verification': new Refusal(429, 'rate_limited', {}, 42),
    });
    await type(user, 'Send the link again');
    expect(await screen.findByRole('alert')).toHaveTextContent('Try again in 42 seconds.');
  });

  it('nothing_is_sent_without_address_and_password', async () => {
    const { api, user } = renderApp('/resend-verification', SIGNED_OUT);
    await user.click(await screen.findByRole('button', { name: 'Send the link again' }));
    expect(await screen.findByText('Enter your email address.')).toBeVisible();
    expect(screen.getByText('Enter your password.')).toBeVisible();
    expect(api.to('POST /auth/resend-verification')).toHaveLength(0);
  });
});
