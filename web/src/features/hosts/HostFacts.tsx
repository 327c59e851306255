import type { AgentStatus, HostAgent, HostDetail } from '@/api/schema';
import { Copyable } from '@/ui/Copyable';
import { FieldList } from '@/ui/FieldList';
import { formatDuration } from '@/ui/format';
import { HoverList } from '@/ui/HoverList';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import type { Tone } from '@/ui/tone';
import { osLabel } from './words';

const ADDRESSES_SHOWN = 6;

export function HostPanel({ host }: { host: HostDetail }) {
  return (
    <Panel title="Host">
      <FieldList
        fields={[
          { name: 'Hostname', value: <bdi>{host.hostname}</bdi> },
          {
            name: 'Operating system',
            value: <bdi>{host.os_version || osLabel(host.os)}</bdi>,
          },
          { name: 'Architecture', value: <bdi>{host.arch ?? '–'}</bdi> },
          {
            name: 'IP addresses',
            value: <HoverList items={host.ip_addresses} shown={ADDRESSES_SHOWN} noun="addresses" />,
          },
          {
            name: 'Uptime',
            value: host.uptime_seconds === null ? '–' : formatDuration(host.uptime_seconds),
          },
          { name: 'First seen', value: <TimeAgo at={host.first_seen_at} /> },
          { name: 'Last seen', value: <TimeAgo at={host.last_seen_at} /> },
          {
            name: 'Clock',
            value: host.clock_skewed ? (
              <StatusBadge tone="warn" label="Differs from the server's" />
            ) : (
              'In step with the server'
            ),
          },
        ]}
      />
    </Panel>
  );
}

const AGENT_STATUS: Record<AgentStatus, { label: string; tone: Tone }> = {
  pending: { label: 'Pending', tone: 'warn' },
  active: { label: 'Active', tone: 'ok' },
  offline: { label: 'Offline', tone: 'quiet' },
  revoked: { label: 'Revoked', tone: 'bad' },
};

export function AgentPanel({ agent }: { agent: HostAgent | null }) {
  if (!agent) {
    return <Panel title="Agent">This host has no agent.</Panel>;
  }
  const status = AGENT_STATUS[agent.status];
  return (
    <Panel title="Agent">
      <FieldList
        fields={[
          { name: 'Agent id', value: <Copyable text={agent.id} label="agent id" /> },
          { name: 'Status', value: <StatusBadge tone={status.tone} label={status.label} /> },
          { name: 'Version', value: <bdi>{agent.version ?? '–'}</bdi> },
          { name: 'Approved', value: <Approval agent={agent} /> },
          {
            name: 'Last heartbeat',
            value: (
              <>
                <TimeAgo at={agent.last_heartbeat_at} />
                {agent.heartbeat_interval_seconds !== null &&
                  `, every ${agent.heartbeat_interval_seconds} s`}
              </>
            ),
          },
          {
            name: 'Certificate ends',
            value: <TimeAgo at={agent.certificate?.not_after} kind="any" missing="–" />,
          },
          {
            name: 'Key fingerprint',
            value: <Copyable text={agent.key_fingerprint} label="key fingerprint" />,
          },
        ]}
      />
    </Panel>
  );
}

function Approval({ agent }: { agent: HostAgent }) {
  return (
    <>
      <TimeAgo at={agent.approved_at} missing="not yet" />
      {agent.approved_by && (
        <>
          {' by '}
          <bdi>{agent.approved_by.name}</bdi>
        </>
      )}
    </>
  );
}
