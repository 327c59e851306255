import { Link } from '@tanstack/react-router';
import type { HostSummary } from '@/api/schema';
import { formatCount } from '@/ui/format';
import { Panel } from '@/ui/Panel';
import classes from './HotspotsPanel.module.css';
import { HOTSPOTS } from './search';
import { HOTSPOT_LABEL } from './words';

/** How many online hosts are at 80 % or more, per resource. */
export function HotspotsPanel({ hotspots }: { hotspots: HostSummary['hotspots'] }) {
  return (
    <Panel
      title="Resource hotspots"
      aside={<span className={classes.note}>online hosts at 80% or more</span>}
    >
      <ul className={classes.list}>
        {HOTSPOTS.map((resource) => (
          <li key={resource}>
            <Link
              to="/hosts"
              search={{ hot: resource }}
              className={classes.spot}
              data-hot={hotspots[resource] > 0}
            >
              <span className={classes.count}>{formatCount(hotspots[resource])}</span>{' '}
              <span>{HOTSPOT_LABEL[resource]}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
