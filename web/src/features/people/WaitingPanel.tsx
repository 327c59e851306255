import { Button, Group } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { User } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { useUserAction, useWaiting } from './api';

const COLUMNS: Column<User>[] = [
  { id: 'name', header: 'Name', card: 'title', cell: (user) => <bdi>{user.name}</bdi> },
  {
    id: 'email',
    header: 'Email',
    card: 'wide',
    cell: (user) => (
      <>
        <bdi>{user.email}</bdi>
        {!user.email_verified && ' (not verified)'}
      </>
    ),
  },
  { id: 'since', header: 'Waits since', cell: (user) => <TimeAgo at={user.joined_at} /> },
];

/** People who registered or came from a directory and wait to be let in; nothing when nobody does. */
export function WaitingPanel({ onAdmit }: { onAdmit: (user: User) => void }) {
  const manages = useCan('users.manage');
  const query = useWaiting(manages);
  const action = useUserAction();
  const [refusing, setRefusing] = useState<User>();
  const columns = useMemo<Column<User>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (user) => (
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            <Button
              size="compact-xs"
              aria-label={`Admit ${user.name}`}
              onClick={() => onAdmit(user)}
            >
              Admit
            </Button>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Refuse ${user.name}`}
              onClick={() => setRefusing(user)}
            >
              Refuse
            </Button>
          </Group>
        ),
      },
    ],
    [onAdmit],
  );
  const rows = query.data?.items ?? [];
  if (rows.length === 0) {
    return query.isError ? <Banner tone="bad">{errorText(query.error)}</Banner> : null;
  }
  return (
    <Panel title="Waiting for approval" flush>
      <DataTable
        label="Waiting for approval"
        columns={columns}
        rows={rows}
        rowKey={(user) => user.id}
      />
      <ConfirmDialog
        opened={refusing !== undefined}
        title="Refuse?"
        confirmLabel="Refuse"
        danger
        pending={action.isPending}
        error={action.error}
        onConfirm={() =>
          refusing &&
          action.mutate(
            { kind: 'remove', id: refusing.id },
            { onSuccess: () => setRefusing(undefined) },
          )
        }
        onClose={() => {
          action.reset();
          setRefusing(undefined);
        }}
      >
        <bdi>{refusing?.name}</bdi> does not become a member. Among removed people they can be found
        and let in later.
      </ConfirmDialog>
    </Panel>
  );
}
