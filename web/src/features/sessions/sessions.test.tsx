import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { aSession } from '@/testing/fixtures';
import { renderApp, tableRows } from '@/testing/renderApp';
import { deviceName } from './device';

const TWO = {
  items: [
    aSession(),
    aSession({ id: 's2', current: false, ip: '192.0.2.99', user_agent: 'curl/8.11.0' }),
  ],
};

describe('sessions', () => {
  it('Spec: auth 14: shows_device_address_last_use_and_method', async () => {
    renderApp('/account/sessions', { 'GET /me/sessions': TWO });
    const rows = await tableRows('Sessions');
    expect(rows[0]).toEqual([
      'Firefox on Linux',
      '192.0.2.77',
      'password',
      '3 min ago',
      '1 h ago',
      expect.stringMatching(/^in /),
      'This session',
    ]);
  });

  it('Spec: auth 14: one_session_can_be_ended', async () => {
    const { api, user } = renderApp('/account/sessions', {
      'GET /me/sessions': TWO,
      'DELETE /me/sessions/{id}': undefined,
    });
    await user.click(await screen.findByRole('button', { name: /^End session: curl/ }));
    api.answer({ 'GET /me/sessions': { items: [aSession()] } });
    await user.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'End' }),
    );
    await waitFor(() => expect(screen.queryByText('192.0.2.99')).toBeNull());
    expect(api.to('DELETE /me/sessions/{id}')[0]?.path).toBe('/me/sessions/s2');
  });

  it('Spec: auth 14: all_others_can_be_ended', async () => {
    const { api, user } = renderApp('/account/sessions', {
      'GET /me/sessions': TWO,
      'DELETE /me/sessions': undefined,
    });
    const button = await screen.findByRole('button', { name: 'End all others' });
    await waitFor(() => expect(button).toBeEnabled());
    await user.click(button);
    api.answer({ 'GET /me/sessions': { items: [aSession()] } });
    await user.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'End' }),
    );
    await waitFor(() => expect(api.to('DELETE /me/sessions')).toHaveLength(1));
    await waitFor(() => expect(button).toBeDisabled());
  });
});

describe('device names', () => {
  it.each([
    [null, 'Unknown device'],
    ['something', 'Unknown device'],
    ['curl/8.0', 'curl'],
    [
      'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140',
      'Edge on Windows',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18 Safari/604',
      'Safari on iOS',
    ],
  ])('%s is %s', (userAgent, name) => {
    expect(deviceName(userAgent)).toBe(name);
  });
});
