import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import { makePasskey } from '@/api/passkeys';
import type {
  ListOf,
  Me,
  Mfa,
  Passkey,
  PasskeyChallenge,
  RecoveryCodes,
  TotpEnrolment,
} from '@/api/schema';
import { rememberSignIn } from '@/api/session';

/** Runs what the server may want a fresh confirmation for. */
type Guarded = <T>(action: () => Promise<T>) => Promise<T>;

export function useMfa() {
  return useQuery({
    queryKey: ['me', 'mfa'],
    queryFn: ({ signal }) => api.get<Mfa>('/me/mfa', undefined, signal),
  });
}

export function usePasskeys() {
  return useQuery({
    queryKey: ['me', 'passkeys'],
    queryFn: ({ signal }) => api.get<ListOf<Passkey>>('/me/passkeys', undefined, signal),
  });
}

/** A change of second factors also changes whether the rest of the product may be used. */
function useRefresh() {
  const client = useQueryClient();
  return async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: ['me', 'mfa'] }),
      client.invalidateQueries({ queryKey: ['me', 'passkeys'] }),
    ]);
    rememberSignIn(client, await api.get<Me>('/me'));
  };
}

export function useBeginTotp(guarded: Guarded) {
  return useMutation({
    mutationFn: () => guarded(() => api.post<TotpEnrolment>('/me/mfa/totp')),
  });
}

export function useConfirmTotp(guarded: Guarded) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (code: string) =>
      guarded(() => api.post<RecoveryCodes>('/me/mfa/totp/confirm', { code })),
    onSuccess: refresh,
  });
}

export function useDisableTotp(guarded: Guarded) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => guarded(() => api.delete('/me/mfa/totp')),
    onSuccess: refresh,
  });
}

export function useRenewRecoveryCodes(guarded: Guarded) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => guarded(() => api.post<RecoveryCodes>('/me/mfa/recovery-codes')),
    onSuccess: refresh,
  });
}

export function useAddPasskey(guarded: Guarded) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async (name: string) => {
      const challenge = await guarded(() => api.post<PasskeyChallenge>('/me/passkeys/options'));
      return api.post<Passkey>('/me/passkeys', { name, ...(await makePasskey(challenge)) });
    },
    onSuccess: refresh,
  });
}

export function useRenamePasskey() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ id, name }: { id: string; name: string }) =>
      api.patch<Passkey>(`/me/passkeys/${segment(id)}`, { name }),
    onSuccess: refresh,
  });
}

export function useRemovePasskey(guarded: Guarded) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (id: string) => guarded(() => api.delete(`/me/passkeys/${segment(id)}`)),
    onSuccess: refresh,
  });
}
