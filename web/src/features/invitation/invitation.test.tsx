import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { InvitationLook } from '@/api/schema';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function aLook(more: Partial<InvitationLook> = {}): InvitationLook {
  return {
    organisation: 'Northwind',
    email: 'grace@example.net',
    roles: ['engineer'],
    invited_by: 'Ada Moss',
    expires_at: ago(-86_400),
    has_account: false,
    ...more,
  };
}

const NOBODY = new Refusal(401, 'unauthenticated');

function open(answers: Answers = {}, path = '/invitation#inv_secret') {
  return renderApp(path, {
    'GET /me': NOBODY,
    'POST /invitations/lookup': aLook(),
    ...answers,
  });
}

async function fill(user: ReturnType<typeof renderApp>['user'], again = 'compiler of 1952') {
  await user.type(await screen.findByLabelText('Full name'), 'Grace Hopper');
  await user.type(screen.getByLabelText('Password'), 'compiler of 1952');
  await user.type(screen.getByLabelText('Password again'), again);
  await user.click(screen.getByRole('button', { name: 'Join' }));
}

describe('invitation', () => {
  it('Spec: auth 27, 28: a_new_person_gives_name_and_password_and_nothing_else', async () => {
    const { api, user, address } = open({
      'POST /invitations/accept': { status: 'signed_in', me: aMe() },
    });
    expect(await screen.findByText(/grace@example.net was invited by Ada Moss/)).toBeVisible();
    await fill(user);
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(api.to('POST /invitations/lookup')[0]?.body).toEqual({ token: 'inv_secret' });
    expect(api.to('POST /invitations/accept')[0]?.body).toEqual({
      token: 'inv_secret',
      name: 'Grace Hopper',
      password: 'compiler of 1952',
      password_confirmation: 'compiler of 1952',
    });
  });

  it('mistakes_are_seen_before_anything_is_sent', async () => {
    const { api, user } = open();
    await fill(user, 'something else');
    expect(await screen.findByText('The two passwords differ.')).toBeVisible();
    expect(api.to('POST /invitations/accept')).toHaveLength(0);
  });

  it('an_address_to_be_verified_is_said', async () => {
    const { user } = open({ 'POST /invitations/accept': { status: 'verify_email' } });
    await fill(user);
    expect(await screen.findByText(/Verify your email address/)).toBeVisible();
  });

  it('Spec: auth 28: who_has_an_account_signs_in_first', async () => {
    open({ 'POST /invitations/lookup': aLook({ has_account: true }) });
    expect(await screen.findByRole('link', { name: 'Sign in' })).toHaveAttribute('href', '/login');
    expect(screen.queryByLabelText('Password')).toBeNull();
  });

  it('Spec: auth 28: the_invited_account_joins_and_goes_there', async () => {
    const me = aMe();
    const { api, user, address } = open({
      'GET /me': { ...me, user: { ...me.user, email: 'Grace@example.net', name: 'Grace' } },
      'POST /invitations/lookup': aLook({ has_account: true }),
      'POST /invitations/accept': { status: 'joined', organisation_id: 'o9' },
      'POST /me/organisation': undefined,
    });
    await user.click(await screen.findByRole('button', { name: 'Join as Grace' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(api.to('POST /me/organisation')[0]?.body).toEqual({ organisation_id: 'o9' });
  });

  it('Spec: auth 28: another_account_is_told_to_sign_out', async () => {
    open({ 'GET /me': aMe() });
    expect(await screen.findByText(/You are signed in as ada@example.net/)).toBeVisible();
    expect(screen.queryByRole('button', { name: /Join/ })).toBeNull();
  });

  it('a_link_that_does_not_work_says_why', async () => {
    open({
      'POST /invitations/lookup': new Refusal(409, 'wrong_state', {
        detail: 'the invitation has expired; ask for a new one',
      }),
    });
    expect(await screen.findByText(/The invitation has expired/)).toBeVisible();
  });

  it('a_link_without_token_is_not_looked_up', async () => {
    const { api } = open({}, '/invitation');
    expect(await screen.findByText(/not complete/)).toBeVisible();
    expect(api.to('POST /invitations/lookup')).toHaveLength(0);
  });
});
