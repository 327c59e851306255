import type { Disk, HostDetail } from '@/api/schema';
import { type Column, DataTable } from '@/ui/DataTable';
import { formatBytes } from '@/ui/format';
import { Meter } from '@/ui/Meter';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import type { Thresholds } from '@/ui/tone';

const DISK_THRESHOLDS: Thresholds = { warn: 70, bad: 90, above: true };

const COLUMNS: readonly Column<Disk>[] = [
  {
    id: 'mount',
    header: 'Mount point',
    card: 'title',
    cell: (disk) => (
      <strong>
        <bdi>{disk.mount_point}</bdi>
      </strong>
    ),
  },
  { id: 'device', header: 'Device', cell: (disk) => <bdi>{disk.device}</bdi> },
  { id: 'fs', header: 'File system', cell: (disk) => <bdi>{disk.fs_type}</bdi> },
  { id: 'total', header: 'Total', align: 'end', cell: (disk) => formatBytes(disk.total_bytes) },
  { id: 'used', header: 'Used', align: 'end', cell: (disk) => formatBytes(disk.used_bytes) },
  { id: 'free', header: 'Free', align: 'end', cell: (disk) => formatBytes(disk.free_bytes) },
  {
    id: 'share',
    header: 'Used %',
    width: '140px',
    card: 'corner',
    cell: (disk) => <Meter value={disk.percent_used} thresholds={DISK_THRESHOLDS} />,
  },
];

export function StorageTab({ host }: { host: HostDetail }) {
  return (
    <Panel title="File systems" flush>
      {host.disks.length === 0 ? (
        <Notice title="No file systems reported" />
      ) : (
        <DataTable
          label="File systems"
          columns={COLUMNS}
          rows={host.disks}
          rowKey={(disk) => disk.mount_point}
        />
      )}
    </Panel>
  );
}
