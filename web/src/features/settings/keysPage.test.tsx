import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { SettingsPage } from '@/api/settings';
import { Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function aPage(): SettingsPage {
  const key = {
    about: 'invite_only: people join by invitation. closed: nobody new.',
    optional: false,
    least: null,
    most: null,
    most_items: null,
    scope: 'organisation',
    restart: false,
    env: null,
    env_only: false,
  } as const;
  return {
    name: 'authentication',
    title: 'Authentication',
    section: 'authentication',
    writable: true,
    version: 4,
    keys: [
      {
        ...key,
        name: 'registration_mode',
        title: 'Registration',
        type: 'choice',
        choices: ['invite_only', 'closed'],
        default: 'invite_only',
      },
    ],
    values: { registration_mode: 'closed' },
    sources: { registration_mode: 'stored' },
    secrets: {},
    faults: [],
    updated_at: null,
    updated_by: null,
  };
}

it('choices read as words and are saved as the server names them', async () => {
  const { api, user } = renderApp('/settings/authentication', {
    'GET /settings/authentication': aPage(),
    'PUT /settings/authentication': { ...aPage(), version: 5 },
  });
  const list = await screen.findByLabelText('Registration');
  expect(list).toHaveDisplayValue('Closed');
  expect(screen.getByText('Default: By invitation.')).toBeVisible();
  expect(
    screen.getByText('By invitation: people join by invitation. Closed: nobody new.'),
  ).toBeVisible();
  await user.selectOptions(list, 'By invitation');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(api.to('PUT /settings/authentication')[0]?.body).toEqual({
    registration_mode: 'invite_only',
  });
});

it('an address that is no page of keys is said to be missing instead of failing', async () => {
  renderApp('/settings/enrolment', {
    'GET /settings/enrolment': { reenrolment_policy: 'adopt' },
  });
  expect(await screen.findByText('There is no such page of settings')).toBeVisible();
  expect(screen.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
});

it('a page that the server does not know is said to be missing with its request id', async () => {
  renderApp('/settings/smtp-relay', {
    'GET /settings/smtp-relay': new Refusal(404, 'not_found', {
      detail: 'there is no page "smtp-relay"',
    }),
  });
  expect(await screen.findByText('There is no page "smtp-relay".')).toBeVisible();
  expect(screen.getByText(/^req-/)).toBeVisible();
});
