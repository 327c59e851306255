import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type { CursorPage, ListOf } from '@/api/schema';
import type {
  FeatureFlags,
  PendingMail,
  SettingsImport,
  SettingsPage,
  SettingsPageSummary,
  SettingsPastSave,
  SmtpTest,
  SystemHealth,
} from '@/api/settings';

const KEY = 'settings-pages';
const FLAGS_KEY = ['feature-flags'];
const MAIL_KEY = ['pending-mail'];
/** The picture of the system is taken again this often while somebody looks. */
const HEALTH_REFRESH_MS = 15_000;

const path = (page: string) => `/settings/${segment(page)}`;

export function usePages(enabled: boolean) {
  return useQuery({
    queryKey: [KEY],
    queryFn: ({ signal }) => api.get<ListOf<SettingsPageSummary>>('/settings', undefined, signal),
    enabled,
  });
}

export function usePage(page: string, enabled: boolean) {
  return useQuery({
    queryKey: [KEY, page],
    queryFn: ({ signal }) => api.get<SettingsPage>(path(page), undefined, signal),
    enabled,
    // Somebody may be in the middle of a form.
    refetchOnWindowFocus: false,
  });
}

interface Save {
  changes: Record<string, unknown>;
  version: number;
}

export function useSavePage(page: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ changes, version }: Save) => api.put<SettingsPage>(path(page), changes, version),
    onSuccess: (saved) => {
      client.setQueryData([KEY, page], saved);
      return client.invalidateQueries({ queryKey: [KEY, page, 'history'] });
    },
    // The request may hold a secret.
    gcTime: 0,
  });
}

export function useHistory(page: string, enabled: boolean) {
  return useInfiniteQuery({
    queryKey: [KEY, page, 'history'],
    queryFn: ({ signal, pageParam }) =>
      api.get<CursorPage<SettingsPastSave>>(`${path(page)}/history`, { cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
    enabled,
  });
}

export function useRestore(page: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (version: number) => api.post<SettingsPage>(`${path(page)}/restore`, { version }),
    onSuccess: () => client.invalidateQueries({ queryKey: [KEY, page] }),
  });
}

export function useImport() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wish: { document: unknown; dry_run: boolean }) =>
      api.post<SettingsImport>('/settings/import', wish),
    onSuccess: (done) => (done.applied ? client.invalidateQueries({ queryKey: [KEY] }) : undefined),
  });
}

export interface TestWish {
  recipient: string;
  settings: Record<string, unknown>;
  password?: string;
}

export function useSmtpTest() {
  return useMutation({
    mutationFn: (wish: TestWish) => api.post<SmtpTest>('/settings/smtp-relay/test', wish),
    gcTime: 0,
  });
}

export function usePendingMail(enabled: boolean) {
  return useQuery({
    queryKey: MAIL_KEY,
    queryFn: ({ signal }) => api.get<ListOf<PendingMail>>('/mail/pending', undefined, signal),
    refetchInterval: HEALTH_REFRESH_MS,
    enabled,
  });
}

export function useReveal() {
  return useMutation({
    mutationFn: (id: string) =>
      api.post<{ link: string | null }>(`/mail/pending/${segment(id)}/reveal`),
    // The link is dropped as soon as the dialog is gone.
    gcTime: 0,
  });
}

export function useDiscard() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/mail/pending/${segment(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: MAIL_KEY }),
  });
}

export function useFlags(enabled: boolean) {
  return useQuery({
    queryKey: FLAGS_KEY,
    queryFn: ({ signal }) => api.get<FeatureFlags>('/feature-flags', undefined, signal),
    enabled,
  });
}

export function useTurnFlag() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wanted: Record<string, boolean>) =>
      api.patch<FeatureFlags>('/feature-flags', wanted),
    onSuccess: (flags) => client.setQueryData(FLAGS_KEY, flags),
  });
}

export function useHealth(enabled: boolean) {
  return useQuery({
    queryKey: ['system-health'],
    queryFn: ({ signal }) => api.get<SystemHealth>('/system/health', undefined, signal),
    refetchInterval: HEALTH_REFRESH_MS,
    enabled,
  });
}

export function useSupportBundle() {
  return useMutation({
    mutationFn: () => api.post<unknown>('/system/support-bundle'),
    onSuccess: (bundle) => download('ct-ops-support-bundle.json', bundle),
  });
}

export function useExport() {
  return useMutation({
    mutationFn: () => api.get<unknown>('/settings/export'),
    onSuccess: (document) => download('ct-ops-settings.json', document),
  });
}

/** Hands a document to the browser as a file. */
function download(name: string, document_: unknown): void {
  const text = `${JSON.stringify(document_, null, 2)}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
