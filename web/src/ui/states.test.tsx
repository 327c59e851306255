import { MantineProvider } from '@mantine/core';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactNode } from 'react';
import { describe, expect, it, vi } from 'vitest';
import { ConfirmDialog } from './ConfirmDialog';
import { Copyable } from './Copyable';
import { HoverList } from './HoverList';
import { Loadable, type Loaded } from './Loadable';

function show(content: ReactNode) {
  render(<MantineProvider env="test">{content}</MantineProvider>);
  return userEvent.setup();
}

const FAILURE = Object.assign(new Error('The database does not answer.'), {
  requestId: 'req-7',
});

describe('what is loaded', () => {
  const loadable = (query: Partial<Loaded<string[]>>) => (
    <Loadable
      query={{ data: undefined, error: undefined, refetch: () => undefined, ...query }}
      loading="Loading"
      empty="Nothing"
      isEmpty={(list) => list.length === 0}
    >
      {(list) => list.join(' ')}
    </Loadable>
  );

  it('is_marked_as_busy_until_it_is_there', () => {
    show(loadable({}));
    expect(screen.getByText('Loading')).toHaveAttribute('aria-busy', 'true');
  });

  it('is_said_to_be_empty', () => {
    show(loadable({ data: [] }));
    expect(screen.getByText('Nothing')).toBeVisible();
  });

  it('is_told_as_a_failure_with_request_id_and_a_way_to_try_again', async () => {
    const refetch = vi.fn();
    const user = show(loadable({ error: FAILURE, refetch }));
    const alert = screen.getByRole('alert');
    expect(alert).toHaveTextContent('The database does not answer.');
    expect(alert).toHaveTextContent('req-7');
    await user.click(within(alert).getByRole('button', { name: 'Try again' }));
    expect(refetch).toHaveBeenCalledOnce();
  });

  it('stays_when_a_refresh_fails_with_the_failure_above', () => {
    show(loadable({ data: ['old'], error: FAILURE }));
    expect(screen.getByText(/old/)).toBeVisible();
    expect(screen.getByRole('alert')).toHaveTextContent(
      'Not up to date. The database does not answer.',
    );
  });
});

describe('a confirmation', () => {
  const dialog = (more: Partial<Parameters<typeof ConfirmDialog>[0]> = {}) => (
    <ConfirmDialog
      opened
      title="Delete it?"
      confirmLabel="Delete"
      danger
      pending={false}
      error={null}
      onConfirm={() => undefined}
      onClose={() => undefined}
      {...more}
    >
      It cannot be taken back.
    </ConfirmDialog>
  );

  it('begins_on_the_safe_button_and_confirms_by_the_verb', async () => {
    const onConfirm = vi.fn();
    const user = show(dialog({ onConfirm }));
    const shown = await screen.findByRole('dialog', { name: 'Delete it?' });
    expect(within(shown).getByRole('button', { name: 'Cancel' })).toHaveAttribute('data-autofocus');
    await user.click(within(shown).getByRole('button', { name: 'Delete' }));
    expect(onConfirm).toHaveBeenCalledOnce();
  });

  it('says_why_it_failed_and_stays_open', async () => {
    show(dialog({ error: FAILURE }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The database does not answer.');
    expect(screen.getByText('It cannot be taken back.')).toBeVisible();
  });

  it('cannot_be_confirmed_twice', async () => {
    show(dialog({ pending: true }));
    expect(await screen.findByRole('button', { name: 'Delete' })).toBeDisabled();
  });
});

describe('text to copy', () => {
  it('says_that_it_was_copied', async () => {
    const user = show(<Copyable text="tok_1" label="secret" display="block" />);
    await user.click(screen.getByRole('button', { name: 'Copy secret' }));
    expect(await screen.findByRole('status')).toHaveTextContent('Copied');
    expect(await navigator.clipboard.readText()).toBe('tok_1');
  });

  it('says_what_to_do_where_there_is_no_clipboard', async () => {
    const user = show(<Copyable text="tok_1" label="secret" />);
    vi.spyOn(navigator.clipboard, 'writeText').mockRejectedValue(new Error('denied'));
    await user.click(screen.getByRole('button', { name: 'Copy secret' }));
    expect(await screen.findByText('Not copied: select the text instead')).toBeInTheDocument();
  });
});

describe('a long list in a line', () => {
  const ITEMS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'];

  it('shows_the_first_ones_and_counts_the_others', async () => {
    const user = show(<HoverList items={ITEMS} shown={2} noun="addresses" />);
    expect(screen.getByText('10.0.0.2')).toBeVisible();
    expect(screen.queryByText('fd00::1')).toBeNull();
    const more = screen.getByRole('button', { name: '2 more addresses' });
    await user.hover(more);
    expect(screen.getByRole('tooltip')).toHaveTextContent('10.0.0.3fd00::1');
    await user.unhover(more);
    expect(screen.queryByRole('tooltip')).toBeNull();
  });

  it('opens_by_keyboard_and_closes_by_escape', async () => {
    const user = show(<HoverList items={ITEMS} shown={1} noun="addresses" />);
    await user.tab();
    expect(screen.getByRole('tooltip')).toBeVisible();
    await user.keyboard('{Escape}');
    expect(screen.queryByRole('tooltip')).toBeNull();
  });

  it('is_a_dash_when_there_is_nothing', () => {
    show(<HoverList items={[]} shown={2} noun="addresses" />);
    expect(screen.getByText('–')).toBeVisible();
  });
});
