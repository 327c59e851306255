import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  IdentityProvider,
  Preset,
  ProviderInput,
  ProviderTest,
} from '@/api/identityProviders';
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

interface Save {
  input: ProviderInput;
  /** The version that was changed; none for a new provider. */
  version?: number;
}

/** Adds a provider, or changes the one with the id. */
export function useSaveProvider(id: string | undefined) {
  return useChange(({ input, version }: Save) =>
    id === undefined
      ? api.post<IdentityProvider>('/identity-providers', input)
      : api.patch<IdentityProvider>(`/identity-providers/${segment(id)}`, input, version),
  );
}

/** The provider as it is stored now, for somebody whose change came too late. */
export function useFreshProvider() {
  return useMutation({
    mutationFn: (id: string) => api.get<IdentityProvider>(`/identity-providers/${segment(id)}`),
  });
}

export function useSwitchProvider() {
  return useChange(({ id, enabled }: { id: string; enabled: boolean }) =>
    api.patch<IdentityProvider>(`/identity-providers/${segment(id)}`, { enabled }),
  );
}

export function useDeleteProvider() {
  return useChange(({ id, version }: IdentityProvider) =>
    api.delete(`/identity-providers/${segment(id)}`, version),
  );
}

export function useTestProvider() {
  return useMutation({
    mutationFn: (id: string) => api.post<ProviderTest>(`/identity-providers/${segment(id)}/test`),
  });
}
