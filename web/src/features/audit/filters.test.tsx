import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { aMe, READ_ONLY } from '@/testing/fixtures';
import { renderApp } from '@/testing/renderApp';

const NOTHING = { items: [], next_cursor: null };

function open(path: string) {
  return renderApp(path, {
    'GET /me': aMe([...READ_ONLY, 'audit.read']),
    'GET /audit/events': NOTHING,
  });
}

describe('filters of the audit log', () => {
  it('rare_ones_appear_when_they_are_asked_for', async () => {
    const { api, user } = open('/settings/audit?outcome=denied');
    const more = await screen.findByRole('button', { name: 'More filters' });
    expect(screen.queryByLabelText('Request id')).toBeNull();
    await user.click(more);
    await user.type(screen.getByLabelText('Request id'), 'req-12345678{Enter}');
    await waitFor(() =>
      expect(api.to('GET /audit/events').at(-1)?.query.get('request_id')).toBe('req-12345678'),
    );
    expect(screen.queryByRole('button', { name: 'More filters' })).toBeNull();
  });

  it('a_link_that_uses_a_rare_one_shows_it', async () => {
    open('/settings/audit?target_type=host');
    expect(await screen.findByLabelText('Target type')).toHaveValue('host');
    expect(screen.getByLabelText('Actor id')).toBeVisible();
  });

  it('a_question_without_an_answer_says_so_and_can_be_taken_back', async () => {
    const { user, address } = open('/settings/audit?q=nothing');
    expect(await screen.findByText('No event matches')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Clear filters' }));
    await waitFor(() => expect(address()).toBe('/settings/audit'));
  });
});
