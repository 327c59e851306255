import { Fragment, useMemo } from 'react';
import type { AuditEvent } from '@/api/schema';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import classes from './EventTable.module.css';
import { actorName, outcomeLabel, outcomeTone, targetName } from './words';

interface EventTableProps {
  rows: readonly AuditEvent[];
  busy?: boolean;
  onOpen: (id: string) => void;
  label?: string;
}

/** The name of an action, which may break after its parts only. */
function ActionName({ action }: { action: string }) {
  const [first, ...rest] = action.split(/(?<=\.)/);
  return (
    <code className={classes.action}>
      {first}
      {rest.map((part) => (
        <Fragment key={part}>
          <wbr />
          {part}
        </Fragment>
      ))}
    </code>
  );
}

export function EventTable({ rows, busy, onOpen, label = 'Audit events' }: EventTableProps) {
  const columns = useMemo<Column<AuditEvent>[]>(
    () => [
      {
        id: 'summary',
        header: 'What',
        card: 'title',
        cell: (event) => (
          <button type="button" className={classes.open} onClick={() => onOpen(event.id)}>
            <bdi>{event.summary || event.action}</bdi>
            {event.repeats > 1 && ` (${event.repeats} times)`}
          </button>
        ),
      },
      {
        id: 'outcome',
        header: 'Outcome',
        card: 'corner',
        cell: (event) => (
          <StatusBadge tone={outcomeTone(event.outcome)} label={outcomeLabel(event.outcome)} />
        ),
      },
      { id: 'actor', header: 'Who', cell: (event) => <bdi>{actorName(event)}</bdi> },
      {
        id: 'action',
        header: 'Action',
        card: 'wide',
        cell: (event) => <ActionName action={event.action} />,
      },
      {
        id: 'target',
        header: 'Target',
        cell: (event) => (
          <bdi className={classes.target} title={targetName(event)}>
            {targetName(event)}
          </bdi>
        ),
      },
      {
        id: 'ip',
        header: 'From',
        cell: (event) => <bdi className={classes.address}>{event.ip ?? '–'}</bdi>,
      },
      { id: 'at', header: 'When', cell: (event) => <TimeAgo at={event.at} /> },
    ],
    [onOpen],
  );
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={rows}
      rowKey={(event) => event.id}
      busy={busy}
    />
  );
}
