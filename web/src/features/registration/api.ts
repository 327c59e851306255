import { useMutation } from '@tanstack/react-query';
import { api } from '@/api/client';

export interface RegisterRequest {
  name: string;
  email: string;
  password: string;
  password_confirmation: string;
}

/** The answer is the same whether or not there is such an account. */
export function useRegister() {
  return useMutation({
    mutationFn: (request: RegisterRequest) => api.post<void>('/auth/register', request),
    gcTime: 0,
  });
}
