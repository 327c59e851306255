import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { api, apiUrl, segment } from '@/api/client';
import { isProblem } from '@/api/problem';
import type {
  AuditEvent,
  AuditEventDetail,
  AuditExport,
  AuditForwarder,
  AuditForwarderInput,
  AuditForwarderTest,
  AuditSettings,
  AuditSettingsInput,
  CursorPage,
  ListOf,
  OwnSignIn,
  VerifyReport,
} from '@/api/schema';

const EVENTS_KEY = 'audit-events';
const SETTINGS_KEY = ['audit', 'settings'];
const FORWARDERS_KEY = ['audit', 'forwarders'];

export const EVENTS_PAGE_SIZE = 50;
/** The state of forwarders changes by itself. */
const REFRESH_MS = 10_000;

export type Filter = Record<string, string>;

export function useEvents(filter: Filter, enabled: boolean) {
  return useInfiniteQuery({
    queryKey: [EVENTS_KEY, filter],
    queryFn: ({ pageParam, signal }) =>
      api.get<CursorPage<AuditEvent>>(
        '/audit/events',
        { ...filter, cursor: pageParam, limit: EVENTS_PAGE_SIZE },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useEvent(id: string | undefined) {
  return useQuery({
    queryKey: [EVENTS_KEY, 'one', id],
    queryFn: ({ signal }) =>
      api.get<AuditEventDetail>(`/audit/events/${segment(id ?? '')}`, undefined, signal),
    enabled: id !== undefined,
  });
}

export function useVerify() {
  return useMutation({
    mutationFn: (range: { from: string; to: string }) =>
      api.post<VerifyReport>('/audit/verify', range),
  });
}

export function useCreateExport() {
  return useMutation({
    mutationFn: (wanted: { format: string; filter: Filter }) =>
      api.post<AuditExport>('/audit/exports', wanted),
  });
}

export function exportUrl(id: string, part: 'file' | 'signature'): string {
  return apiUrl(`/audit/exports/${segment(id)}/${part}`);
}

export function useAuditSettings(enabled: boolean) {
  return useQuery({
    queryKey: SETTINGS_KEY,
    queryFn: ({ signal }) => api.get<AuditSettings>('/audit/settings', undefined, signal),
    enabled,
  });
}

export function useSaveAuditSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (settings: AuditSettingsInput) =>
      api.put<AuditSettings>('/audit/settings', settings),
    onSuccess: (saved) => client.setQueryData(SETTINGS_KEY, saved),
  });
}

export function useForwarders(enabled: boolean) {
  return useQuery({
    queryKey: FORWARDERS_KEY,
    queryFn: ({ signal }) =>
      api.get<ListOf<AuditForwarder>>('/audit/forwarders', undefined, signal),
    refetchInterval: REFRESH_MS,
    enabled,
  });
}

export function useSaveForwarder() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, input }: { id: string | undefined; input: AuditForwarderInput }) =>
      id === undefined
        ? api.post<AuditForwarder>('/audit/forwarders', input)
        : api.put<AuditForwarder>(`/audit/forwarders/${segment(id)}`, input),
    onSuccess: () => client.invalidateQueries({ queryKey: FORWARDERS_KEY }),
    // The request holds the secret; it is dropped as soon as the dialog is gone.
    gcTime: 0,
  });
}

export function useDeleteForwarder() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/audit/forwarders/${segment(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: FORWARDERS_KEY }),
  });
}

export function useTestForwarder() {
  return useMutation({
    mutationFn: (id: string) =>
      api.post<AuditForwarderTest>(`/audit/forwarders/${segment(id)}/test`),
  });
}

export function useOwnSignIns() {
  return useQuery({
    queryKey: ['me', 'sign-ins'],
    queryFn: ({ signal }) => api.get<ListOf<OwnSignIn>>('/me/sign-ins', undefined, signal),
  });
}

/** Whether a request was refused because the licence does not contain the audit log. */
export function isUnlicensed(error: unknown): boolean {
  return isProblem(error) && error.code === 'feature_not_licensed';
}
