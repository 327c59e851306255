import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '@/api/client';
import type { Profile } from '@/api/schema';
import { meQuery } from '@/api/session';

export interface EmailChange {
  email: string;
  current_password?: string;
}

export const profileQuery = queryOptions({
  queryKey: ['me', 'profile'],
  queryFn: ({ signal }) => api.get<Profile>('/me/profile', undefined, signal),
});

export function useRename() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => api.patch<Profile>('/me', { name }),
    onSuccess: async (profile) => {
      client.setQueryData(profileQuery.queryKey, profile);
      await client.invalidateQueries({ queryKey: meQuery.queryKey, exact: true });
    },
  });
}

/** `guarded` asks for a confirmation where the account has no password here. */
export function useChangeEmail(guarded: <T>(action: () => Promise<T>) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: EmailChange) => guarded(() => api.post<void>('/me/email', change)),
    onSuccess: () => client.invalidateQueries({ queryKey: profileQuery.queryKey }),
    gcTime: 0,
  });
}

export function useCancelEmailChange() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.delete('/me/email'),
    onSettled: () => client.invalidateQueries({ queryKey: profileQuery.queryKey }),
  });
}
