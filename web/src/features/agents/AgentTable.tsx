import { Button } from '@mantine/core';
import { useMemo } from 'react';
import type { Agent } from '@/api/schema';
import { useCan } from '@/api/session';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import classes from './AgentTable.module.css';
import type { Decision } from './api';
import type { Asked } from './DecisionDialog';
import { platform, STATUS_LABEL, STATUS_TONE } from './words';

interface AgentTableProps {
  rows: readonly Agent[];
  busy: boolean;
  onAsk: (asked: Asked) => void;
  onOpen: (agent: Agent) => void;
}

const COLUMNS: Column<Agent>[] = [
  {
    id: 'status',
    header: 'Status',
    card: 'corner',
    cell: (agent) => (
      <StatusBadge tone={STATUS_TONE[agent.status]} label={STATUS_LABEL[agent.status]} />
    ),
  },
  { id: 'version', header: 'Version', cell: (agent) => <bdi>{agent.version ?? '–'}</bdi> },
  { id: 'token', header: 'Token', cell: (agent) => <bdi>{agent.token?.label ?? '–'}</bdi> },
  {
    id: 'heartbeat',
    header: 'Last heartbeat',
    cell: (agent) => <TimeAgo at={agent.last_heartbeat_at} />,
  },
  {
    id: 'certificate',
    header: 'Certificate ends',
    cell: (agent) => <TimeAgo at={agent.certificate?.not_after} kind="any" missing="–" />,
  },
  {
    id: 'key',
    header: 'Key fingerprint',
    card: 'wide',
    cell: (agent) => (
      <code className={classes.key} title={agent.key_fingerprint}>
        {agent.key_fingerprint}
      </code>
    ),
  },
];

const DECISIONS: Record<Agent['status'], readonly Decision[]> = {
  pending: ['approve', 'reject'],
  active: ['revoke'],
  offline: ['revoke'],
  revoked: [],
};

const DECISION_LABEL: Record<Decision, string> = {
  approve: 'Approve',
  reject: 'Reject',
  revoke: 'Revoke',
};

export function AgentTable({ rows, busy, onAsk, onOpen }: AgentTableProps) {
  const mayDecide = useCan('agents.approve');
  const columns = useMemo<Column<Agent>[]>(
    () => [
      {
        id: 'hostname',
        header: 'Hostname',
        card: 'title',
        cell: (agent) => (
          <span className={classes.machine}>
            <button type="button" className={classes.name} onClick={() => onOpen(agent)}>
              <bdi>{agent.hostname}</bdi>
            </button>
            <bdi className={classes.platform}>{platform(agent)}</bdi>
          </span>
        ),
      },
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (agent) => (
          <span className={classes.actions}>
            {mayDecide &&
              DECISIONS[agent.status].map((decision) => (
                <Button
                  key={decision}
                  size="compact-xs"
                  variant={decision === 'approve' ? 'filled' : 'default'}
                  aria-label={`${DECISION_LABEL[decision]} ${agent.hostname}`}
                  onClick={() => onAsk({ agent, decision })}
                >
                  {DECISION_LABEL[decision]}
                </Button>
              ))}
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`History of ${agent.hostname}`}
              onClick={() => onOpen(agent)}
            >
              History
            </Button>
          </span>
        ),
      },
    ],
    [mayDecide, onAsk, onOpen],
  );
  return (
    <DataTable
      label="Agents"
      columns={columns}
      rows={rows}
      rowKey={(agent) => agent.id}
      busy={busy}
    />
  );
}
