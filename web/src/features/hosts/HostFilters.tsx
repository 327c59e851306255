import { Button, NativeSelect, TextInput } from '@mantine/core';
import { Search, X } from 'lucide-react';
import type { HostFacets } from '@/api/schema';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { facetFilter } from './facets';
import classes from './HostFilters.module.css';
import {
  differs,
  type HostSearch,
  LONGEST_SEARCH,
  SORTS,
  STATUS_FILTERS,
  type StatusFilter,
} from './search';
import { HOTSPOT_LABEL, osLabel, STATUS_LABEL } from './words';

interface HostFiltersProps {
  search: HostSearch;
  facets: HostFacets | undefined;
  onChange: (change: HostSearch) => void;
  onClear: () => void;
}

const SEARCH_DELAY_MS = 250;

export function HostFilters({ search, facets, onChange, onClear }: HostFiltersProps) {
  const [text, setText] = useDebouncedText(search.search ?? '', SEARCH_DELAY_MS, (value) =>
    onChange({ search: value }),
  );
  return (
    <section className={classes.filters} aria-label="Search and filters">
      <TextInput
        className={classes.text}
        size="xs"
        type="search"
        aria-label="Search hosts"
        placeholder="Name or IP address"
        maxLength={LONGEST_SEARCH}
        leftSection={<Search size={14} aria-hidden="true" />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <NativeSelect
        size="xs"
        aria-label="Status"
        value={search.status ?? ''}
        onChange={(event) =>
          onChange({ status: (event.currentTarget.value || undefined) as StatusFilter })
        }
        data={[
          { value: '', label: 'Any status' },
          ...STATUS_FILTERS.map((value) => ({ value, label: STATUS_LABEL[value] })),
        ]}
      />
      <OsSelect os={search.os} facets={facets} onChange={(os) => onChange({ os })} />
      <SortSelect sort={search.sort} onChange={(sort) => onChange({ sort })} />
      {search.stale && <Chip label="Stale" onRemove={() => onChange({ stale: undefined })} />}
      {search.hot && (
        <Chip
          label={`${HOTSPOT_LABEL[search.hot]} at 80% or more`}
          onRemove={() => onChange({ hot: undefined })}
        />
      )}
      {differs(search) && (
        <Button size="xs" variant="subtle" onClick={onClear}>
          Clear filters
        </Button>
      )}
    </section>
  );
}

interface OsSelectProps {
  os: string | undefined;
  facets: HostFacets | undefined;
  onChange: (os: string | undefined) => void;
}

function OsSelect({ os, facets, onChange }: OsSelectProps) {
  const present = facets?.os.map(facetFilter) ?? [];
  // A link may name a system that is not there any more; it stays visible as what is filtered by.
  const values = os && !present.includes(os) ? [...present, os] : present;
  return (
    <NativeSelect
      size="xs"
      aria-label="Operating system"
      value={os ?? ''}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
      data={[
        { value: '', label: 'Any system' },
        ...values.map((value) => ({ value, label: osLabel(value) })),
      ]}
    />
  );
}

const SORT_LABEL: Record<(typeof SORTS)[number], string> = {
  hostname: 'Name',
  os: 'System',
  cpu: 'CPU',
  memory: 'Memory',
  disk: 'Disk',
  last_seen: 'Last seen',
  status: 'Status',
};

interface SortSelectProps {
  sort: string | undefined;
  onChange: (sort: string | undefined) => void;
}

/** On a phone the table has no heads to click on. */
function SortSelect({ sort, onChange }: SortSelectProps) {
  return (
    <NativeSelect
      className={classes.phone}
      size="xs"
      aria-label="Sort by"
      value={sort ?? 'hostname'}
      onChange={(event) => onChange(event.currentTarget.value)}
      data={SORTS.flatMap((id) => [
        { value: id, label: `${SORT_LABEL[id]} ↑` },
        { value: `-${id}`, label: `${SORT_LABEL[id]} ↓` },
      ])}
    />
  );
}

function Chip({ label, onRemove }: { label: string; onRemove: () => void }) {
  return (
    <button type="button" className={classes.chip} onClick={onRemove}>
      {label}
      <X size={12} aria-hidden="true" />
      <span className="visually-hidden">: remove filter</span>
    </button>
  );
}
