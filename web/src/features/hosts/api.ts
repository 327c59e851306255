import {
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import { type FleetKind, useFleetStream } from '@/api/fleet';
import type {
  HostDetail,
  HostFacets,
  HostRow,
  HostSummary,
  ListOf,
  Page,
  Sample,
} from '@/api/schema';
import { AGENTS_KEY } from '@/features/agents';
import { type HostSearch, hostQuery } from './search';

const KEYS = {
  list: ['hosts', 'list'],
  summary: ['hosts', 'summary'],
  facets: ['hosts', 'facets'],
  agents: [AGENTS_KEY],
} as const;

type Poll = number | false;

export function useHosts(search: HostSearch, enabled: boolean, poll: Poll) {
  return useQuery({
    queryKey: [...KEYS.list, search],
    queryFn: ({ signal }) => api.get<Page<HostRow>>('/hosts', hostQuery(search), signal),
    placeholderData: keepPreviousData,
    refetchInterval: poll,
    enabled,
  });
}

export function useSummary(enabled: boolean, poll: Poll) {
  return useQuery({
    queryKey: KEYS.summary,
    queryFn: ({ signal }) => api.get<HostSummary>('/hosts/summary', undefined, signal),
    refetchInterval: poll,
    enabled,
  });
}

export function useFacets(enabled: boolean, poll: Poll) {
  return useQuery({
    queryKey: KEYS.facets,
    queryFn: ({ signal }) => api.get<HostFacets>('/hosts/facets', undefined, signal),
    refetchInterval: poll,
    enabled,
  });
}

/** What has to be read again after each kind of change. */
const TOUCHED: Record<FleetKind, readonly (keyof typeof KEYS)[]> = {
  vitals: ['list', 'summary'],
  status: ['list', 'summary', 'agents'],
  agents: ['list', 'summary', 'agents'],
  hosts: ['list', 'summary', 'facets', 'agents'],
};

async function refresh(client: QueryClient, kinds: ReadonlySet<FleetKind>): Promise<void> {
  const touched = new Set([...kinds].flatMap((kind) => TOUCHED[kind] ?? []));
  await Promise.all([...touched].map((key) => client.invalidateQueries({ queryKey: KEYS[key] })));
}

/** Keeps everything on the hosts page up to date through the event stream. */
export function useFleetRefresh() {
  const client = useQueryClient();
  return useFleetStream((kinds) => refresh(client, kinds));
}

export function hostDetailQuery(id: string) {
  return queryOptions({
    queryKey: ['hosts', 'detail', id],
    queryFn: ({ signal }) => api.get<HostDetail>(`/hosts/${segment(id)}`, undefined, signal),
  });
}

/** Length of the live charts. */
export const SAMPLE_MINUTES = 60;

export function samplesQuery(id: string) {
  return queryOptions({
    queryKey: ['hosts', 'samples', id],
    queryFn: ({ signal }) =>
      api.get<ListOf<Sample>>(`/hosts/${segment(id)}/samples`, { minutes: SAMPLE_MINUTES }, signal),
    // The event stream appends; only a gap in the stream asks again.
    staleTime: Number.POSITIVE_INFINITY,
  });
}
