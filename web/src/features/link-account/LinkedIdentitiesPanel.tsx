import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, segment } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { LinkedIdentity, ListOf } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';

interface LinkedIdentitiesPanelProps {
  /** Runs what the server may want a fresh confirmation for. */
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

const KEY = ['me', 'external-identities'];

const PROVIDERS: Record<string, string> = {
  ldap: 'Directory',
  oidc: 'OpenID Connect',
  saml: 'SAML 2.0',
};

/** Directories and identity providers that sign this person in; absent for those who have none. */
export function LinkedIdentitiesPanel({ guarded }: LinkedIdentitiesPanelProps) {
  const linked = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) =>
      api.get<ListOf<LinkedIdentity>>('/me/external-identities', undefined, signal),
  });
  const [removing, setRemoving] = useState<LinkedIdentity>();
  if (linked.isError) {
    return <Banner tone="bad">{errorText(linked.error)}</Banner>;
  }
  if (!linked.data || linked.data.items.length === 0) {
    return null;
  }
  return (
    <Panel title="Linked sign-ins" flush>
      <DataTable
        label="Linked sign-ins"
        columns={columns(setRemoving)}
        rows={linked.data.items}
        rowKey={(identity) => identity.id}
      />
      <RemoveDialog identity={removing} guarded={guarded} onClose={() => setRemoving(undefined)} />
    </Panel>
  );
}

function columns(onRemove: (identity: LinkedIdentity) => void): Column<LinkedIdentity>[] {
  return [
    { id: 'name', header: 'Known as', card: 'title', cell: (row) => <bdi>{row.name}</bdi> },
    { id: 'provider', header: 'Through', cell: (row) => PROVIDERS[row.provider] ?? row.provider },
    { id: 'linked', header: 'Linked', cell: (row) => <TimeAgo at={row.linked_at} /> },
    { id: 'used', header: 'Last used', cell: (row) => <TimeAgo at={row.last_used_at} /> },
    {
      id: 'actions',
      header: 'Actions',
      align: 'end',
      card: 'actions',
      cell: (row) => (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Unlink ${row.name}`}
          onClick={() => onRemove(row)}
        >
          Unlink
        </Button>
      ),
    },
  ];
}

interface RemoveDialogProps extends LinkedIdentitiesPanelProps {
  identity: LinkedIdentity | undefined;
  onClose: () => void;
}

function RemoveDialog({ identity, guarded, onClose }: RemoveDialogProps) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (id: string) => guarded(() => api.delete(`/me/external-identities/${segment(id)}`)),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
  const close = () => {
    remove.reset();
    onClose();
  };
  const onlyWay = isProblem(remove.error, 'conflict');
  return (
    <ConfirmDialog
      opened={identity !== undefined}
      title="Unlink this sign-in?"
      confirmLabel="Unlink"
      danger
      pending={remove.isPending}
      error={onlyWay ? null : remove.error}
      onConfirm={() => identity && remove.mutate(identity.id, { onSuccess: close })}
      onClose={close}
    >
      {onlyWay
        ? 'This is the only way into your account. Set a password first.'
        : 'You then sign in to this account in your other ways only.'}
    </ConfirmDialog>
  );
}
