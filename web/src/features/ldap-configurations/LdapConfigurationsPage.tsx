import { Button, Group } from '@mantine/core';
import { useState } from 'react';
import type { LdapRow } from '@/api/directory';
import { isProblem } from '@/api/problem';
import { useCan } from '@/api/session';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useDeleteLdap, useLdapConfigurations } from './api';
import { LdapDialog } from './LdapDialog';

const TRANSPORTS = { ldaps: 'LDAPS', starttls: 'StartTLS', plain: 'unencrypted' };

type Editing = { id: string | undefined };

/** The directories of the organisation. */
export function LdapConfigurationsPage() {
  const allowed = useCan('ldap_configurations.read');
  const mayWrite = useCan('ldap_configurations.write');
  const query = useLdapConfigurations(allowed);
  const [editing, setEditing] = useState<Editing>();
  const [deleting, setDeleting] = useState<LdapRow>();
  const add = () => setEditing({ id: undefined });
  return (
    <>
      <PageFrame
        title="Directories"
        description="LDAP and Active Directory, for sign-in and for looking people up."
        actions={mayWrite && <Button onClick={add}>Add directory</Button>}
        query={query}
        allowed={allowed}
        noPermission="You may not see directories."
        loading={<TableSkeleton rows={2} />}
        empty={
          <Notice title="No directory yet">
            Connect one to let people sign in with the account they have at work.
          </Notice>
        }
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <Panel title="Directories" flush hideTitle>
            <DataTable
              label="Directories"
              columns={columns(mayWrite, (row) => setEditing({ id: row.id }), setDeleting)}
              rows={list.items}
              rowKey={(row) => row.id}
            />
          </Panel>
        )}
      </PageFrame>
      {editing && (
        <LdapDialog key={editing.id} id={editing.id} onClose={() => setEditing(undefined)} />
      )}
      <DeleteDialog row={deleting} onClose={() => setDeleting(undefined)} />
    </>
  );
}

function columns(
  mayWrite: boolean,
  onEdit: (row: LdapRow) => void,
  onDelete: (row: LdapRow) => void,
): Column<LdapRow>[] {
  return [
    { id: 'name', header: 'Name', card: 'title', cell: (row) => <bdi>{row.name}</bdi> },
    {
      id: 'servers',
      header: 'Servers',
      card: 'wide',
      cell: (row) => row.settings.servers.map((one) => `${one.host}:${one.port}`).join(', '),
    },
    {
      id: 'transport',
      header: 'Transport',
      card: 'corner',
      cell: (row) => (
        <StatusBadge
          tone={row.settings.transport === 'plain' ? 'bad' : 'ok'}
          label={TRANSPORTS[row.settings.transport]}
        />
      ),
    },
    {
      id: 'use',
      header: 'Used for',
      cell: (row) => {
        const uses = row.login_allowed ? 'sign-in and look-up' : 'look-up';
        return row.enabled ? uses : 'nothing: disabled';
      },
    },
    {
      id: 'tested',
      header: 'Last test',
      cell: (row) => (
        <>
          <TimeAgo at={row.last_test_at} />
          {row.last_test_ok === false && ' (failed)'}
        </>
      ),
    },
    {
      id: 'actions',
      header: 'Actions',
      align: 'end',
      card: 'actions',
      cell: (row) =>
        mayWrite && (
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Edit ${row.name}`}
              onClick={() => onEdit(row)}
            >
              Edit
            </Button>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Delete ${row.name}`}
              onClick={() => onDelete(row)}
            >
              Delete
            </Button>
          </Group>
        ),
    },
  ];
}

function DeleteDialog({ row, onClose }: { row: LdapRow | undefined; onClose: () => void }) {
  const remove = useDeleteLdap();
  const linked = isProblem(remove.error, 'linked_users');
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={row !== undefined}
      title={`Delete ${row?.name ?? 'directory'}?`}
      confirmLabel={linked ? 'Delete all the same' : 'Delete'}
      danger
      pending={remove.isPending}
      error={linked ? null : remove.error}
      onConfirm={() =>
        row && remove.mutate({ id: row.id, confirmed: linked }, { onSuccess: close })
      }
      onClose={close}
    >
      {linked
        ? 'People sign in through this directory. Their accounts stay, but they cannot sign in with it any more.'
        : 'Its settings and secrets are removed.'}
    </ConfirmDialog>
  );
}
