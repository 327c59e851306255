import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const SIGNED_OUT: Answers = { 'GET /me': new Refusal(401, 'unauthenticated') };
const NEW = 'compiler of 1952';

type User = ReturnType<typeof renderApp>['user'];

function refusedField(path: string, code: string, message: string): Refusal {
  return new Refusal(422, 'validation_failed', {
    detail: `${path}: ${message}`,
    fields: [{ path, code, message }],
  });
}

async function typeNew(user: User, again = NEW) {
  await user.type(await screen.findByLabelText('New password'), NEW);
  await user.type(screen.getByLabelText('New password again'), again);
}

describe('forgotten password', () => {
  async function ask(user: User, email = 'ada@example.net') {
    await user.type(await screen.findByLabelText('Email'), email);
    await user.click(screen.getByRole('button', { name: 'Send a link' }));
  }

  it('Spec: auth 10: the_sign-in_page_leads_to_a_link_by_mail', async () => {
    const { api, user, address } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/forgot-password': undefined,
    });
    await user.click(await screen.findByRole('link', { name: 'Forgotten your password?' }));
    await screen.findByRole('heading', { name: 'Forgotten password' });
    expect(address()).toBe('/forgot-password');
    await ask(user);
    expect(await screen.findByRole('status')).toHaveTextContent(
      'If there is an account with this address, a link to choose a new password is on its way',
    );
    expect(api.to('POST /auth/forgot-password').map((call) => call.body)).toEqual([
      { email: 'ada@example.net' },
    ]);
  });

  it('Spec: auth 10: too_many_requests_say_how_long_to_wait', async () => {
    const { user } = renderApp('/forgot-password', {
      ...SIGNED_OUT,
      'POST /auth/forgot-password': new Refusal(429, 'rate_limited', {}, 42),
    });
    await ask(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('Try again in 42 seconds.');
    expect(screen.queryByRole('status')).toBeNull();
  });

  it('what_is_no_address_is_named_at_the_field', async () => {
    const { api, user } = renderApp('/forgot-password', {
      ...SIGNED_OUT,
      'POST /auth/forgot-password': refusedField('email', 'invalid', 'is not an email address'),
    });
    await ask(user, 'ada');
    expect(await screen.findByText('Enter your email address.')).toBeVisible();
    expect(api.to('POST /auth/forgot-password')).toHaveLength(0);
    await ask(user, '@');
    expect(await screen.findByText('Is not an email address.')).toBeVisible();
  });
});

describe('new password by a link', () => {
  function open(answers: Answers = {}, path = '/reset-password#rst_secret') {
    return renderApp(path, { ...SIGNED_OUT, ...answers });
  }

  async function set(user: User, again?: string) {
    await typeNew(user, again);
    await user.click(screen.getByRole('button', { name: 'Set the password' }));
  }

  it('Spec: auth 10: the_token_of_the_link_sets_a_password_and_leads_to_sign-in', async () => {
    const { api, user, address } = open({ 'POST /auth/reset-password': undefined });
    await set(user);
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible();
    expect(screen.getByRole('status')).toHaveTextContent('Your new password is set.');
    expect(address()).toBe('/login?notice=password_reset');
    expect(api.to('POST /auth/reset-password')[0]?.body).toEqual({
      token: 'rst_secret',
      password: NEW,
      password_confirmation: NEW,
    });
  });

  it('Spec: auth 10: a_session_in_this_browser_counts_as_ended', async () => {
    localStorage.setItem('ctops-signed-in', '1');
    const { user, address } = open({ 'POST /auth/reset-password': undefined });
    await set(user);
    await waitFor(() => expect(address()).toBe('/login?notice=password_reset'));
    expect(localStorage.getItem('ctops-signed-in')).toBeNull();
  });

  it('Spec: auth 10: a_link_that_cannot_be_used_leads_to_a_new_one', async () => {
    const { user } = open({
      'POST /auth/reset-password': refusedField(
        'token',
        'invalid_token',
        'is unknown, used or too old; ask for a new link',
      ),
    });
    await set(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('unknown, used or too old');
    expect(screen.queryByLabelText('New password')).toBeNull();
    expect(screen.getByRole('link', { name: 'Ask for a new link' })).toHaveAttribute(
      'href',
      '/forgot-password',
    );
  });

  it('a_link_without_token_offers_no_form', async () => {
    open({}, '/reset-password');
    expect(await screen.findByText(/not complete/)).toBeVisible();
    expect(screen.queryByLabelText('New password')).toBeNull();
  });

  it('Spec: auth 9: a_password_the_server_refuses_is_said_at_its_field', async () => {
    const { user } = open({
      'POST /auth/reset-password': refusedField('password', 'common', 'is a common password'),
    });
    await set(user);
    expect(await screen.findByText('Is a common password.')).toBeVisible();
    expect(screen.getByLabelText('New password')).toHaveAccessibleDescription(
      /Is a common password/,
    );
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('mistakes_are_seen_before_anything_is_sent', async () => {
    const { api, user } = open({ 'POST /auth/reset-password': undefined });
    await set(user, 'something else');
    expect(await screen.findByText('The two passwords differ.')).toBeVisible();
    expect(api.to('POST /auth/reset-password')).toHaveLength(0);
  });

  it('a_busy_server_is_told_above_the_form', async () => {
    const { user } = open({
      'POST /auth/reset-password': new Refusal(503, 'unavailable', { detail: 'too many sign-ins' }),
    });
    await set(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('Too many sign-ins.');
  });
});

describe('own password', () => {
  function open(answer: undefined | Refusal) {
    return renderApp('/account/password', { 'PUT /me/password': answer });
  }

  async function change(user: User) {
    await user.type(await screen.findByLabelText('Current password'), 'the old password');
    await typeNew(user);
    await user.click(screen.getByRole('button', { name: 'Change password' }));
  }

  it('Spec: auth 14: a_change_sends_both_passwords_and_says_that_other_sessions_ended', async () => {
    const { api, user } = open(undefined);
    await change(user);
    expect(await screen.findByText(/Your other sessions have ended/)).toBeVisible();
    expect(screen.getByLabelText('Current password')).toHaveValue('');
    expect(screen.getByLabelText('New password')).toHaveValue('');
    expect(api.to('PUT /me/password')[0]?.body).toEqual({
      current_password: 'the old password',
      password: NEW,
      password_confirmation: NEW,
    });
  });

  it('a_wrong_current_password_is_said_at_its_field', async () => {
    const { user } = open(new Refusal(422, 'invalid_credentials'));
    await change(user);
    expect(await screen.findByText('This is not your current password.')).toBeVisible();
    expect(screen.getByLabelText('Current password')).toHaveValue('');
    expect(screen.getByLabelText('New password')).toHaveValue(NEW);
  });

  it('Spec: auth 9: a_refused_new_password_is_said_at_its_field', async () => {
    const { user } = open(refusedField('password', 'common', 'is a common password'));
    await change(user);
    expect(await screen.findByText('Is a common password.')).toBeVisible();
    expect(screen.getByLabelText('New password')).toHaveAccessibleDescription(
      /Is a common password/,
    );
  });

  it('a_password_kept_elsewhere_is_changed_there', async () => {
    const { user } = open(new Refusal(409, 'wrong_state', { detail: 'kept where you signed in' }));
    await change(user);
    expect(await screen.findByText(/kept in a directory or by an identity provider/)).toBeVisible();
    expect(screen.queryByLabelText('Current password')).toBeNull();
  });

  it('nothing_is_sent_without_the_current_password', async () => {
    const { api, user } = open(undefined);
    await typeNew(user);
    await user.click(screen.getByRole('button', { name: 'Change password' }));
    expect(await screen.findByText('Enter your current password.')).toBeVisible();
    expect(api.to('PUT /me/password')).toHaveLength(0);
  });
});
