import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  ApiKey,
  CreatedApiKey,
  ListOf,
  NewApiKeyRequest,
  NewServiceKeyRequest,
} from '@/api/schema';

/** Keys of the person, or of the organisation's services. */
export type KeyKind = 'own' | 'service';

const PATHS: Record<KeyKind, string> = { own: '/me/api-keys', service: '/api-keys' };

export function useKeys(kind: KeyKind, enabled: boolean) {
  return useQuery({
    queryKey: ['api-keys', kind],
    queryFn: ({ signal }) => api.get<ListOf<ApiKey>>(PATHS[kind], undefined, signal),
    enabled,
  });
}

export function useCreateKey(kind: KeyKind) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: NewApiKeyRequest | NewServiceKeyRequest) =>
      api.post<CreatedApiKey>(PATHS[kind], request),
    onSuccess: () => client.invalidateQueries({ queryKey: ['api-keys', kind] }),
  });
}

export function useRevokeKey(kind: KeyKind) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`${PATHS[kind]}/${segment(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: ['api-keys', kind] }),
  });
}
