import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { type Column, DataTable } from './DataTable';

interface Row {
  id: string;
  size: number;
}

const cell = vi.fn((row: Row) => row.id);

const COLUMNS: Column<Row>[] = [
  { id: 'id', header: 'Name', card: 'title', sortable: true, cell },
  { id: 'size', header: 'Size', align: 'end', sortable: true, cell: (row) => row.size },
  { id: 'note', header: 'Note', cell: () => null },
];

const ROWS: Row[] = [
  { id: 'a', size: 1 },
  { id: 'b', size: 2 },
];

it('says_by_which_column_and_in_which_direction_it_is_sorted', () => {
  const table = (
    <DataTable
      label="Things"
      columns={COLUMNS}
      rows={ROWS}
      rowKey={(row) => row.id}
      sort={{ id: 'size', descending: true }}
      onSort={() => undefined}
    />
  );
  render(table);
  const sorted = screen
    .getAllByRole('columnheader')
    .map((head) => [head.textContent, head.getAttribute('aria-sort')]);
  expect(sorted).toEqual([
    ['Name', null],
    ['Size', 'descending'],
    ['Note', null],
  ]);
});

it('sortable_columns_are_buttons_and_others_are_not', async () => {
  const onSort = vi.fn();
  render(
    <DataTable
      label="Things"
      columns={COLUMNS}
      rows={ROWS}
      rowKey={(row) => row.id}
      sort={{ id: 'id', descending: false }}
      onSort={onSort}
    />,
  );
  await userEvent.setup().click(screen.getByRole('button', { name: 'Size' }));
  expect(onSort).toHaveBeenCalledWith('size');
  expect(screen.queryByRole('button', { name: 'Note' })).toBeNull();
});

it('cells_carry_the_label_that_stands_above_them_on_a_phone', () => {
  render(<DataTable label="Things" columns={COLUMNS} rows={ROWS} rowKey={(row) => row.id} busy />);
  const table = screen.getByRole('table', { name: 'Things' });
  expect(table).toHaveAttribute('aria-busy', 'true');
  const cells = within(table).getAllByRole('cell').slice(0, 3);
  expect(cells.map((one) => [one.dataset.label, one.dataset.card])).toEqual([
    ['Name', 'title'],
    ['Size', 'line'],
    ['Note', 'line'],
  ]);
});

it('a_row_that_did_not_change_is_not_drawn_again', () => {
  const table = (rows: Row[]) => (
    <DataTable label="Things" columns={COLUMNS} rows={rows} rowKey={(row) => row.id} />
  );
  const { rerender } = render(table(ROWS));
  cell.mockClear();
  rerender(table([...ROWS, { id: 'c', size: 3 }]));
  expect(cell.mock.calls.map(([row]) => row.id)).toEqual(['c']);
});
