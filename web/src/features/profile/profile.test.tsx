import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Profile } from '@/api/schema';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function aProfile(more: Partial<Profile> = {}): Profile {
  return {
    name: 'Ada Moss',
    email: 'ada@example.net',
    email_verified: true,
    has_password: true,
    pending_email: null,
    ...more,
  };
}

function open(answers: Answers = {}) {
  return renderApp('/account/profile', { 'GET /me/profile': aProfile(), ...answers });
}

type User = ReturnType<typeof renderApp>['user'];

async function askFor(user: User, email: string, password?: string) {
  await user.type(await screen.findByLabelText('New email'), email);
  if (password !== undefined) {
    await user.type(screen.getByLabelText('Current password'), password);
  }
  await user.click(screen.getByRole('button', { name: 'Send a link' }));
}

describe('own name', () => {
  it('Spec: settings 9: a_new_name_is_saved_and_shown_everywhere', async () => {
    const { api, user } = open({ 'PATCH /me': aProfile({ name: 'Ada King' }) });
    const field = await screen.findByLabelText('Full name');
    expect(screen.getByRole('button', { name: 'Change name' })).toBeDisabled();
    await user.clear(field);
    await user.type(field, ' Ada King ');
    const me = aMe();
    api.answer({ 'GET /me': { ...me, user: { ...me.user, name: 'Ada King' } } });
    await user.click(screen.getByRole('button', { name: 'Change name' }));
    expect(await screen.findByText('Your name is changed.')).toBeVisible();
    expect(api.to('PATCH /me').map((call) => call.body)).toEqual([{ name: 'Ada King' }]);
    const navigation = screen.getByRole('navigation', { name: 'Main' });
    await waitFor(() => expect(within(navigation).getByText('Ada King')).toBeVisible());
  });

  it('a_name_that_is_too_short_is_not_sent', async () => {
    const { api, user } = open();
    const field = await screen.findByLabelText('Full name');
    await user.clear(field);
    await user.type(field, 'A');
    await user.click(screen.getByRole('button', { name: 'Change name' }));
    expect(await screen.findByText('Use 2 to 100 characters.')).toBeVisible();
    expect(api.to('PATCH /me')).toHaveLength(0);
  });

  it('a_refused_name_is_said_at_its_field', async () => {
    const message = 'contains control characters';
    const { user } = open({
      'PATCH /me': new Refusal(422, 'validation_failed', {
        fields: [{ path: 'name', code: 'invalid', message }],
      }),
    });
    await user.type(await screen.findByLabelText('Full name'), 'x');
    await user.click(screen.getByRole('button', { name: 'Change name' }));
    expect(await screen.findByText('Contains control characters.')).toBeVisible();
  });
});

describe('own email address', () => {
  it('Spec: auth 11: a_new_address_is_asked_for_with_the_password_and_waits_for_its_link', async () => {
    const { api, user } = open({ 'POST /me/email': undefined });
    await screen.findByText('ada@example.net');
    api.answer({ 'GET /me/profile': aProfile({ pending_email: 'lovelace@example.net' }) });
    await askFor(user, ' lovelace@example.net', 'the password');
    expect(await screen.findByText('lovelace@example.net')).toBeVisible();
    expect(screen.getByRole('status')).toHaveTextContent('Until then nothing changes.');
    expect(screen.getByText('ada@example.net')).toBeVisible();
    expect(api.to('POST /me/email').map((call) => call.body)).toEqual([
      { email: 'lovelace@example.net', current_password: 'the password' },
    ]);
    expect(screen.getByLabelText('Current password')).toHaveValue('');
  });

  it('Spec: auth 11: a_change_can_be_withdrawn', async () => {
    const { api, user } = open({
      'GET /me/profile': aProfile({ pending_email: 'lovelace@example.net' }),
      'DELETE /me/email': undefined,
    });
    const withdraw = await screen.findByRole('button', { name: 'Withdraw' });
    api.answer({ 'GET /me/profile': aProfile() });
    await user.click(withdraw);
    await waitFor(() => expect(screen.queryByText('lovelace@example.net')).toBeNull());
    expect(api.to('DELETE /me/email')).toHaveLength(1);
  });

  it('Spec: auth 11: a_wrong_password_is_said_at_its_field', async () => {
    const { user } = open({ 'POST /me/email': new Refusal(422, 'invalid_credentials') });
    await askFor(user, 'lovelace@example.net', 'wrong');
    expect(await screen.findByText('This is not your current password.')).toBeVisible();
    expect(screen.getByLabelText('Current password')).toHaveValue('');
    expect(screen.getByLabelText('New email')).toHaveValue('lovelace@example.net');
  });

  it('nothing_is_sent_without_an_address_and_the_password', async () => {
    const { api, user } = open();
    await askFor(user, 'nowhere');
    expect(await screen.findByText('Enter an email address.')).toBeVisible();
    expect(screen.getByText('Enter your current password.')).toBeVisible();
    expect(api.to('POST /me/email')).toHaveLength(0);
  });

  it('Spec: auth 17: who_has_no_password_here_confirms_where_they_signed_in', async () => {
    let confirmed = false;
    const { api, user } = open({
      'GET /me/profile': aProfile({ has_password: false }),
      'POST /me/email': () =>
        confirmed ? undefined : new Refusal(403, 'reauthentication_required'),
      'GET /me/reauthentication': {
        password: true,
        passkey: false,
        redirect: null,
        confirmed_until: ago(60),
      },
      'POST /me/reauthenticate': () => {
        confirmed = true;
        return undefined;
      },
    });
    await askFor(user, 'lovelace@example.net');
    expect(screen.queryByLabelText('Current password')).toBeNull();
    const confirm = await screen.findByRole('dialog', { name: 'Confirm that it is you' });
    await user.type(await within(confirm).findByLabelText('Your password'), 'of the directory');
    await user.click(within(confirm).getByRole('button', { name: 'Confirm' }));
    await waitFor(() => expect(screen.getByLabelText('New email')).toHaveValue(''));
    expect(api.to('POST /me/email').map((call) => call.body)).toEqual([
      { email: 'lovelace@example.net' },
      { email: 'lovelace@example.net' },
    ]);
  });

  it('an_unverified_address_is_marked', async () => {
    open({ 'GET /me/profile': aProfile({ email_verified: false }) });
    expect(await screen.findByText(/not verified/)).toBeVisible();
  });

  it('a_profile_that_cannot_be_read_is_told', async () => {
    open({ 'GET /me/profile': new Refusal(500, 'internal') });
    expect(await screen.findByText('Something went wrong on the server.')).toBeVisible();
  });
});
