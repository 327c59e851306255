import { useQuery } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  DirectoryChoice,
  DirectoryGroups,
  DirectoryMatches,
  DirectoryUser,
} from '@/api/directory';
import type { ListOf } from '@/api/schema';

/** Shortest text that is searched for. */
export const LEAST_CHARS = 2;

// Nothing of a directory is kept in the browser once it is off the screen.
const NOT_KEPT = { gcTime: 0, staleTime: 0, refetchOnWindowFocus: false, retry: false } as const;

export function useDirectories(enabled: boolean) {
  return useQuery({
    queryKey: ['directory', 'choices'],
    queryFn: ({ signal }) =>
      api.get<ListOf<DirectoryChoice>>('/directory/configurations', undefined, signal),
    enabled,
  });
}

/** People who match; a newer text cancels the request of the older one. */
export function useMatches(directory: string, text: string) {
  return useQuery({
    queryKey: ['directory', directory, 'search', text],
    queryFn: ({ signal }) =>
      api.get<DirectoryMatches>(`/directory/${segment(directory)}/users`, { q: text }, signal),
    enabled: directory !== '' && text.length >= LEAST_CHARS,
    ...NOT_KEPT,
  });
}

export function useRecord(directory: string, dn: string, searched: string) {
  return useQuery({
    queryKey: ['directory', directory, 'record', dn],
    queryFn: ({ signal }) =>
      api.get<DirectoryUser>(
        `/directory/${segment(directory)}/users/by-dn`,
        { dn, q: searched },
        signal,
      ),
    ...NOT_KEPT,
  });
}

export function useNestedGroups(directory: string, dn: string, enabled: boolean) {
  return useQuery({
    queryKey: ['directory', directory, 'groups', dn],
    queryFn: ({ signal }) =>
      api.get<DirectoryGroups>(
        `/directory/${segment(directory)}/users/by-dn/groups`,
        { dn, nested: true },
        signal,
      ),
    enabled,
    ...NOT_KEPT,
  });
}
