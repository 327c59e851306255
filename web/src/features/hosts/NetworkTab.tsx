import type { HostDetail, NetworkInterface } from '@/api/schema';
import { type Column, DataTable } from '@/ui/DataTable';
import { HoverList } from '@/ui/HoverList';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';

const ADDRESSES_SHOWN = 4;

const COLUMNS: readonly Column<NetworkInterface>[] = [
  {
    id: 'name',
    header: 'Interface',
    card: 'title',
    cell: (port) => (
      <strong>
        <bdi>{port.name}</bdi>
      </strong>
    ),
  },
  { id: 'mac', header: 'MAC address', cell: (port) => <bdi>{port.mac_address || '–'}</bdi> },
  {
    id: 'addresses',
    header: 'Addresses',
    card: 'wide',
    cell: (port) => (
      <HoverList items={port.ip_addresses} shown={ADDRESSES_SHOWN} noun="addresses" />
    ),
  },
  {
    id: 'state',
    header: 'State',
    card: 'corner',
    cell: (port) => (
      <StatusBadge tone={port.is_up ? 'ok' : 'quiet'} label={port.is_up ? 'Up' : 'Down'} />
    ),
  },
];

export function NetworkTab({ host }: { host: HostDetail }) {
  return (
    <Panel title="Network interfaces" flush>
      {host.interfaces.length === 0 ? (
        <Notice title="No interfaces reported" />
      ) : (
        <DataTable
          label="Network interfaces"
          columns={COLUMNS}
          rows={host.interfaces}
          rowKey={(port) => port.name}
        />
      )}
    </Panel>
  );
}
