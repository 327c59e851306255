import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Me } from '@/api/schema';
import { aMe, methods } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function standing(name: string): Answers {
  const me: Me = { ...aMe([]), standing: name };
  return { 'GET /me': me, 'GET /organisations': { items: [] } };
}

const SIGNED_OUT: Answers = { 'GET /me': new Refusal(401, 'unauthenticated') };

describe('guards of pages', () => {
  it.each([
    ['pending', '/waiting'],
    ['must_give_address', '/account/address'],
    ['must_enrol', '/account/security'],
  ])('Spec: auth 5, 18, 32: who_is_%s_is_held_at_%s', async (name, page) => {
    const { address } = renderApp('/agents?status=pending', standing(name));
    await waitFor(() => expect(address()).toBe(page));
  });

  it.each([
    ['pending', '/account/address', '/waiting'],
    ['pending', '/account/security', '/waiting'],
    ['must_give_address', '/waiting', '/account/address'],
    ['must_give_address', '/account/profile', '/account/address'],
    ['must_enrol', '/waiting', '/account/security'],
  ])(
    'Spec: auth 5, 18, 32: the_page_of_others_is_none_for_who_is_%s_%s',
    async (name, from, to) => {
      const { address } = renderApp(from, standing(name));
      await waitFor(() => expect(address()).toBe(to));
    },
  );

  it('a_standing_of_a_newer_server_holds_nobody', async () => {
    const { address } = renderApp('/account/sessions', {
      ...standing('something_new'),
      'GET /me/sessions': { items: [] },
    });
    await waitFor(() => expect(screen.getByRole('heading', { level: 1 })).toBeVisible());
    expect(address()).toBe('/account/sessions');
  });

  it.each(['/account/profile', '/waiting', '/account/address'])(
    'nobody_sees_%s_without_signing_in',
    async (path) => {
      const { address } = renderApp(path, SIGNED_OUT);
      await waitFor(() => expect(address()).toBe(`/login?redirect=${encodeURIComponent(path)}`));
    },
  );

  it.each(['/login', '/register', '/account/profile'])(
    'Spec: auth 1: set-up_comes_before_%s',
    async (path) => {
      const { address } = renderApp(path, {
        ...SIGNED_OUT,
        'GET /auth/methods': methods({ setup_required: true }),
      });
      await waitFor(() => expect(address()).toBe('/setup'));
    },
  );
});
