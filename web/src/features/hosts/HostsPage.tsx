import { Skeleton } from '@mantine/core';
import { pollWhenDown } from '@/api/events';
import type { HostSummary } from '@/api/schema';
import { useCan } from '@/api/session';
import { PendingPanel, usePendingAgents } from '@/features/agents';
import { LiveMark } from '@/ui/LiveMark';
import { PageFrame } from '@/ui/PageFrame';
import { useFacets, useFleetRefresh, useSummary } from './api';
import { EmptyFleet } from './EmptyFleet';
import { HostList } from './HostList';
import classes from './HostsPage.module.css';
import { HotspotsPanel } from './HotspotsPanel';
import { OsPanel } from './OsPanel';
import { SummaryCards } from './SummaryCards';

const POLL_SECONDS = 30;
const FACETS_POLL_MS = 60_000;
const PENDING_POLL_MS = 15_000;

export function HostsPage() {
  const allowed = useCan('hosts.read');
  const mayApprove = useCan('agents.approve');
  const stream = useFleetRefresh();
  const poll = pollWhenDown(stream, POLL_SECONDS * 1_000);
  const summary = useSummary(allowed, poll);
  const facets = useFacets(allowed, pollWhenDown(stream, FACETS_POLL_MS));
  const pending = usePendingAgents(mayApprove, pollWhenDown(stream, PENDING_POLL_MS));
  // Everything above the list arrives in one step, so that the list never jumps.
  const settled =
    (!mayApprove || !pending.isPending) && !facets.isPending && summary.data !== undefined;
  const waiting = pending.data && pending.data.total > 0 ? pending.data : undefined;
  return (
    <PageFrame
      title="Hosts"
      actions={<LiveMark live={stream === 'live'} pollSeconds={POLL_SECONDS} />}
      query={{ ...summary, data: settled ? summary.data : undefined }}
      allowed={allowed}
      noPermission="You may not see hosts."
      loading={<Loading />}
      empty={<EmptyFleet />}
      isEmpty={(counts) => counts.total === 0 && waiting === undefined}
    >
      {(counts: HostSummary) => (
        <>
          <SummaryCards summary={counts} />
          <div className={classes.panels}>
            <HotspotsPanel hotspots={counts.hotspots} />
            <OsPanel facets={facets.data?.os ?? []} />
          </div>
          {waiting && <PendingPanel pending={waiting} />}
          <HostList facets={facets.data} poll={poll} />
        </>
      )}
    </PageFrame>
  );
}

/** The same heights as the content that comes. */
function Loading() {
  return (
    <div className={classes.loading}>
      <Skeleton height={84} />
      <Skeleton height={154} />
      <Skeleton height={420} />
    </div>
  );
}
