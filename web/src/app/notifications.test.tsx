import { notifications } from '@mantine/notifications';
import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '@/testing/renderApp';

it('a_notification_is_closed_by_a_button_that_has_a_name', async () => {
  const { user } = renderApp('/hosts');
  await screen.findByRole('heading', { name: 'Hosts', level: 1 });
  act(() => {
    notifications.show({ message: 'Saved' });
  });
  const shown = await screen.findByRole('alert');
  expect(shown).toHaveTextContent('Saved');
  await user.click(within(shown).getByRole('button', { name: 'Close' }));
  await waitFor(() => expect(screen.queryByText('Saved')).toBeNull());
});
