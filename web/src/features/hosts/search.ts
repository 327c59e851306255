import type { Query } from '@/api/client';
import type { Sort } from '@/ui/DataTable';

/** State of the hosts page in the address bar; what equals the default is left out. */
export interface HostSearch {
  search?: string;
  status?: StatusFilter;
  os?: string;
  stale?: 'true';
  hot?: Hotspot;
  /** Column, with a leading `-` for descending. */
  sort?: string;
  page?: number;
  page_size?: PageSize;
}

export const STATUS_FILTERS = ['online', 'offline', 'unknown', 'pending'] as const;
export type StatusFilter = (typeof STATUS_FILTERS)[number];

export const HOTSPOTS = ['cpu', 'memory', 'disk'] as const;
type Hotspot = (typeof HOTSPOTS)[number];

export const PAGE_SIZES = [25, 50, 100, 200] as const;
export type PageSize = (typeof PAGE_SIZES)[number];

export const SORTS = ['hostname', 'os', 'cpu', 'memory', 'disk', 'last_seen', 'status'] as const;

export const DEFAULT_PAGE_SIZE: PageSize = 50;
const DEFAULT_SORT = 'hostname';
export const LONGEST_SEARCH = 200;

function oneOf<T extends string>(allowed: readonly T[], raw: unknown): T | undefined {
  return allowed.find((value) => value === raw);
}

function text(raw: unknown, longest: number): string | undefined {
  return (typeof raw === 'string' && raw.trim().slice(0, longest)) || undefined;
}

/** Reads the address bar; what is not understood is dropped, so that no link leads to an error. */
export function parseHostSearch(raw: Record<string, unknown>): HostSearch {
  const page = Number(raw.page);
  const pageSize = PAGE_SIZES.find((size) => size === Number(raw.page_size));
  return {
    search: text(raw.search, LONGEST_SEARCH),
    status: oneOf(STATUS_FILTERS, raw.status),
    os: text(raw.os, LONGEST_SEARCH),
    stale: raw.stale === 'true' ? 'true' : undefined,
    hot: oneOf(HOTSPOTS, raw.hot),
    sort: sortText(sortOf(typeof raw.sort === 'string' ? raw.sort : undefined)),
    page: Number.isInteger(page) && page > 1 ? page : undefined,
    page_size: pageSize === DEFAULT_PAGE_SIZE ? undefined : pageSize,
  };
}

export function sortOf(sort: string | undefined): Sort {
  const descending = sort?.startsWith('-') ?? false;
  const id = oneOf(SORTS, descending ? sort?.slice(1) : sort);
  return id ? { id, descending } : { id: DEFAULT_SORT, descending: false };
}

export function sortText(sort: Sort): string | undefined {
  const name = `${sort.descending ? '-' : ''}${sort.id}`;
  return name === DEFAULT_SORT ? undefined : name;
}

/** The state after a change; everything but turning the page leads back to the first one. */
export function changed(search: HostSearch, change: HostSearch): HostSearch {
  return parseHostSearch({ ...search, page: undefined, ...change });
}

/** Whether search, filters, sort, page or page size differ from the default. */
export function differs(search: HostSearch): boolean {
  return Object.values(search).some((value) => value !== undefined);
}

/** Whether the list is narrowed, so that "nothing found" does not mean "nothing there". */
export function narrowed({ search, status, os, stale, hot }: HostSearch): boolean {
  return [search, status, os, stale, hot].some((value) => value !== undefined);
}

export function hostQuery(search: HostSearch): Query {
  return {
    ...search,
    sort: search.sort ?? DEFAULT_SORT,
    page: search.page ?? 1,
    page_size: search.page_size ?? DEFAULT_PAGE_SIZE,
  };
}

/** State of the page of one host. */
export interface HostPageSearch {
  tab?: string;
}

export function parseHostPageSearch(raw: Record<string, unknown>): HostPageSearch {
  return { tab: text(raw.tab, 40) };
}
