import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '@/api/client';

/** A new password, typed twice. */
export interface NewPassword {
  password: string;
  password_confirmation: string;
}

export interface ResetPasswordRequest extends NewPassword {
  /** What stands behind the hash sign of the link. */
  token: string;
}

export interface ChangePasswordRequest extends NewPassword {
  current_password: string;
}

/** The answer is the same whether or not there is such an account. */
export function useForgotPassword() {
  return useMutation({
    mutationFn: (email: string) => api.post<void>('/auth/forgot-password', { email }),
  });
}

export function useResetPassword() {
  return useMutation({
    mutationFn: (request: ResetPasswordRequest) => api.post<void>('/auth/reset-password', request),
    gcTime: 0,
  });
}

/** A new password ends the other sessions of the person. */
export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: ChangePasswordRequest) => api.put<void>('/me/password', request),
    onSuccess: () => client.invalidateQueries({ queryKey: ['me', 'sessions'] }),
    gcTime: 0,
  });
}
