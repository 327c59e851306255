import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { aMe, methods } from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const CORP = { kind: 'ldap', id: 'd1', name: 'Corp' };
const LAB = { kind: 'ldap', id: 'd2', name: 'Lab' };

function signedOut(...directories: (typeof CORP)[]) {
  return {
    'GET /me': new Refusal(401, 'unauthenticated'),
    'GET /auth/methods': methods({ methods: [{ kind: 'password' }, ...directories] }),
  };
}

async function fill(user: ReturnType<typeof renderApp>['user']) {
  await user.type(await screen.findByRole('textbox', { name: 'Username' }), 'ada');
  await user.type(screen.getByLabelText('Directory password'), 'engine');
  await user.click(screen.getByRole('button', { name: 'Sign in with the directory' }));
}

describe('sign-in with a directory', () => {
  it('Spec: auth 29: the_only_directory_is_named_and_asked', async () => {
    const { api, user, address } = renderApp('/login', {
      ...signedOut(CORP),
      'POST /auth/ldap/login': { status: 'signed_in', me: aMe() },
    });
    await user.click(await screen.findByRole('button', { name: 'Sign in with Corp' }));
    api.answer({ 'GET /me': aMe() });
    await fill(user);
    await waitFor(() => expect(address()).not.toContain('/login'));
    expect(api.to('POST /auth/ldap/login')[0]?.body).toEqual({
      directory_id: 'd1',
      username: 'ada',
      password: 'engine',
    });
  });

  it('Spec: auth 29: with_several_directories_one_is_chosen', async () => {
    const { user } = renderApp('/login', {
      ...signedOut(CORP, LAB),
      'POST /auth/ldap/login': new Refusal(401, 'invalid_credentials'),
    });
    await user.click(await screen.findByRole('button', { name: 'Sign in with a directory' }));
    expect(screen.getByRole('combobox', { name: 'Directory' })).toHaveValue('Corp');
    await fill(user);
    expect(await screen.findByText('The username or the password is wrong.')).toBeVisible();
  });

  it('Spec: auth 31: an_account_with_the_same_address_has_to_confirm_first', async () => {
    const { user, address } = renderApp('/login', {
      ...signedOut(CORP),
      'POST /auth/ldap/login': {
        status: 'confirm_link',
        token: 't',
        expires_at: '2026-11-22T19:00:00Z',
      },
    });
    await user.click(await screen.findByRole('button', { name: 'Sign in with Corp' }));
    await fill(user);
    expect(await screen.findByText(/exists already/)).toBeVisible();
    expect(address()).toContain('/login');
  });

  it('a_directory_is_offered_once_and_providers_lead_away', async () => {
    const provider = { kind: 'saml', id: 'p1', name: 'Campus' };
    renderApp('/login', signedOut(CORP, provider));
    await screen.findByRole('button', { name: 'Sign in with Corp' });
    expect(screen.queryByRole('link', { name: 'Sign in with Corp' })).toBeNull();
    const away = screen.getByRole('link', { name: 'Sign in with Campus' });
    expect(away).toHaveAttribute('href', expect.stringContaining('/api/v1/auth/saml/p1/start'));
  });

  it('Spec: auth 17: a_confirmation_that_failed_is_told_although_the_session_goes_on', async () => {
    localStorage.setItem('ctops-signed-in', '1');
    const { address } = renderApp('/login?sso_error=sso_failed', {
      'GET /me': aMe(),
      'GET /auth/methods': methods(),
    });
    expect(await screen.findByText(/gave no usable answer/)).toBeVisible();
    expect(address()).toContain('/login');
  });

  it('without_a_directory_nothing_is_offered', async () => {
    renderApp('/login', signedOut());
    await screen.findByRole('button', { name: 'Sign in' });
    expect(screen.queryByRole('button', { name: /directory/ })).toBeNull();
  });
});
