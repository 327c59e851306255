import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  CreatedToken,
  CreateTokenRequest,
  EnrolmentSettings,
  Page,
  Token,
  TokenStatus,
} from '@/api/schema';

const TOKENS_KEY = 'enrolment-tokens';
const SETTINGS_KEY = ['settings', 'enrolment'];

export const TOKENS_PAGE_SIZE = 50;

/** Uses are counted by registrations elsewhere, so the list looks again now and then. */
const REFRESH_MS = 30_000;

export function useTokens(filter: { status?: TokenStatus; page: number }, enabled: boolean) {
  return useQuery({
    queryKey: [TOKENS_KEY, filter],
    queryFn: ({ signal }) =>
      api.get<Page<Token>>('/enrolment-tokens', { ...filter, page_size: TOKENS_PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
    enabled,
  });
}

export function useCreateToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: CreateTokenRequest) =>
      api.post<CreatedToken>('/enrolment-tokens', request),
    onSuccess: () => client.invalidateQueries({ queryKey: [TOKENS_KEY] }),
    // The answer holds the secret; it is dropped as soon as the dialog is gone.
    gcTime: 0,
  });
}

export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.post<Token>(`/enrolment-tokens/${segment(id)}/revoke`),
    onSettled: () => client.invalidateQueries({ queryKey: [TOKENS_KEY] }),
  });
}

export function useEnrolmentSettings(enabled: boolean) {
  return useQuery({
    queryKey: SETTINGS_KEY,
    queryFn: ({ signal }) => api.get<EnrolmentSettings>('/settings/enrolment', undefined, signal),
    enabled,
  });
}

export function useSaveEnrolmentSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (settings: EnrolmentSettings) =>
      api.patch<EnrolmentSettings>('/settings/enrolment', settings),
    onSuccess: (saved) => client.setQueryData(SETTINGS_KEY, saved),
  });
}
