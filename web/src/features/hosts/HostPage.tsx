import { Skeleton, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import type { HostDetail } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { LiveMark } from '@/ui/LiveMark';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { hostRoute } from '.';
import { hostDetailQuery } from './api';
import classes from './HostPage.module.css';
import { useHostLive } from './live';
import { hostTabs } from './tabs';
import { hostName, STATUS_LABEL, STATUS_TONE } from './words';

const POLL_SECONDS = 30;
/** The stream carries the vitals; disks and interfaces are looked at now and then. */
const SLOW_POLL_MS = 60_000;

export function HostPage() {
  const { hostId } = hostRoute.useParams();
  const allowed = useCan('hosts.read');
  const { stream, deleted } = useHostLive(hostId);
  const live = stream === 'live';
  const query = useQuery({
    ...hostDetailQuery(hostId),
    enabled: allowed && !deleted,
    refetchInterval: live ? SLOW_POLL_MS : POLL_SECONDS * 1_000,
  });
  if (!query.data && isProblem(query.error, 'not_found')) {
    return (
      <Notice title="This host does not exist" action={<Link to="/hosts">Go to hosts</Link>}>
        It may have been removed.
      </Notice>
    );
  }
  const host = query.data;
  return (
    <PageFrame
      title={host ? hostName(host) : 'Host'}
      heading={host && <Heading host={host} />}
      description={host && <Description host={host} />}
      actions={!deleted && <LiveMark live={live} pollSeconds={POLL_SECONDS} />}
      query={query}
      allowed={allowed}
      noPermission="You may not see hosts."
      loading={<Loading />}
      empty={null}
      isEmpty={() => false}
    >
      {(detail) => (
        <>
          {deleted && (
            <Banner action={<Link to="/hosts">Go to hosts</Link>}>
              This host was removed. What you see is its last state.
            </Banner>
          )}
          <HostTabs host={detail} />
        </>
      )}
    </PageFrame>
  );
}

function Heading({ host }: { host: HostDetail }) {
  return (
    <>
      <bdi>{hostName(host)}</bdi>
      <StatusBadge tone={STATUS_TONE[host.status]} label={STATUS_LABEL[host.status]} />
    </>
  );
}

function Description({ host }: { host: HostDetail }) {
  return (
    <>
      {host.display_name && (
        <>
          <bdi>{host.hostname}</bdi> ·{' '}
        </>
      )}
      Last seen <TimeAgo at={host.last_seen_at} />
    </>
  );
}

function HostTabs({ host }: { host: HostDetail }) {
  const { tab } = hostRoute.useSearch();
  const navigate = hostRoute.useNavigate();
  const first = hostTabs[0].id;
  const shown = hostTabs.find(({ id }) => id === tab)?.id ?? first;
  return (
    <Tabs
      value={shown}
      keepMounted={false}
      onChange={(id) =>
        navigate({ search: { tab: !id || id === first ? undefined : id }, replace: true })
      }
    >
      <Tabs.List className={classes.tabs}>
        {hostTabs.map(({ id, label }) => (
          <Tabs.Tab key={id} value={id}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {hostTabs.map(({ id, content: Content }) => (
        <Tabs.Panel key={id} value={id}>
          <Content host={host} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

function Loading() {
  return (
    <div className={classes.loading}>
      <Skeleton height={34} />
      <Skeleton height={220} />
      <Skeleton height={260} />
    </div>
  );
}
