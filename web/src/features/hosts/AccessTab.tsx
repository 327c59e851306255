import type { HostDetail } from '@/api/schema';
import { HostGroupsPanel } from '@/features/host-groups';
import { WhyHostPanel } from '@/features/roles';
import classes from './HostPage.module.css';

/** Groups of a host, and who sees it why. */
export function AccessTab({ host }: { host: HostDetail }) {
  return (
    <div className={classes.pair}>
      <HostGroupsPanel hostId={host.id} />
      <WhyHostPanel hostId={host.id} />
    </div>
  );
}
