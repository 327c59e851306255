import { Button } from '@mantine/core';
import { useMemo } from 'react';
import type { AuditEvent } from '@/api/schema';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { actorName, outcomeLabel, outcomeTone, targetName } from './words';

interface EventTableProps {
  rows: readonly AuditEvent[];
  busy?: boolean;
  onOpen: (id: string) => void;
  label?: string;
}

export function EventTable({ rows, busy, onOpen, label = 'Audit events' }: EventTableProps) {
  const columns = useMemo<Column<AuditEvent>[]>(
    () => [
      {
        id: 'summary',
        header: 'What',
        card: 'title',
        cell: (event) => (
          <Button
            variant="transparent"
            size="compact-sm"
            px={0}
            h="auto"
            onClick={() => onOpen(event.id)}
            styles={{ label: { whiteSpace: 'normal', textAlign: 'start' } }}
          >
            <bdi>{event.summary || event.action}</bdi>
            {event.repeats > 1 && ` (${event.repeats} times)`}
          </Button>
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
      { id: 'action', header: 'Action', cell: (event) => <code>{event.action}</code> },
      { id: 'target', header: 'Target', cell: (event) => <bdi>{targetName(event)}</bdi> },
      { id: 'ip', header: 'From', cell: (event) => <bdi>{event.ip ?? '–'}</bdi> },
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
