import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { ApiKey } from '@/api/schema';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import type { Tone } from '@/ui/tone';
import { type KeyKind, useRevokeKey } from './api';
import { roleName } from './words';

type KeyStatus = 'active' | 'expired' | 'revoked';

const STATUS: Record<KeyStatus, { tone: Tone; label: string }> = {
  active: { tone: 'ok', label: 'Active' },
  expired: { tone: 'quiet', label: 'Expired' },
  revoked: { tone: 'bad', label: 'Revoked' },
};

function statusOf(key: ApiKey): KeyStatus {
  if (key.revoked_at !== null) {
    return 'revoked';
  }
  return Date.parse(key.expires_at) <= Date.now() ? 'expired' : 'active';
}

const COLUMNS: Column<ApiKey>[] = [
  { id: 'name', header: 'Name', card: 'title', cell: (key) => <bdi>{key.name}</bdi> },
  { id: 'hint', header: 'Secret', cell: (key) => <code>…{key.hint}</code> },
  {
    id: 'status',
    header: 'Status',
    card: 'corner',
    cell: (key) => <StatusBadge {...STATUS[statusOf(key)]} />,
  },
  {
    id: 'scopes',
    header: 'Permissions',
    card: 'wide',
    cell: (key) => <span title={key.scopes.join(', ')}>{scopesText(key)}</span>,
  },
  {
    id: 'limits',
    header: 'Limits',
    card: 'wide',
    cell: (key) => limitsText(key),
  },
  {
    id: 'used',
    header: 'Last used',
    cell: (key) => (
      <>
        <TimeAgo at={key.last_used_at} missing="never" />
        {key.last_used_ip && (
          <>
            {' from '}
            <bdi>{key.last_used_ip}</bdi>
          </>
        )}
      </>
    ),
  },
  { id: 'expires', header: 'Ends', cell: (key) => <TimeAgo at={key.expires_at} kind="any" /> },
];

function scopesText(key: ApiKey): string {
  const [first, ...others] = key.scopes;
  return others.length === 0 ? (first ?? '') : `${first} and ${others.length} more`;
}

function limitsText(key: ApiKey): string {
  const limits = [
    key.allowed_networks?.join(', '),
    key.host_groups && `${key.host_groups.length} host groups`,
  ].filter(Boolean);
  return limits.length === 0 ? 'none' : limits.join('; ');
}

interface KeyTableProps {
  kind: KeyKind;
  label: string;
  rows: readonly ApiKey[];
}

export function KeyTable({ kind, label, rows }: KeyTableProps) {
  const [revoking, setRevoking] = useState<ApiKey>();
  const columns = useMemo<Column<ApiKey>[]>(() => {
    const role: Column<ApiKey> = {
      id: 'role',
      header: 'Role',
      cell: (key) => key.roles.map(roleName).join(', '),
    };
    const actions: Column<ApiKey> = {
      id: 'actions',
      header: 'Actions',
      align: 'end',
      card: 'actions',
      cell: (key) =>
        statusOf(key) === 'active' && (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Revoke ${key.name}`}
            onClick={() => setRevoking(key)}
          >
            Revoke
          </Button>
        ),
    };
    return [...COLUMNS, ...(kind === 'service' ? [role] : []), actions];
  }, [kind]);
  return (
    <>
      <DataTable label={label} columns={columns} rows={rows} rowKey={(key) => key.id} />
      <RevokeDialog kind={kind} apiKey={revoking} onClose={() => setRevoking(undefined)} />
    </>
  );
}

interface RevokeDialogProps {
  kind: KeyKind;
  apiKey: ApiKey | undefined;
  onClose: () => void;
}

function RevokeDialog({ kind, apiKey, onClose }: RevokeDialogProps) {
  const revoke = useRevokeKey(kind);
  const close = () => {
    revoke.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={apiKey !== undefined}
      title="Revoke key?"
      confirmLabel="Revoke key"
      danger
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => apiKey && revoke.mutate(apiKey.id, { onSuccess: close })}
      onClose={close}
    >
      Programs that use <bdi>{apiKey?.name}</bdi> are refused from now on. This cannot be undone.
    </ConfirmDialog>
  );
}
