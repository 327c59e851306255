import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  LdapConfiguration,
  LdapDraft,
  LdapInput,
  LdapPresets,
  LdapRow,
  LdapTestResult,
} from '@/api/directory';
import type { ListOf } from '@/api/schema';

const KEY = ['ldap-configurations'];

export function useLdapConfigurations(enabled: boolean) {
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => api.get<ListOf<LdapRow>>('/ldap-configurations', undefined, signal),
    enabled,
  });
}

export function useLdapConfiguration(id: string | undefined) {
  return useQuery({
    queryKey: [...KEY, id],
    queryFn: ({ signal }) =>
      api.get<LdapConfiguration>(`/ldap-configurations/${segment(id ?? '')}`, undefined, signal),
    enabled: id !== undefined,
    gcTime: 0,
  });
}

export function useLdapPresets() {
  return useQuery({
    queryKey: ['ldap-presets'],
    queryFn: ({ signal }) =>
      api.get<LdapPresets>('/ldap-configurations/presets', undefined, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Adds a directory, or changes the one with the id. What is sent may hold a password, so it is not kept. */
export function useSaveLdap(id: string | undefined) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (input: LdapInput) =>
      id === undefined
        ? api.post<LdapConfiguration>('/ldap-configurations', input)
        : api.patch<LdapConfiguration>(`/ldap-configurations/${segment(id)}`, input),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
    gcTime: 0,
  });
}

export function useTestLdap() {
  return useMutation({
    mutationFn: (draft: LdapDraft) => api.post<LdapTestResult>('/ldap-configurations/test', draft),
    gcTime: 0,
  });
}

export function useDeleteLdap() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, confirmed }: { id: string; confirmed: boolean }) =>
      api.delete(`/ldap-configurations/${segment(id)}${confirmed ? '?confirm=true' : ''}`),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}
