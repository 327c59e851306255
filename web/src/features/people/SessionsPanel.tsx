import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { SessionRow, User } from '@/api/schema';
import { useCan } from '@/api/session';
import { useStepUp } from '@/features/reauthentication';
import { deviceName } from '@/features/sessions';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useSessionsOf, useSignInAction } from './api';

const COLUMNS: Column<SessionRow>[] = [
  {
    id: 'device',
    header: 'Device',
    card: 'title',
    cell: (session) => deviceName(session.user_agent),
  },
  { id: 'ip', header: 'IP address', cell: (session) => <bdi>{session.ip}</bdi> },
  { id: 'used', header: 'Last used', cell: (session) => <TimeAgo at={session.last_used_at} /> },
];

/** Sessions of somebody, to be ended one by one or all (auth 14). */
export function SessionsPanel({ user }: { user: User }) {
  const allowed = useCan('sessions.manage');
  const query = useSessionsOf(user.id, allowed);
  const { guarded, dialog } = useStepUp();
  const action = useSignInAction(user.id, guarded);
  const [asking, setAsking] = useState(false);
  const end = action.mutate;
  const columns = useMemo<Column<SessionRow>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (session) => (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`End the session on ${deviceName(session.user_agent)}`}
            onClick={() => end({ kind: 'end_session', sessionId: session.id })}
          >
            End
          </Button>
        ),
      },
    ],
    [end],
  );
  if (!allowed) {
    return null;
  }
  const some = (query.data?.items.length ?? 0) > 0;
  return (
    <Panel
      title="Sessions"
      aside={
        some && (
          <Button size="xs" variant="default" onClick={() => setAsking(true)}>
            End all sessions
          </Button>
        )
      }
      flush
    >
      {action.isError && !asking && <Banner tone="bad">{errorText(action.error)}</Banner>}
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={<Notice title="Not signed in anywhere" />}
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <DataTable
            label="Sessions"
            columns={columns}
            rows={list.items}
            rowKey={(session) => session.id}
          />
        )}
      </Loadable>
      <ConfirmDialog
        opened={asking}
        title="End all sessions?"
        confirmLabel="End sessions"
        danger
        pending={action.isPending}
        error={action.error}
        onConfirm={() => action.mutate({ kind: 'end_all' }, { onSuccess: () => setAsking(false) })}
        onClose={() => {
          action.reset();
          setAsking(false);
        }}
      >
        <bdi>{user.name}</bdi> is signed out on every device. API keys go on working.
      </ConfirmDialog>
      {dialog}
    </Panel>
  );
}
