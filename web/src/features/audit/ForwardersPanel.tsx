import { Button, Group } from '@mantine/core';
import { Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { sentence } from '@/api/problem';
import type { AuditForwarder } from '@/api/schema';
import { TargetOffer } from '@/features/internal-targets';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useDeleteForwarder, useForwarders, useTestForwarder } from './api';
import { ForwarderDialog } from './ForwarderDialog';
import classes from './ForwardersPanel.module.css';
import { forwarderKind } from './words';

type Editing = { forwarder: AuditForwarder | undefined };

/** Where events are sent, how far each receiver is behind, and what it said last. */
export function ForwardersPanel() {
  const query = useForwarders(true);
  const test = useTestForwarder();
  const [editing, setEditing] = useState<Editing>();
  const [deleting, setDeleting] = useState<AuditForwarder>();
  return (
    <Panel
      title="Forwarding"
      aside={
        <Button
          size="xs"
          leftSection={<Plus size={14} aria-hidden="true" />}
          onClick={() => setEditing({ forwarder: undefined })}
        >
          Add forwarder
        </Button>
      }
      flush
    >
      {test.data && (
        <Banner tone={test.data.delivered ? 'info' : 'bad'}>
          {test.data.delivered ? 'The test event was taken.' : `Not delivered: ${test.data.error}`}
        </Banner>
      )}
      {test.error && <Banner tone="bad">{errorText(test.error)}</Banner>}
      {test.data?.needs_target && (
        <TargetOffer
          host={test.data.needs_target}
          onAdded={() => test.variables && test.mutate(test.variables)}
        />
      )}
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={<Notice title="Events are not forwarded" />}
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <Table
            rows={list.items}
            onTest={(forwarder) => test.mutate(forwarder.id)}
            onEdit={(forwarder) => setEditing({ forwarder })}
            onDelete={setDeleting}
          />
        )}
      </Loadable>
      {editing && (
        <ForwarderDialog forwarder={editing.forwarder} onClose={() => setEditing(undefined)} />
      )}
      <DeleteDialog forwarder={deleting} onClose={() => setDeleting(undefined)} />
    </Panel>
  );
}

function State({ forwarder }: { forwarder: AuditForwarder }) {
  if (!forwarder.enabled) {
    return <StatusBadge tone="quiet" label="Off" />;
  }
  return forwarder.last_error ? (
    <>
      <StatusBadge tone="bad" label="Failing" />
      <div className={classes.fault}>{sentence(forwarder.last_error)}</div>
    </>
  ) : (
    <StatusBadge tone="ok" label="Working" />
  );
}

interface TableProps {
  rows: readonly AuditForwarder[];
  onTest: (forwarder: AuditForwarder) => void;
  onEdit: (forwarder: AuditForwarder) => void;
  onDelete: (forwarder: AuditForwarder) => void;
}

function Table({ rows, onTest, onEdit, onDelete }: TableProps) {
  const columns = useMemo<Column<AuditForwarder>[]>(
    () => [
      { id: 'name', header: 'Name', card: 'title', cell: (row) => <bdi>{row.name}</bdi> },
      { id: 'kind', header: 'Kind', cell: (row) => forwarderKind(row.kind) },
      { id: 'endpoint', header: 'To', card: 'wide', cell: (row) => <bdi>{row.endpoint}</bdi> },
      { id: 'state', header: 'State', card: 'wide', cell: (row) => <State forwarder={row} /> },
      { id: 'lag', header: 'Behind', cell: (row) => `${row.lag.toLocaleString('en')} events` },
      { id: 'sent', header: 'Last sent', cell: (row) => <TimeAgo at={row.last_sent_at} /> },
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (row) => (
          <Group gap={4} justify="flex-end" wrap="nowrap">
            {(
              [
                ['Test', onTest],
                ['Edit', onEdit],
                ['Delete', onDelete],
              ] as const
            ).map(([verb, act]) => (
              <Button
                key={verb}
                size="compact-xs"
                variant="default"
                aria-label={`${verb} ${row.name}`}
                onClick={() => act(row)}
              >
                {verb}
              </Button>
            ))}
          </Group>
        ),
      },
    ],
    [onTest, onEdit, onDelete],
  );
  return <DataTable label="Forwarders" columns={columns} rows={rows} rowKey={(row) => row.id} />;
}

interface DeleteDialogProps {
  forwarder: AuditForwarder | undefined;
  onClose: () => void;
}

function DeleteDialog({ forwarder, onClose }: DeleteDialogProps) {
  const remove = useDeleteForwarder();
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={forwarder !== undefined}
      title="Delete forwarder?"
      confirmLabel="Delete forwarder"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => forwarder && remove.mutate(forwarder.id, { onSuccess: close })}
      onClose={close}
    >
      <bdi>{forwarder?.name}</bdi> gets no more events. Its place is forgotten.
    </ConfirmDialog>
  );
}
