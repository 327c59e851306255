import { Link } from '@tanstack/react-router';
import type { HostRow } from '@/api/schema';
import { type Column, DataTable, type Sort } from '@/ui/DataTable';
import { HoverList } from '@/ui/HoverList';
import { Meter } from '@/ui/Meter';
import { Notice } from '@/ui/Notice';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import classes from './HostTable.module.css';
import { hostName, LIST_THRESHOLDS, osLabel, STATUS_LABEL, STATUS_TONE } from './words';

/** What lists of hosts show. */
export const HOST_COLUMNS: readonly Column<HostRow>[] = [
  {
    id: 'hostname',
    header: 'Name',
    sortable: true,
    card: 'title',
    cell: (host) => (
      <Link
        to="/hosts/$hostId"
        params={{ hostId: host.id }}
        className={classes.name}
        title={host.hostname}
      >
        <bdi>{hostName(host)}</bdi>
      </Link>
    ),
  },
  {
    id: 'os',
    header: 'System',
    sortable: true,
    card: 'text',
    cell: (host) => (
      <span className={classes.system}>
        <bdi className={classes.release} title={host.os_version ?? undefined}>
          {host.os_version || osLabel(host.os)}
        </bdi>
        {host.arch && <bdi className={classes.arch}>{host.arch}</bdi>}
      </span>
    ),
  },
  {
    id: 'addresses',
    header: 'IP addresses',
    card: 'foot',
    cell: (host) => (
      <span className={classes.addresses}>
        <HoverList items={host.ip_addresses} shown={2} noun="addresses" />
      </span>
    ),
  },
  {
    id: 'cpu',
    header: 'CPU',
    sortable: true,
    cell: (host) => <Meter value={host.cpu_percent} thresholds={LIST_THRESHOLDS} />,
  },
  {
    id: 'memory',
    header: 'Memory',
    sortable: true,
    cell: (host) => <Meter value={host.memory_percent} thresholds={LIST_THRESHOLDS} />,
  },
  {
    id: 'disk',
    header: 'Disk',
    sortable: true,
    cell: (host) => <Meter value={host.disk_percent} thresholds={LIST_THRESHOLDS} />,
  },
  {
    id: 'last_seen',
    header: 'Last seen',
    sortable: true,
    card: 'foot-end',
    cell: (host) => (
      <span className={classes.seen} data-stale={host.stale}>
        <TimeAgo at={host.last_seen_at} />
      </span>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    sortable: true,
    card: 'corner',
    cell: (host) => (
      <StatusBadge tone={STATUS_TONE[host.status]} label={STATUS_LABEL[host.status]} />
    ),
  },
];

interface HostTableProps {
  rows: readonly HostRow[];
  busy: boolean;
  sort: Sort;
  onSort: (id: string) => void;
}

export function HostTable({ rows, busy, sort, onSort }: HostTableProps) {
  if (rows.length === 0) {
    return <Notice title="This page is beyond the end">Go back to the first page.</Notice>;
  }
  return (
    <DataTable
      label="Hosts"
      columns={HOST_COLUMNS}
      rows={rows}
      rowKey={(host) => host.id}
      sort={sort}
      onSort={onSort}
      busy={busy}
    />
  );
}
