import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  Invitation,
  Invited,
  InviteRequest,
  ListOf,
  Page,
  User,
  UserChange,
  UserPatchRequest,
} from '@/api/schema';
import type { PeopleSearch } from './search';

const USERS_KEY = 'users';
const INVITATIONS_KEY = 'invitations';

export const PEOPLE_PAGE_SIZE = 50;

export function useUsers(filter: PeopleSearch, enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'list', filter],
    queryFn: ({ signal }) =>
      api.get<Page<User>>('/users', { ...filter, page_size: PEOPLE_PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useUserHistory(id: string | undefined) {
  return useQuery({
    queryKey: [USERS_KEY, 'history', id],
    queryFn: ({ signal }) =>
      api.get<ListOf<UserChange>>(`/users/${segment(id ?? '')}/history`, undefined, signal),
    enabled: id !== undefined,
  });
}

/** What an administrator does to a person. */
export type UserAction =
  | { kind: 'change'; id: string; patch: UserPatchRequest }
  | { kind: 'remove'; id: string }
  | { kind: 'restore'; id: string };

function perform(action: UserAction): Promise<unknown> {
  const path = `/users/${segment(action.id)}`;
  switch (action.kind) {
    case 'change':
      return api.patch<User>(path, action.patch);
    case 'remove':
      return api.delete(path);
    case 'restore':
      return api.post<User>(`${path}/restore`, {});
  }
}

export function useUserAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: perform,
    onSettled: () => client.invalidateQueries({ queryKey: [USERS_KEY] }),
  });
}

export function useInvitations(enabled: boolean) {
  return useQuery({
    queryKey: [INVITATIONS_KEY],
    queryFn: ({ signal }) => api.get<Page<Invitation>>('/invitations', { page_size: 200 }, signal),
    enabled,
  });
}

export function useInvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: InviteRequest) => api.post<Invited>('/invitations', request),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [INVITATIONS_KEY] }),
        client.invalidateQueries({ queryKey: [USERS_KEY] }),
      ]),
    // The answer holds the link; it is dropped as soon as the dialog is gone.
    gcTime: 0,
  });
}

export function useResendInvitation() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.post<Invited>(`/invitations/${segment(id)}/resend`, {}),
    onSuccess: () => client.invalidateQueries({ queryKey: [INVITATIONS_KEY] }),
    gcTime: 0,
  });
}

export function useCancelInvitation() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/invitations/${segment(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: [INVITATIONS_KEY] }),
  });
}
