import { screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { leaveTo } from '@/api/leave';
import { Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

vi.mock('@/api/leave', () => ({ leaveTo: vi.fn() }));

const PLACE = '/api/v1/auth/oidc/p1/logout';

afterEach(() => {
  vi.mocked(leaveTo).mockClear();
});

async function signOut(user: ReturnType<typeof renderApp>['user']) {
  await user.click(await screen.findByRole('button', { name: 'Sign out' }));
}

describe('signing out', () => {
  it('Spec: auth 35: leads_on_to_the_provider_that_somebody_came_through', async () => {
    const { api, user } = renderApp('/hosts', {
      'GET /auth/provider-logout': { url: PLACE },
      'POST /auth/logout': undefined,
    });
    await signOut(user);
    await waitFor(() => expect(leaveTo).toHaveBeenCalledWith(PLACE));
    const order = api.calls.map((call) => call.endpoint).filter((name) => name.includes('logout'));
    expect(order).toEqual(['GET /auth/provider-logout', 'POST /auth/logout']);
    expect(localStorage.getItem('ctops-signed-in')).toBeNull();
  });

  it('Spec: auth 35: a_session_that_could_not_be_ended_here_is_not_left', async () => {
    const { user } = renderApp('/hosts', {
      'GET /auth/provider-logout': { url: PLACE },
      'POST /auth/logout': new Refusal(503, 'unavailable', { detail: 'try again' }),
    });
    await signOut(user);
    expect(await screen.findByText('Try again.')).toBeVisible();
    expect(leaveTo).not.toHaveBeenCalled();
  });

  it('Spec: auth 35: other_sessions_and_a_silent_server_stay_here', async () => {
    for (const answer of [{ url: null }, new Refusal(500, 'internal')]) {
      const { api, user, address } = renderApp('/hosts', {
        'GET /auth/provider-logout': answer,
        'POST /auth/logout': undefined,
      });
      await screen.findByRole('link', { name: 'web-01' });
      api.answer({ 'GET /me': new Refusal(401, 'unauthenticated') });
      await signOut(user);
      await waitFor(() => expect(address()).toBe('/login'));
      document.body.replaceChildren();
    }
    expect(leaveTo).not.toHaveBeenCalled();
  });
});
