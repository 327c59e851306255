import { Button, Skeleton } from '@mantine/core';
import { TIER_NAMES } from '@/api/features';
import { sentence } from '@/api/problem';
import { useCan } from '@/api/session';
import type { SystemHealth } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { FieldList } from '@/ui/FieldList';
import { formatBytes, formatCount, formatDuration } from '@/ui/format';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useHealth, useSupportBundle } from './api';
import classes from './SystemPage.module.css';

type Job = SystemHealth['jobs'][number];
type Consumer = SystemHealth['queue']['consumers'][number];
type Node = SystemHealth['ingest_nodes'][number];

const JOBS: Column<Job>[] = [
  { id: 'name', header: 'Job', card: 'title', cell: (row) => <code>{row.name}</code> },
  { id: 'run', header: 'Last run', cell: (row) => <TimeAgo at={row.last_run_at} /> },
  { id: 'took', header: 'Took', cell: (row) => `${formatCount(row.duration_ms)} ms` },
  { id: 'every', header: 'Every', cell: (row) => formatDuration(row.every_seconds) },
  { id: 'node', header: 'Node', cell: (row) => <bdi>{row.node}</bdi> },
  {
    id: 'outcome',
    header: 'Outcome',
    card: 'corner',
    cell: (row) => (
      <span title={row.error ?? undefined}>
        <StatusBadge
          tone={row.succeeded ? 'ok' : 'bad'}
          label={row.succeeded ? 'Done' : `Failed ${row.failures} times`}
        />
      </span>
    ),
  },
];

const CONSUMERS: Column<Consumer>[] = [
  { id: 'group', header: 'Consumer', card: 'title', cell: (row) => row.group },
  { id: 'topic', header: 'Topic', cell: (row) => row.topic },
  {
    id: 'waiting',
    header: 'Waiting',
    cell: (row) => (row.waiting === null ? 'in another process' : formatCount(row.waiting)),
  },
  { id: 'applied', header: 'Last applied', cell: (row) => <TimeAgo at={row.applied_at} /> },
];

const NODES: Column<Node>[] = [
  { id: 'name', header: 'Node', card: 'title', cell: (row) => <bdi>{row.name}</bdi> },
  { id: 'started', header: 'Runs since', cell: (row) => <TimeAgo at={row.started_at} /> },
  {
    id: 'alive',
    header: 'State',
    card: 'corner',
    cell: (row) => (
      <StatusBadge tone={row.alive ? 'ok' : 'bad'} label={row.alive ? 'Alive' : 'Gone'} />
    ),
  },
];

/** The health of the whole system. */
export function SystemPage() {
  const allowed = useCan('system.read');
  const query = useHealth(allowed);
  const bundle = useSupportBundle();
  return (
    <PageFrame
      title="System"
      description="Health of the server, its database and its queue."
      actions={
        <Button variant="default" loading={bundle.isPending} onClick={() => bundle.mutate()}>
          Support bundle
        </Button>
      }
      query={query}
      allowed={allowed}
      noPermission="You may not see the health of the system."
      loading={<Skeleton height={320} />}
      empty={<Notice title="Nothing is known" />}
      isEmpty={() => false}
    >
      {(health) => (
        <>
          {bundle.isError && <Banner tone="bad">{errorText(bundle.error)}</Banner>}
          <Warnings health={health} />
          <Panel title="Server">
            <FieldList fields={facts(health)} />
          </Panel>
          <Panel title="Queue" flush>
            <DataTable
              label="Consumers"
              columns={CONSUMERS}
              rows={health.queue.consumers}
              rowKey={(row) => `${row.group} ${row.topic}`}
            />
          </Panel>
          <Panel title="Nodes that accept agents" flush>
            <DataTable
              label="Nodes"
              columns={NODES}
              rows={health.ingest_nodes}
              rowKey={(row) => row.id}
            />
          </Panel>
          <Panel title="Background jobs" flush>
            <DataTable
              label="Jobs"
              columns={JOBS}
              rows={failingFirst(health.jobs)}
              rowKey={(row) => row.name}
            />
          </Panel>
        </>
      )}
    </PageFrame>
  );
}

function Warnings({ health }: { health: SystemHealth }) {
  if (health.warnings.length === 0) {
    return <Banner tone="info">Everything is in order.</Banner>;
  }
  return (
    <Banner>
      <ul className={classes.warnings} aria-label="Needs attention">
        {health.warnings.map((warning) => (
          <li key={`${warning.code} ${warning.message}`}>{sentence(warning.message)}</li>
        ))}
      </ul>
    </Banner>
  );
}

function tierName(tier: string): string {
  return TIER_NAMES[tier as keyof typeof TIER_NAMES] ?? tier;
}

/** Jobs that fail come first; the rest stays in the order of names. */
function failingFirst(jobs: readonly Job[]): Job[] {
  return jobs.toSorted((a, b) => Number(a.succeeded) - Number(b.succeeded));
}

function facts(health: SystemHealth) {
  const { database } = health;
  const lag = database.replica_lag_seconds;
  return [
    { name: 'Version', value: `${health.version} on ${health.node}` },
    { name: 'Tier', value: tierName(health.tier) },
    {
      name: 'Database',
      value: `PostgreSQL ${database.version}, ${formatBytes(database.size_bytes)}`,
    },
    ...(lag === null ? [] : [{ name: 'Slowest replica', value: `${lag.toFixed(1)} s behind` }]),
    { name: 'Queue', value: health.queue.kind },
    { name: 'Records not applied', value: formatCount(health.queue.dead_letters) },
    { name: 'Pending mail', value: formatCount(health.pending_mail) },
    ...health.certificates.map((certificate) => ({
      name: `Certificate (${certificate.name})`,
      value: (
        <>
          ends <TimeAgo at={certificate.not_after} kind="any" />
        </>
      ),
    })),
    ...health.volumes.map((volume) => ({
      name: `Disk (${volume.name})`,
      value: `${formatBytes(volume.free_bytes)} of ${formatBytes(volume.total_bytes)} free`,
    })),
    {
      name: 'Agents by version',
      value:
        health.agents_by_version
          .map((row) => `${row.version || 'unknown'}: ${formatCount(row.count)}`)
          .join(', ') || 'none',
    },
  ];
}
