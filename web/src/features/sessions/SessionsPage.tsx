import { Button } from '@mantine/core';
import { useState } from 'react';
import type { SessionRow } from '@/api/schema';
import { useCan } from '@/api/session';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useEndSessions, useSessions } from './api';
import { deviceName } from './device';

type Ending = { kind: 'one'; session: SessionRow } | { kind: 'others' };

export function SessionsPage() {
  const allowed = useCan('sessions.own');
  const query = useSessions(allowed);
  const [ending, setEnding] = useState<Ending>();
  const others = query.data?.items.filter((session) => !session.current).length ?? 0;
  return (
    <PageFrame
      title="Sessions"
      description="Where you are signed in."
      actions={
        <Button
          variant="default"
          disabled={others === 0}
          onClick={() => setEnding({ kind: 'others' })}
        >
          End all others
        </Button>
      }
      query={query}
      allowed={allowed}
      noPermission="You may not see sessions."
      loading={<TableSkeleton rows={3} />}
      empty={<Notice title="No sessions" />}
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => (
        <>
          <Panel title={`${list.items.length} open`} flush>
            <SessionTable
              rows={list.items}
              onEnd={(session) => setEnding({ kind: 'one', session })}
            />
          </Panel>
          <EndDialog ending={ending} onClose={() => setEnding(undefined)} />
        </>
      )}
    </PageFrame>
  );
}

interface SessionTableProps {
  rows: readonly SessionRow[];
  onEnd: (session: SessionRow) => void;
}

function SessionTable({ rows, onEnd }: SessionTableProps) {
  const columns: Column<SessionRow>[] = [
    {
      id: 'device',
      header: 'Device',
      card: 'title',
      cell: (row) => <span title={row.user_agent ?? undefined}>{deviceName(row.user_agent)}</span>,
    },
    { id: 'ip', header: 'Address', cell: (row) => <bdi>{row.ip ?? '–'}</bdi> },
    { id: 'method', header: 'Method', cell: (row) => row.method },
    { id: 'used', header: 'Last used', cell: (row) => <TimeAgo at={row.last_used_at} /> },
    { id: 'created', header: 'Signed in', cell: (row) => <TimeAgo at={row.created_at} /> },
    {
      id: 'expires',
      header: 'Ends',
      cell: (row) => <TimeAgo at={row.expires_at} kind="any" />,
    },
    {
      id: 'end',
      header: 'Action',
      align: 'end',
      card: 'corner',
      cell: (row) =>
        row.current ? (
          <StatusBadge tone="ok" label="This session" />
        ) : (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`End session: ${deviceName(row.user_agent)}, ${row.ip ?? 'unknown address'}`}
            onClick={() => onEnd(row)}
          >
            End
          </Button>
        ),
    },
  ];
  return <DataTable label="Sessions" columns={columns} rows={rows} rowKey={(row) => row.id} />;
}

function EndDialog({ ending, onClose }: { ending: Ending | undefined; onClose: () => void }) {
  const end = useEndSessions();
  const close = () => {
    end.reset();
    onClose();
  };
  const confirm = () => {
    const id = ending?.kind === 'one' ? ending.session.id : undefined;
    end.mutate(id, { onSuccess: close });
  };
  return (
    <ConfirmDialog
      opened={ending !== undefined}
      title={ending?.kind === 'others' ? 'End all other sessions?' : 'End this session?'}
      confirmLabel="End"
      danger
      pending={end.isPending}
      error={end.error}
      onConfirm={confirm}
      onClose={close}
    >
      {ending?.kind === 'one'
        ? `${deviceName(ending.session.user_agent)} has to sign in again.`
        : 'Every device but this one has to sign in again.'}
    </ConfirmDialog>
  );
}
