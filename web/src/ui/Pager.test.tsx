import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { Pager } from './Pager';

function steps() {
  return Object.fromEntries(
    ['First', 'Previous', 'Next', 'Last'].map((name) => [
      name,
      screen.getByRole<HTMLButtonElement>('button', { name: `${name} page` }).disabled,
    ]),
  );
}

it.each([
  [1, 120, '1–50 of 120', { First: true, Previous: true, Next: false, Last: false }],
  [2, 120, '51–100 of 120', { First: false, Previous: false, Next: false, Last: false }],
  [3, 120, '101–120 of 120', { First: false, Previous: false, Next: true, Last: true }],
  [1, 0, '0 of 0', { First: true, Previous: true, Next: true, Last: true }],
  [1, 12_345, '1–50 of 12,345', { First: true, Previous: true, Next: false, Last: false }],
])('page %d of %d rows reads %s', (page, total, range, disabled) => {
  render(<Pager page={page} pageSize={50} total={total} onPage={() => undefined} />);
  expect(screen.getByText(range)).toBeVisible();
  expect(steps()).toEqual(disabled);
});

it('every_button_leads_where_it_says', async () => {
  const onPage = vi.fn();
  render(<Pager page={3} pageSize={50} total={400} onPage={onPage} />);
  const user = userEvent.setup();
  for (const name of ['First', 'Previous', 'Next', 'Last']) {
    await user.click(screen.getByRole('button', { name: `${name} page` }));
  }
  expect(onPage.mock.calls.flat()).toEqual([1, 2, 4, 8]);
});

it('from_a_page_that_is_not_there_any_more_the_way_back_is_the_last_one', async () => {
  const onPage = vi.fn();
  render(<Pager page={9} pageSize={50} total={70} onPage={onPage} />);
  await userEvent.setup().click(screen.getByRole('button', { name: 'Previous page' }));
  expect(onPage).toHaveBeenCalledWith(2);
});
