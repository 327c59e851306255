import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { aMe, READ_ONLY } from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

async function links() {
  const nav = await screen.findByRole('navigation', { name: 'Main' });
  return within(nav)
    .getAllByRole('link')
    .map((link) => link.textContent);
}

describe('navigation', () => {
  it('shows_administrators_every_place', async () => {
    renderApp('/hosts');
    const places = ['Hosts', 'Enrolment', 'Agents', 'Settings', 'Account'];
    expect(await links()).toEqual(expect.arrayContaining(places));
  });

  it('hides_places_without_permission', async () => {
    renderApp('/hosts', { 'GET /me': aMe(READ_ONLY) });
    const places = await links();
    expect(places).toEqual(expect.arrayContaining(['Hosts', 'Agents', 'Account']));
    expect(places).not.toContain('Enrolment');
    expect(places).not.toContain('Settings');
  });

  it('moves_the_focus_to_the_content_of_the_new_page', async () => {
    const { user } = renderApp('/hosts');
    await user.click(await screen.findByRole('link', { name: 'Agents' }));
    expect(await screen.findByRole('heading', { name: 'Agents' })).toBeVisible();
    await waitFor(() => expect(screen.getByRole('main')).toHaveFocus());
  });

  it('opens_in_a_drawer_on_a_phone', async () => {
    const { user } = renderApp('/hosts');
    await user.click(await screen.findByRole('button', { name: 'Open navigation' }));
    const drawer = await screen.findByRole('dialog');
    await user.click(within(drawer).getByRole('link', { name: 'Agents' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('an_unknown_address_is_said_to_be_missing', async () => {
    renderApp('/nowhere');
    expect(await screen.findByText('This page does not exist')).toBeVisible();
  });
});

describe('account', () => {
  it('signing_out_forgets_what_was_read_and_leads_to_sign-in', async () => {
    const { api, user, address } = renderApp('/hosts', { 'POST /auth/logout': undefined });
    await screen.findByRole('link', { name: 'web-01' });
    api.answer({ 'GET /me': new Refusal(401, 'unauthenticated') });
    await user.click(screen.getByRole('button', { name: 'Sign out' }));
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible();
    expect(address()).toBe('/login');
    expect(api.to('POST /auth/logout')[0]?.headers.get('X-CTOps-Request')).toBe('1');
  });

  it('the_theme_is_chosen_and_remembered', async () => {
    const { user } = renderApp('/hosts');
    const dark = await screen.findByRole('button', { name: 'Dark' });
    await user.click(dark);
    expect(dark).toHaveAttribute('aria-pressed', 'true');
    expect(document.documentElement).toHaveAttribute('data-mantine-color-scheme', 'dark');
    expect(localStorage.getItem('mantine-color-scheme-value')).toBe('dark');
  });
});

describe('server away', () => {
  it('is_said_with_a_way_to_try_again', async () => {
    // React and the router report the caught failure, which is expected here.
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { api, user } = renderApp('/hosts', {
      'GET /me': new Refusal(503, 'unavailable', { detail: 'the database does not answer' }),
    });
    expect(await screen.findByRole('alert')).toHaveTextContent('The database does not answer.');
    api.answer({ 'GET /me': aMe() });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: 'web-01' })).toBeVisible();
  });
});
