import { screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { ago, aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const PREVIEW = { provider: 'ldap', name: 'Ada of the directory', expires_at: ago(-600) };

function open(answers: Answers = {}, path = '/link-account#link_secret') {
  return renderApp(path, { 'POST /me/external-identities/preview': PREVIEW, ...answers });
}

describe('linking', () => {
  afterEach(() => sessionStorage.clear());

  it('Spec: auth 31: the_owner_sees_who_and_confirms', async () => {
    const { api, user, address } = open({ 'POST /me/external-identities': undefined });
    expect(await screen.findByText('Ada of the directory')).toBeVisible();
    expect(api.to('POST /me/external-identities')).toHaveLength(0);
    await user.click(screen.getByRole('button', { name: 'Link' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(api.to('POST /me/external-identities')[0]?.body).toEqual({ token: 'link_secret' });
    expect(sessionStorage).toHaveLength(0);
  });

  it('Spec: auth 31: who_is_not_signed_in_signs_in_first_and_the_token_stays_in_the_tab', async () => {
    const { api } = open({ 'GET /me': new Refusal(401, 'unauthenticated') });
    const way = await screen.findByRole('link', { name: 'Sign in' });
    expect(way).toHaveAttribute('href', '/login?redirect=%2Flink-account');
    expect(way.getAttribute('href')).not.toContain('secret');
    expect(api.to('POST /me/external-identities/preview')).toHaveLength(0);
  });

  it('the_kept_token_is_used_after_sign_in', async () => {
    sessionStorage.setItem('ctops-link-token', 'link_kept');
    const { api } = open({}, '/link-account');
    await screen.findByText('Ada of the directory');
    expect(api.to('POST /me/external-identities/preview')[0]?.body).toEqual({ token: 'link_kept' });
  });

  it('a_token_of_somebody_else_is_refused_in_words', async () => {
    open({
      'GET /me': aMe(),
      'POST /me/external-identities/preview': new Refusal(422, 'validation_failed', {
        detail: 'token: is not a valid confirmation for your account',
      }),
    });
    expect(await screen.findByText(/not a valid confirmation/)).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Link' })).toBeNull();
  });

  it('without_a_token_there_is_nothing_to_link', async () => {
    open({}, '/link-account');
    expect(await screen.findByText(/Begin again/)).toBeVisible();
  });
});
