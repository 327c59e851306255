import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { HostScope, UserSecurity } from '@/api/access';
import { api, segment } from '@/api/client';
import type {
  Invitation,
  Invited,
  InviteRequest,
  ListOf,
  Page,
  SessionRow,
  Team,
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

export function useUser(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'one', id],
    queryFn: ({ signal }) => api.get<User>(`/users/${segment(id)}`, undefined, signal),
    enabled,
  });
}

/** How many wait for approval is asked on its own: the list may be filtered. */
export function useWaiting(enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'waiting'],
    queryFn: ({ signal }) =>
      api.get<Page<User>>('/users', { state: 'pending', page_size: 25 }, signal),
    enabled,
  });
}

export function useHostScope(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'scope', id],
    queryFn: ({ signal }) =>
      api.get<HostScope>(`/users/${segment(id)}/host-scope`, undefined, signal),
    enabled,
  });
}

export function useSetHostScope(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (groupIds: readonly string[]) =>
      api.put<HostScope>(`/users/${segment(id)}/host-scope`, { group_ids: groupIds }),
    onSuccess: (scope) => client.setQueryData([USERS_KEY, 'scope', id], scope),
  });
}

export function useSecurity(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'security', id],
    queryFn: ({ signal }) =>
      api.get<UserSecurity>(`/users/${segment(id)}/security`, undefined, signal),
    enabled,
  });
}

export function useSessionsOf(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [USERS_KEY, 'sessions', id],
    queryFn: ({ signal }) =>
      api.get<ListOf<SessionRow>>(`/users/${segment(id)}/sessions`, undefined, signal),
    enabled,
  });
}

/** What an administrator does to somebody's ways to sign in. */
export type SignInAction =
  | { kind: 'unlock' }
  | { kind: 'reset_factors' }
  | { kind: 'end_session'; sessionId: string }
  | { kind: 'end_all' };

function performSignIn(id: string, action: SignInAction): Promise<unknown> {
  const path = `/users/${segment(id)}`;
  switch (action.kind) {
    case 'unlock':
      return api.post(`${path}/unlock`, {});
    case 'reset_factors':
      return api.delete(`${path}/mfa`);
    case 'end_session':
      return api.delete(`${path}/sessions/${segment(action.sessionId)}`);
    case 'end_all':
      return api.delete(`${path}/sessions`);
  }
}

/** `guarded` asks for a confirmation of who sits there when the server wants one. */
export function useSignInAction(id: string, guarded: <T>(action: () => Promise<T>) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (action: SignInAction) => guarded(() => performSignIn(id, action)),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [USERS_KEY, 'security', id] }),
        client.invalidateQueries({ queryKey: [USERS_KEY, 'sessions', id] }),
      ]),
  });
}

/** Teams to invite somebody into. */
export function useTeamChoice(enabled: boolean) {
  return useQuery({
    queryKey: ['teams', 'choice'],
    queryFn: ({ signal }) => api.get<Page<Team>>('/teams', { page_size: 200 }, signal),
    enabled,
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
