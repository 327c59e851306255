import { screen, waitFor } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { aMe, methods } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const FIRST_RUN: Answers = {
  'GET /auth/methods': methods({ setup_required: true }),
  'GET /me': new Refusal(401, 'unauthenticated'),
};

async function fill(user: UserEvent, more: Record<string, string> = {}) {
  const values = {
    'Set-up code': 'ABCD-1234',
    'Organisation name': 'Northwind',
    'Full name': 'Ada Moss',
    Email: 'ada@example.net',
    Password: 'a long enough password',
    'Password again': 'a long enough password',
    ...more,
  };
  for (const [label, value] of Object.entries(values)) {
    const field = await screen.findByLabelText(label);
    await user.clear(field);
    if (value) {
      await user.type(field, value);
    }
  }
  await user.click(screen.getByRole('button', { name: 'Create organisation' }));
}

describe('set-up', () => {
  it.each(['/', '/hosts', '/enrolment', '/login', '/account/sessions'])(
    'Spec: auth 1: %s leads to set-up while there is no user',
    async (path) => {
      const { address } = renderApp(path, FIRST_RUN);
      expect(await screen.findByRole('heading', { name: 'Set up CT-Ops' })).toBeVisible();
      expect(address()).toBe('/setup');
    },
  );

  it('Spec: auth 1: set-up_leads_to_sign-in_once_a_user_exists', async () => {
    const { address } = renderApp('/setup', { 'GET /me': new Refusal(401, 'unauthenticated') });
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible();
    expect(address()).toBe('/login');
  });

  it('Spec: auth 1: the_form_is_sent_and_the_first_account_is_signed_in', async () => {
    const { api, user, address } = renderApp('/setup', { ...FIRST_RUN, 'POST /setup': aMe() });
    await fill(user);
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(await screen.findByRole('heading', { name: 'Hosts' })).toBeVisible();
    expect(api.to('POST /setup')[0]?.body).toEqual({
      setup_code: 'ABCD-1234',
      organisation_name: 'Northwind',
      name: 'Ada Moss',
      email: 'ada@example.net',
      password: 'a long enough password',
      password_confirmation: 'a long enough password',
    });
  });

  it('Spec: auth 1: the_code_is_not_asked_for_when_it_is_off', async () => {
    const { api, user } = renderApp('/setup', {
      ...FIRST_RUN,
      'GET /auth/methods': methods({ setup_required: true, setup_code_required: false }),
      'POST /setup': aMe(),
    });
    await screen.findByLabelText('Organisation name');
    expect(screen.queryByLabelText('Set-up code')).toBeNull();
    await user.type(screen.getByLabelText('Organisation name'), 'Northwind');
    await user.type(screen.getByLabelText('Full name'), 'Ada Moss');
    await user.type(screen.getByLabelText('Email'), 'ada@example.net');
    await user.type(screen.getByLabelText('Password'), 'a long enough password');
    await user.type(screen.getByLabelText('Password again'), 'a long enough password');
    await user.click(screen.getByRole('button', { name: 'Create organisation' }));
    await waitFor(() => expect(api.to('POST /setup')).toHaveLength(1));
    expect(api.to('POST /setup')[0]?.body).not.toHaveProperty('setup_code');
  });

  it('Spec: auth 9: mistakes_are_named_before_anything_is_sent', async () => {
    const { api, user } = renderApp('/setup', FIRST_RUN);
    await fill(user, { 'Full name': 'A', Password: 'elevenchars', 'Password again': 'other' });
    expect(await screen.findByText('Use 2 to 100 characters.')).toBeVisible();
    expect(screen.getByText('Use 12 to 128 characters.')).toBeVisible();
    expect(screen.getByText('The two passwords differ.')).toBeVisible();
    expect(api.to('POST /setup')).toHaveLength(0);
  });

  it('Spec: auth 1: a_wrong_code_is_shown_at_the_code', async () => {
    const { user } = renderApp('/setup', {
      ...FIRST_RUN,
      'POST /setup': new Refusal(422, 'validation_failed', {
        fields: [{ path: 'setup_code', code: 'invalid_setup_code', message: 'the code is wrong' }],
      }),
    });
    await fill(user);
    expect(await screen.findByText('The code is wrong.')).toBeVisible();
    expect(screen.getByLabelText('Set-up code')).toBeInvalid();
  });

  it('Spec: auth 1: too_many_wrong_codes_say_how_long_to_wait', async () => {
    const { user } = renderApp('/setup', {
      ...FIRST_RUN,
      'POST /setup': new Refusal(429, 'rate_limited', {}, 900),
    });
    await fill(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('Try again in 15 minutes.');
  });
});
