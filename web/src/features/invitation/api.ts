import { useMutation, useQuery } from '@tanstack/react-query';
import { api } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { AcceptAnswer, AcceptRequest, InvitationLook, Me } from '@/api/schema';

/** Every look counts against this address, so it is asked for once. */
export function useInvitation(token: string) {
  return useQuery({
    queryKey: ['invitation', token],
    queryFn: () => api.post<InvitationLook>('/invitations/lookup', { token }),
    enabled: token !== '',
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
}

/** Who is signed in here, or nobody; asked apart from the cache of pages behind sign-in. */
export function useVisitor() {
  return useQuery({
    queryKey: ['invitation', 'visitor'],
    queryFn: async ({ signal }): Promise<Me | null> => {
      try {
        return await api.get<Me>('/me', undefined, signal);
      } catch (error) {
        if (isProblem(error) && error.status === 401) {
          return null;
        }
        throw error;
      }
    },
    staleTime: 0,
  });
}

export function useAccept() {
  return useMutation({
    mutationFn: (request: AcceptRequest) => api.post<AcceptAnswer>('/invitations/accept', request),
    gcTime: 0,
  });
}

export function useGoTo() {
  return useMutation({
    mutationFn: (organisationId: string) =>
      api.post<void>('/me/organisation', { organisation_id: organisationId }),
  });
}
