import { Button, Group, Modal } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Invitation } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useCancelInvitation, useInvitations, useResendInvitation } from './api';
import { InvitedView } from './InviteDialog';
import { INVITATION_LABEL, roleList } from './words';

const COLUMNS: Column<Invitation>[] = [
  { id: 'email', header: 'Email', card: 'title', cell: (row) => <bdi>{row.email}</bdi> },
  { id: 'roles', header: 'Roles', cell: (row) => roleList(row.roles) },
  {
    id: 'state',
    header: 'State',
    card: 'corner',
    cell: (row) => (
      <StatusBadge
        tone={row.state === 'live' ? 'info' : 'quiet'}
        label={INVITATION_LABEL[row.state]}
      />
    ),
  },
  { id: 'by', header: 'Invited by', cell: (row) => <bdi>{row.invited_by?.name ?? '–'}</bdi> },
  { id: 'ends', header: 'Ends', cell: (row) => <TimeAgo at={row.expires_at} kind="any" /> },
];

/** Invitations that wait or have expired; nothing when there are none. */
export function InvitationsPanel() {
  const query = useInvitations(useCan('invitations.manage'));
  const resend = useResendInvitation();
  const cancel = useCancelInvitation();
  const [cancelling, setCancelling] = useState<Invitation>();
  const send = resend.mutate;
  const columns = useMemo<Column<Invitation>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (row) => (
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Send again to ${row.email}`}
              onClick={() => send(row.id)}
            >
              Send again
            </Button>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Cancel the invitation of ${row.email}`}
              onClick={() => setCancelling(row)}
            >
              Cancel
            </Button>
          </Group>
        ),
      },
    ],
    [send],
  );
  const rows = query.data?.items ?? [];
  if (rows.length === 0) {
    return query.isError ? <Banner tone="bad">{errorText(query.error)}</Banner> : null;
  }
  return (
    <Panel title="Invitations" flush>
      {resend.isError && <Banner tone="bad">{errorText(resend.error)}</Banner>}
      <DataTable label="Invitations" columns={columns} rows={rows} rowKey={(row) => row.id} />
      <Modal opened={resend.isSuccess} onClose={resend.reset} title="Invitation" size="lg">
        {resend.data && <InvitedView invited={resend.data} onDone={resend.reset} />}
      </Modal>
      <ConfirmDialog
        opened={cancelling !== undefined}
        title="Cancel the invitation?"
        confirmLabel="Cancel invitation"
        danger
        pending={cancel.isPending}
        error={cancel.error}
        onConfirm={() =>
          cancelling && cancel.mutate(cancelling.id, { onSuccess: () => setCancelling(undefined) })
        }
        onClose={() => setCancelling(undefined)}
      >
        The link for <bdi>{cancelling?.email}</bdi> stops working.
      </ConfirmDialog>
    </Panel>
  );
}
