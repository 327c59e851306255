import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Token, TokenStatus } from '@/api/schema';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import type { Tone } from '@/ui/tone';
import { useRevokeToken } from './api';
import classes from './TokenTable.module.css';

export const STATUS_LABEL: Record<TokenStatus, string> = {
  active: 'Active',
  expired: 'Expired',
  exhausted: 'Exhausted',
  revoked: 'Revoked',
};

const STATUS_TONE: Record<TokenStatus, Tone> = {
  active: 'ok',
  expired: 'quiet',
  exhausted: 'quiet',
  revoked: 'bad',
};

const COLUMNS: Column<Token>[] = [
  {
    id: 'label',
    header: 'Label',
    card: 'title',
    cell: (token) => (
      <span className={classes.label}>
        <bdi>{token.label}</bdi>
        <Traits token={token} />
      </span>
    ),
  },
  {
    id: 'hint',
    header: 'Secret',
    cell: (token) => (
      <code className={classes.hint}>
        {token.hint_prefix}…{token.hint_suffix}
      </code>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    card: 'corner',
    cell: (token) => (
      <StatusBadge tone={STATUS_TONE[token.status]} label={STATUS_LABEL[token.status]} />
    ),
  },
  {
    id: 'uses',
    header: 'Uses',
    cell: (token) =>
      token.max_uses === null
        ? `${token.usage_count}, unlimited`
        : `${token.usage_count} of ${token.max_uses}`,
  },
  {
    id: 'expires',
    header: 'Expires',
    cell: (token) => <TimeAgo at={token.expires_at} kind="any" missing="never" />,
  },
  {
    id: 'created',
    header: 'Created',
    card: 'wide',
    cell: (token) => (
      <>
        <TimeAgo at={token.created_at} />
        {token.created_by && (
          <>
            {' by '}
            <bdi>{token.created_by.name}</bdi>
          </>
        )}
      </>
    ),
  },
];

/** What makes a token more than an ordinary one, and the tags it gives. */
function Traits({ token }: { token: Token }) {
  return (
    <>
      {token.auto_approve && <StatusBadge tone="warn" label="Auto-approve" />}
      {token.skip_verify && <StatusBadge tone="bad" label="Insecure: no TLS check" />}
      {token.tags.map((tag) => (
        <bdi key={tag.key} className={classes.tag}>
          {tag.key}={tag.value}
        </bdi>
      ))}
    </>
  );
}

interface TokenTableProps {
  rows: readonly Token[];
  busy: boolean;
}

export function TokenTable({ rows, busy }: TokenTableProps) {
  const [revoking, setRevoking] = useState<Token>();
  const columns = useMemo<Column<Token>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (token) =>
          token.status === 'active' && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Revoke ${token.label}`}
              onClick={() => setRevoking(token)}
            >
              Revoke
            </Button>
          ),
      },
    ],
    [],
  );
  return (
    <>
      <DataTable
        label="Enrolment tokens"
        columns={columns}
        rows={rows}
        rowKey={(token) => token.id}
        busy={busy}
      />
      <RevokeDialog token={revoking} onClose={() => setRevoking(undefined)} />
    </>
  );
}

function RevokeDialog({ token, onClose }: { token: Token | undefined; onClose: () => void }) {
  const revoke = useRevokeToken();
  const close = () => {
    revoke.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={token !== undefined}
      title="Revoke token?"
      confirmLabel="Revoke token"
      danger
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => token && revoke.mutate(token.id, { onSuccess: close })}
      onClose={close}
    >
      <bdi>{token?.label}</bdi> cannot register agents any more. Agents that used it are untouched.
    </ConfirmDialog>
  );
}
