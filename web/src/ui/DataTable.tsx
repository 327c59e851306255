import { ArrowDown, ArrowUp, ArrowUpDown } from 'lucide-react';
import { memo, type ReactNode } from 'react';
import classes from './DataTable.module.css';

/**
 * A card has three columns. `title` and `corner` are its first line, `text` is a line without
 * label, `line` one column with label, `wide` a whole line with label, `foot` and `foot-end`
 * its last line, `actions` the buttons below.
 */
type CardPlace = 'title' | 'corner' | 'text' | 'line' | 'wide' | 'foot' | 'foot-end' | 'actions';

export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  sortable?: boolean;
  align?: 'start' | 'end';
  /** CSS width; columns without one share the rest. */
  width?: string;
  /** Place on the card that a row is on a phone; default is `line`. */
  card?: CardPlace;
}

export interface Sort {
  id: string;
  descending: boolean;
}

interface DataTableProps<Row> {
  /** Names the table for those who do not see it. */
  label: string;
  /** Must be the same array between renders, so that unchanged rows are not drawn again. */
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  sort?: Sort;
  onSort?: (id: string) => void;
  /** The rows are those of an earlier question while the answer is on its way. */
  busy?: boolean;
}

/** First click on a column sorts ascending, the second one descending. */
export function nextSort(current: Sort, id: string): Sort {
  return { id, descending: current.id === id && !current.descending };
}

/** A plain table: no component per cell, so that 200 rows stay fast. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, rowKey, sort, onSort, busy = false } = props;
  return (
    <div className={classes.scroll}>
      <table className={classes.table} aria-label={label} aria-busy={busy} data-busy={busy}>
        <thead>
          <tr>
            {columns.map((column) => (
              <HeaderCell key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TableRow key={rowKey(row)} row={row} columns={columns as readonly Column<unknown>[]} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeaderCellProps<Row> {
  column: Column<Row>;
  sort?: Sort;
  onSort?: (id: string) => void;
}

function HeaderCell<Row>({ column, sort, onSort }: HeaderCellProps<Row>) {
  const sorted = sort?.id === column.id;
  const direction = sort?.descending ? 'descending' : 'ascending';
  return (
    <th
      scope="col"
      style={{ width: column.width }}
      data-align={column.align}
      aria-sort={column.sortable && sorted ? direction : undefined}
    >
      {column.sortable && onSort ? (
        <button type="button" className={classes.sort} onClick={() => onSort(column.id)}>
          {column.header}
          <SortMark active={sorted} descending={sort?.descending ?? false} />
        </button>
      ) : (
        column.header
      )}
    </th>
  );
}

function SortMark({ active, descending }: { active: boolean; descending: boolean }) {
  if (!active) {
    return <ArrowUpDown size={12} aria-hidden="true" className={classes.idle} />;
  }
  return descending ? (
    <ArrowDown size={12} aria-hidden="true" />
  ) : (
    <ArrowUp size={12} aria-hidden="true" />
  );
}

interface TableRowProps {
  row: unknown;
  columns: readonly Column<unknown>[];
}

const TableRow = memo(function TableRow({ row, columns }: TableRowProps) {
  return (
    <tr>
      {columns.map((column) => (
        <td
          key={column.id}
          data-align={column.align}
          data-card={column.card ?? 'line'}
          data-label={column.header}
        >
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
});
