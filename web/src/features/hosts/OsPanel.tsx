import type { Facet } from '@/api/schema';
import { formatCount } from '@/ui/format';
import { Panel } from '@/ui/Panel';
import { hostsRoute } from '.';
import { facetFilter, foldFacets } from './facets';
import classes from './OsPanel.module.css';
import { changed } from './search';
import { osLabel } from './words';

/** Hosts per operating system; choosing one filters the list. */
export function OsPanel({ facets }: { facets: readonly Facet[] }) {
  const { listed, others } = foldFacets(facets);
  return (
    <Panel title="Operating systems">
      <ul className={classes.list}>
        {listed.map((facet) => (
          <OsEntry key={facetFilter(facet)} facet={facet} />
        ))}
      </ul>
      {others && (
        <p className={classes.others}>
          {others.values} other ({formatCount(others.hosts)} {others.hosts === 1 ? 'host' : 'hosts'}
          )
        </p>
      )}
    </Panel>
  );
}

function OsEntry({ facet }: { facet: Facet }) {
  const search = hostsRoute.useSearch();
  const navigate = hostsRoute.useNavigate();
  const value = facetFilter(facet);
  const chosen = search.os === value;
  const share = `${Math.round(facet.percent)}%`;
  return (
    <li>
      <button
        type="button"
        className={classes.entry}
        aria-pressed={chosen}
        onClick={() => navigate({ search: changed(search, { os: chosen ? undefined : value }) })}
      >
        <bdi className={classes.name}>{osLabel(value)}</bdi>
        <span className={classes.track} aria-hidden="true">
          <span className={classes.bar} style={{ width: share }} />
        </span>
        <span className={classes.count}>{formatCount(facet.count)}</span>
        <span className={classes.share}>{share}</span>
      </button>
    </li>
  );
}
