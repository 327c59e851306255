import type { OwnSignIn } from '@/api/schema';
import { deviceName } from '@/features/sessions';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useOwnSignIns } from './api';
import { outcomeLabel, outcomeTone } from './words';

const WHAT: Record<string, string> = {
  'auth.login.succeeded': 'Signed in',
  'auth.login.failed': 'Sign-in refused',
  'auth.login.locked': 'Locked',
  'auth.logout': 'Signed out',
};

/** A refused sign-in counts as failed, however the event was written. */
function outcomeOf(row: OwnSignIn): string {
  return row.action === 'auth.login.failed' && row.outcome === 'success' ? 'failed' : row.outcome;
}

const COLUMNS: Column<OwnSignIn>[] = [
  {
    id: 'what',
    header: 'What',
    card: 'title',
    cell: (row) => WHAT[row.action] ?? row.action,
  },
  {
    id: 'outcome',
    header: 'Outcome',
    card: 'corner',
    cell: (row) => (
      <StatusBadge tone={outcomeTone(outcomeOf(row))} label={outcomeLabel(outcomeOf(row))} />
    ),
  },
  { id: 'detail', header: 'Detail', cell: (row) => <bdi>{row.summary}</bdi> },
  { id: 'ip', header: 'Address', cell: (row) => <bdi>{row.ip ?? '–'}</bdi> },
  {
    id: 'agent',
    header: 'Browser or program',
    card: 'wide',
    cell: (row) => <bdi title={row.user_agent ?? undefined}>{deviceName(row.user_agent)}</bdi>,
  },
  { id: 'at', header: 'When', cell: (row) => <TimeAgo at={row.at} /> },
];

/** Everybody's own sign-ins, in every tier. */
export function SignInsPage() {
  const query = useOwnSignIns();
  return (
    <PageFrame
      title="Sign-ins"
      description="Sign-ins to your account in the last 90 days, refused ones included."
      query={query}
      allowed
      noPermission=""
      loading={<TableSkeleton rows={5} />}
      empty={<Notice title="Nothing was recorded yet" />}
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => (
        <Panel title={`${list.items.length} events`} flush>
          <DataTable
            label="Sign-ins"
            columns={COLUMNS}
            rows={list.items}
            rowKey={(row) => `${row.at} ${row.action}`}
          />
        </Panel>
      )}
    </PageFrame>
  );
}
