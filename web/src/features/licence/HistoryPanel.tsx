import { TIER_NAMES } from '@/api/features';
import type { LicenceHistoryItem } from '@/api/licence';
import { type Column, DataTable } from '@/ui/DataTable';
import { DateOf } from '@/ui/DateOf';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useLicenceHistory } from './api';

const COLUMNS: Column<LicenceHistoryItem>[] = [
  { id: 'key', header: 'Key', card: 'title', cell: (row) => <code>{row.jti}</code> },
  { id: 'tier', header: 'Tier', cell: (row) => TIER_NAMES[row.tier] },
  { id: 'hosts', header: 'Hosts', cell: (row) => row.max_hosts ?? 'no limit' },
  { id: 'ends', header: 'Ends', cell: (row) => <DateOf at={row.expires_at} /> },
  { id: 'activated', header: 'Activated', cell: (row) => <TimeAgo at={row.activated_at} /> },
  { id: 'by', header: 'By', cell: (row) => <bdi>{row.activated_by?.name ?? '–'}</bdi> },
  {
    id: 'replaced',
    header: 'Replaced',
    cell: (row) => <TimeAgo at={row.replaced_at} missing="in use" />,
  },
];

export function HistoryPanel() {
  const query = useLicenceHistory(true);
  return (
    <Panel title="History" flush>
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={<Notice title="No key was activated yet" />}
        isEmpty={(history) => history.items.length === 0}
      >
        {(history) => (
          <DataTable
            label="History of licences"
            columns={COLUMNS}
            rows={history.items}
            rowKey={(row) => row.id}
          />
        )}
      </Loadable>
    </Panel>
  );
}
