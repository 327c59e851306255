import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type { IdentityProvider, NewProvider, Preset, ProviderTest } from '@/api/identityProviders';
import type { ListOf } from '@/api/schema';

const KEY = ['identity-providers'];

export function useProviders(enabled: boolean) {
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) =>
      api.get<ListOf<IdentityProvider>>('/identity-providers', undefined, signal),
    enabled,
  });
}

export function usePresets() {
  return useQuery({
    queryKey: [...KEY, 'presets'],
    queryFn: ({ signal }) => api.get<Preset[]>('/identity-providers/presets', undefined, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

function useChange<Input, Output>(work: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: work,
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
    // What is sent may hold a secret; it is dropped as soon as the dialog is gone.
    gcTime: 0,
  });
}

export function useCreateProvider() {
  return useChange((wanted: NewProvider) =>
    api.post<IdentityProvider>('/identity-providers', wanted),
  );
}

export function useSwitchProvider() {
  return useChange(({ id, enabled }: { id: string; enabled: boolean }) =>
    api.patch<IdentityProvider>(`/identity-providers/${segment(id)}`, { enabled }),
  );
}

export function useDeleteProvider() {
  return useChange((id: string) => api.delete(`/identity-providers/${segment(id)}`));
}

export function useTestProvider() {
  return useMutation({
    mutationFn: (id: string) => api.post<ProviderTest>(`/identity-providers/${segment(id)}/test`),
  });
}
