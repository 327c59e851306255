import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type { ListOf, SessionRow } from '@/api/schema';

const KEY = ['me', 'sessions'];

export function useSessions(enabled: boolean) {
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => api.get<ListOf<SessionRow>>('/me/sessions', undefined, signal),
    enabled,
  });
}

/** Ends one session by id, or every other one without. */
export function useEndSessions() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string | undefined) =>
      api.delete(id === undefined ? '/me/sessions' : `/me/sessions/${segment(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
