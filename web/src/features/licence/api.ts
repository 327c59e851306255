import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from '@/api/client';
import { FEATURES_KEY } from '@/api/features';
import type { ActivationToken, Licence, LicenceHistory } from '@/api/licence';

const LICENCE_KEY = ['licence'];
const HISTORY_KEY = ['licence', 'history'];

/** Ends and seats change by themselves, so the banner looks again now and then. */
const REFRESH_MS = 10 * 60_000;

export function useLicence(enabled: boolean) {
  return useQuery({
    queryKey: LICENCE_KEY,
    queryFn: ({ signal }) => api.get<Licence>('/licence', undefined, signal),
    refetchInterval: REFRESH_MS,
    enabled,
  });
}

export function useLicenceHistory(enabled: boolean) {
  return useQuery({
    queryKey: HISTORY_KEY,
    queryFn: ({ signal }) => api.get<LicenceHistory>('/licence/history', undefined, signal),
    enabled,
  });
}

export function useMakeToken() {
  return useMutation({
    mutationFn: () => api.post<ActivationToken>('/licence/activation-tokens'),
  });
}

/** Everything that depends on the licence is asked for again. */
function useLicenceChange<Input>(change: (input: Input) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: LICENCE_KEY }),
        client.invalidateQueries({ queryKey: FEATURES_KEY }),
      ]),
    // The input is a key, which need not stay in memory.
    gcTime: 0,
  });
}

export function useActivate() {
  return useLicenceChange((key: string) => api.put<Licence>('/licence', { key }));
}

export function useRemoveLicence() {
  return useLicenceChange((_: undefined) => api.delete('/licence'));
}

export function useRefreshRevocations() {
  return useLicenceChange((_: undefined) => api.post<Licence>('/licence/revocations/refresh'));
}
