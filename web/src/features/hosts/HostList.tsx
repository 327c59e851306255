import { NativeSelect } from '@mantine/core';
import type { HostFacets, HostRow, Page } from '@/api/schema';
import { nextSort } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { hostsRoute } from '.';
import { useHosts } from './api';
import { HostFilters } from './HostFilters';
import { HostTable } from './HostTable';
import {
  changed,
  DEFAULT_PAGE_SIZE,
  type HostSearch,
  narrowed,
  PAGE_SIZES,
  type PageSize,
  sortOf,
  sortText,
} from './search';

interface HostListProps {
  facets: HostFacets | undefined;
  poll: number | false;
}

/** The list with its filters. Its whole state is in the address bar. */
export function HostList({ facets, poll }: HostListProps) {
  const search = hostsRoute.useSearch();
  const navigate = hostsRoute.useNavigate();
  const query = useHosts(search, true, poll);
  const change = (part: HostSearch) => navigate({ search: changed(search, part) });
  return (
    <Panel title="All hosts" flush>
      <HostFilters
        search={search}
        facets={facets}
        onChange={change}
        onClear={() => navigate({ search: {} })}
      />
      <Loadable
        query={query}
        loading={<TableSkeleton rows={10} />}
        empty={<NothingFound search={search} />}
        isEmpty={(list) => list.items.length === 0 && list.total === 0}
      >
        {(list) => (
          <HostTable
            rows={list.items}
            busy={query.isPlaceholderData}
            sort={sortOf(search.sort)}
            onSort={(id) => change({ sort: sortText(nextSort(sortOf(search.sort), id)) })}
          />
        )}
      </Loadable>
      {query.data && <ListPager list={query.data} search={search} onChange={change} />}
    </Panel>
  );
}

/** The search found nothing, which is another thing than an empty fleet. */
function NothingFound({ search }: { search: HostSearch }) {
  return narrowed(search) ? (
    <Notice title="No host matches">Change the search or the filters, or clear them.</Notice>
  ) : (
    <Notice title="No hosts yet">Approved machines appear here.</Notice>
  );
}

interface ListPagerProps {
  list: Page<HostRow>;
  search: HostSearch;
  onChange: (change: HostSearch) => void;
}

function ListPager({ list, search, onChange }: ListPagerProps) {
  const pageSize = search.page_size ?? DEFAULT_PAGE_SIZE;
  return (
    <Pager
      page={search.page ?? 1}
      pageSize={pageSize}
      total={list.total}
      onPage={(page) => onChange({ page })}
    >
      <NativeSelect
        size="xs"
        aria-label="Rows per page"
        value={String(pageSize)}
        onChange={(event) => onChange({ page_size: Number(event.currentTarget.value) as PageSize })}
        data={PAGE_SIZES.map((size) => ({ value: String(size), label: `${size} per page` }))}
      />
    </Pager>
  );
}
