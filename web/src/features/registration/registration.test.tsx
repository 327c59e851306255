import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { methods } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const OPEN: Answers = {
  'GET /me': new Refusal(401, 'unauthenticated'),
  'GET /auth/methods': methods({ registration_open: true }),
};
const PASSWORD = 'compiler of 1952';

type User = ReturnType<typeof renderApp>['user'];

async function fill(user: User, more: Partial<Record<string, string>> = {}) {
  const values = {
    'Full name': 'Grace Hopper',
    Email: 'grace@example.net',
    Password: PASSWORD,
    'Password again': PASSWORD,
    ...more,
  };
  for (const [label, value] of Object.entries(values)) {
    await user.type(await screen.findByLabelText(label), value as string);
  }
  await user.click(screen.getByRole('button', { name: 'Create account' }));
}

describe('registration', () => {
  it('Spec: auth 4: the_sign-in_page_leads_there_and_a_letter_follows', async () => {
    const { api, user, address } = renderApp('/login', {
      ...OPEN,
      'POST /auth/register': undefined,
    });
    await user.click(await screen.findByRole('link', { name: 'Create an account' }));
    await screen.findByRole('heading', { name: 'Create an account' });
    expect(address()).toBe('/register');
    await fill(user, { 'Full name': '  Grace Hopper ' });
    const said = await screen.findByRole('status');
    expect(said).toHaveTextContent('A letter is on its way to grace@example.net');
    expect(said).toHaveTextContent('an administrator has to let you in');
    expect(api.to('POST /auth/register').map((call) => call.body)).toEqual([
      {
        name: 'Grace Hopper',
        email: 'grace@example.net',
        password: PASSWORD,
        password_confirmation: PASSWORD,
      },
    ]);
  });

  it('Spec: auth 8: a_letter_that_does_not_arrive_is_sent_again_with_what_was_typed', async () => {
    const { api, user } = renderApp('/register', {
      ...OPEN,
      'POST /auth/register': undefined,
      'POST /auth/resend-verification': undefined,
    });
    await fill(user);
    await user.click(await screen.findByRole('button', { name: 'Send the link again' }));
    expect(await screen.findByText(/A new link is on its way/)).toBeVisible();
    expect(api.to('POST /auth/resend-verification')[0]?.body).toEqual({
      email: 'grace@example.net',
      password: PASSWORD,
    });
  });

  it('Spec: auth 6: without_verification_there_is_no_link_to_wait_for', async () => {
    const { user } = renderApp('/register', {
      ...OPEN,
      'GET /auth/methods': methods({ registration_open: true, email_verification_required: false }),
      'POST /auth/register': undefined,
    });
    await fill(user);
    expect(await screen.findByRole('status')).toHaveTextContent('you can sign in and wait');
    expect(screen.queryByRole('button', { name: 'Send the link again' })).toBeNull();
  });

  it('Spec: auth 4: where_nobody_may_register_there_is_neither_link_nor_page', async () => {
    const { address } = renderApp('/register', { ...OPEN, 'GET /auth/methods': methods() });
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible();
    expect(address()).toBe('/login');
    expect(screen.queryByRole('link', { name: 'Create an account' })).toBeNull();
    expect(screen.getByRole('link', { name: 'Forgotten your password?' })).toBeVisible();
  });

  it('Spec: auth 35: where_providers_alone_sign_in_no_new_password_is_offered', async () => {
    renderApp('/login', {
      ...OPEN,
      'GET /auth/methods': methods({ password_reset_offered: false }),
    });
    await screen.findByRole('heading', { name: 'Sign in' });
    expect(screen.queryByRole('link', { name: 'Forgotten your password?' })).toBeNull();
  });

  it('before_the_first_account_set-up_comes_first', async () => {
    const { address } = renderApp('/register', {
      ...OPEN,
      'GET /auth/methods': methods({ setup_required: true }),
    });
    await screen.findByRole('heading', { name: /Set up/ });
    expect(address()).toBe('/setup');
  });

  it('mistakes_are_seen_before_anything_is_sent', async () => {
    const { api, user } = renderApp('/register', { ...OPEN, 'POST /auth/register': undefined });
    await fill(user, { 'Full name': 'G', Email: 'nowhere', Password: 'short' });
    expect(await screen.findByText('Use 2 to 100 characters.')).toBeVisible();
    expect(screen.getByText('Enter your email address.')).toBeVisible();
    expect(screen.getByText('Use 12 to 128 characters.')).toBeVisible();
    expect(screen.getByText('The two passwords differ.')).toBeVisible();
    expect(api.to('POST /auth/register')).toHaveLength(0);
  });

  it('Spec: auth 4: a_domain_that_may_not_register_is_said_at_its_field', async () => {
    const { user } = renderApp('/register', {
      ...OPEN,
      'POST /auth/register': new Refusal(422, 'validation_failed', {
        fields: [
          {
            path: 'email',
            code: 'domain_not_allowed',
            message: 'people with this domain cannot register',
          },
        ],
      }),
    });
    await fill(user);
    expect(await screen.findByText('People with this domain cannot register.')).toBeVisible();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('registration_closed_in_between_is_told_above_the_form', async () => {
    const { user } = renderApp('/register', {
      ...OPEN,
      'POST /auth/register': new Refusal(409, 'wrong_state', {
        detail: 'registration is not open',
      }),
    });
    await fill(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('Registration is not open.');
  });
});
