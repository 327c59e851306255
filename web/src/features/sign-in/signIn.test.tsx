import { screen, waitFor } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { localPath } from '@/api/session';
import { aMe, pageOf } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const SIGNED_OUT: Answers = { 'GET /me': new Refusal(401, 'unauthenticated') };

async function signIn(user: UserEvent) {
  await user.type(await screen.findByLabelText('Email'), 'ada@example.net');
  await user.type(screen.getByLabelText('Password'), 'a long enough password');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
}

describe('sign-in', () => {
  it('Spec: auth 15: a_first_visit_leads_to_sign-in_without_the_notice_and_back_to_the_page', async () => {
    const { api, user, address } = renderApp('/hosts?status=offline', {
      ...SIGNED_OUT,
      'POST /auth/login': { status: 'signed_in', me: aMe() },
    });
    await screen.findByRole('heading', { name: 'Sign in' });
    expect(screen.queryByText(/session has ended/)).toBeNull();
    await signIn(user);
    await waitFor(() => expect(address()).toBe('/hosts?status=offline'));
    expect(await screen.findByRole('heading', { name: 'Hosts' })).toBeVisible();
    expect(api.to('POST /auth/login')[0]?.body).toEqual({
      email: 'ada@example.net',
      password: 'a long enough password',
    });
  });

  it('Spec: auth 15: a_session_that_ends_while_working_leads_to_the_notice', async () => {
    const { api, user, address } = renderApp('/hosts?search=web');
    await screen.findByRole('link', { name: 'web-01' });
    api.answer({
      ...SIGNED_OUT,
      'GET /hosts': new Refusal(401, 'unauthenticated'),
    });
    await user.click(screen.getByRole('button', { name: 'Memory' }));
    expect(await screen.findByText(/Your session has ended/)).toBeVisible();
    expect(address()).toMatch(/^\/login\?session=expired&redirect=%2Fhosts%3Fsearch%3Dweb/);
  });

  it('Spec: auth 15: an_expired_session_found_on_opening_does_not_loop', async () => {
    localStorage.setItem('ctops-signed-in', '1');
    const { api, address } = renderApp('/agents', SIGNED_OUT);
    expect(await screen.findByText(/Your session has ended/)).toBeVisible();
    expect(address()).toBe('/login?session=expired&redirect=%2Fagents');
    expect(api.to('GET /me')).toHaveLength(1);
  });

  it('Spec: auth 15: who_is_signed_in_is_not_asked_to_sign_in', async () => {
    localStorage.setItem('ctops-signed-in', '1');
    const { address } = renderApp('/login?redirect=%2Fagents', { 'GET /agents': pageOf([]) });
    await waitFor(() => expect(address()).toBe('/agents'));
  });

  it('Spec: auth 23: a_wrong_password_gets_one_text_and_clears_the_field', async () => {
    const { user } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/login': new Refusal(401, 'invalid_credentials', { detail: 'wrong' }),
    });
    await signIn(user);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'The email address or the password is wrong.',
    );
    expect(screen.getByLabelText('Password')).toHaveValue('');
    expect(screen.getByLabelText('Email')).toHaveValue('ada@example.net');
  });

  it('Spec: auth 22: a_locked_account_says_how_long_to_wait', async () => {
    const { user } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/login': new Refusal(429, 'rate_limited', {}, 42),
    });
    await signIn(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('Try again in 42 seconds.');
  });

  it('Spec: auth 6: an_unverified_address_is_explained', async () => {
    const { user } = renderApp('/login', {
      ...SIGNED_OUT,
      'POST /auth/login': new Refusal(403, 'email_not_verified'),
    });
    await signIn(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('not verified yet');
  });

  it('empty_fields_are_named_and_nothing_is_sent', async () => {
    const { api, user } = renderApp('/login', SIGNED_OUT);
    await user.click(await screen.findByRole('button', { name: 'Sign in' }));
    expect(await screen.findByText('Enter your password.')).toBeVisible();
    expect(api.to('POST /auth/login')).toHaveLength(0);
  });
});

describe('return path', () => {
  it.each([
    ['/agents?status=pending', '/agents?status=pending'],
    [undefined, '/hosts'],
    ['https://evil.example', '/hosts'],
    ['//evil.example', '/hosts'],
    ['/\\evil.example', '/hosts'],
    ['/a\r\nb', '/hosts'],
    ['/login', '/hosts'],
    [`/${'a'.repeat(256)}`, '/hosts'],
  ])('Spec: auth 7: %s leads to %s', (path, expected) => {
    expect(localPath(path)).toBe(expected);
  });
});
