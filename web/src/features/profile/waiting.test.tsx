import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Me, Profile } from '@/api/schema';
import { aMe } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function held(standing: string, more: Answers = {}): Answers {
  const me: Me = { ...aMe([]), roles: [], standing };
  return {
    'GET /me': me,
    'GET /organisations': { items: [] },
    'GET /hosts': new Refusal(403, 'membership_pending'),
    ...more,
  };
}

function aProfile(more: Partial<Profile> = {}): Profile {
  return {
    name: 'Grace Hopper',
    email: null,
    email_verified: false,
    has_password: false,
    pending_email: null,
    ...more,
  };
}

describe('people who wait for approval', () => {
  it.each(['/', '/hosts', '/agents', '/account/sessions', '/settings/people'])(
    'Spec: auth 5: %s_leads_to_the_waiting_page',
    async (path) => {
      const { api, address } = renderApp(path, held('pending'));
      expect(await screen.findByRole('heading', { name: 'Waiting for approval' })).toBeVisible();
      expect(address()).toBe('/waiting');
      expect(screen.queryByRole('navigation', { name: 'Main' })).toBeNull();
      expect(api.to('GET /hosts')).toHaveLength(0);
    },
  );

  it('Spec: auth 5: whoever_is_let_in_meanwhile_goes_on', async () => {
    const { api, user, address } = renderApp('/waiting', held('pending'));
    await screen.findByText('Northwind');
    api.answer({ 'GET /me': aMe() });
    await user.click(screen.getByRole('button', { name: 'Look again' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
  });

  it('the_own_profile_is_open_to_them', async () => {
    const { user, address } = renderApp(
      '/waiting',
      held('pending', { 'GET /me/profile': aProfile({ email: 'grace@example.net' }) }),
    );
    await user.click(await screen.findByRole('link', { name: 'Your profile' }));
    expect(await screen.findByRole('heading', { name: 'Profile' })).toBeVisible();
    expect(address()).toBe('/account/profile');
  });

  it('they_can_sign_out', async () => {
    const { api, user, address } = renderApp(
      '/waiting',
      held('pending', { 'POST /auth/logout': undefined }),
    );
    const leave = await screen.findByRole('button', { name: 'Sign out' });
    api.answer({ 'GET /me': new Refusal(401, 'unauthenticated') });
    await user.click(leave);
    await waitFor(() => expect(address()).toBe('/login'));
    expect(api.to('POST /auth/logout')).toHaveLength(1);
  });

  it('whoever_does_not_wait_is_not_kept_here', async () => {
    const { address } = renderApp('/waiting', { 'GET /me': aMe() });
    await waitFor(() => expect(address()).toBe('/hosts'));
  });

  it('nobody_signed_in_is_led_to_sign-in', async () => {
    const { address } = renderApp('/waiting', { 'GET /me': new Refusal(401, 'unauthenticated') });
    await waitFor(() => expect(address()).toContain('/login'));
  });
});

describe('people without an address', () => {
  it('Spec: auth 32: every_page_leads_to_the_one_that_asks', async () => {
    const { api, user, address } = renderApp(
      '/hosts',
      held('must_give_address', {
        'GET /me/profile': aProfile(),
        'POST /me/email': undefined,
      }),
    );
    expect(await screen.findByRole('heading', { name: 'Your email address' })).toBeVisible();
    expect(address()).toBe('/account/address');
    await user.type(await screen.findByLabelText('Email'), 'grace@example.net');
    api.answer({ 'GET /me/profile': aProfile({ pending_email: 'grace@example.net' }) });
    await user.click(screen.getByRole('button', { name: 'Send a link' }));
    expect(await screen.findByRole('status')).toHaveTextContent(
      'Open the link that was sent to grace@example.net',
    );
    expect(api.to('POST /me/email').map((call) => call.body)).toEqual([
      { email: 'grace@example.net' },
    ]);
    expect(address()).toBe('/account/address');
  });

  it('Spec: auth 32: a_verified_address_opens_the_rest', async () => {
    const { api, user, address } = renderApp(
      '/account/address',
      held('must_give_address', {
        'GET /me/profile': aProfile({ pending_email: 'grace@example.net' }),
      }),
    );
    await screen.findByRole('status');
    api.answer({ 'GET /me': aMe() });
    await user.click(screen.getByRole('button', { name: 'Look again' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
  });

  it('Spec: auth 5, 32: who_also_waits_for_approval_goes_on_to_the_waiting_page', async () => {
    const answers = held('must_give_address', { 'GET /me/profile': aProfile() });
    const { api, user, address } = renderApp('/account/address', answers);
    await screen.findByLabelText('Email');
    api.answer(held('pending'));
    await user.click(screen.getByRole('button', { name: 'Look again' }));
    await waitFor(() => expect(address()).toBe('/waiting'));
  });
});
