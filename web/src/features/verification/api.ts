import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '@/api/client';
import type { LoginRequest, VerifyAnswer } from '@/api/schema';
import { meQuery } from '@/api/session';

export interface ResendRequest extends LoginRequest {
  /** Local path that the link leads to. */
  redirect?: string;
}

export function useVerifyEmail() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (token: string) => api.post<VerifyAnswer>('/auth/verify-email', { token }),
    // Who is signed in here may have another address now.
    onSuccess: () => client.removeQueries({ queryKey: meQuery.queryKey }),
    gcTime: 0,
  });
}

/** The answer is the same whether or not there is such an account. */
export function useResendVerification() {
  return useMutation({
    mutationFn: (request: ResendRequest) => api.post<void>('/auth/resend-verification', request),
    gcTime: 0,
  });
}
