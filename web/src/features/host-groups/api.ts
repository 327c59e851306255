import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { HostGroup, HostGroupChangeRequest, HostGroupReference } from '@/api/access';
import { api, segment } from '@/api/client';
import type { HostRow, ListOf, Page } from '@/api/schema';
import type { GroupSearch, GroupsSearch } from './search';

const GROUPS_KEY = 'host-groups';

export const GROUPS_PAGE_SIZE = 50;
export const MEMBERS_PAGE_SIZE = 50;
/** Hosts that the dialog for adding shows at a time. */
export const CHOICE_PAGE_SIZE = 25;
/** The server takes so many hosts in one call. */
export const MOST_IN_ONE_CALL = 1_000;

export function useGroups(search: GroupsSearch, enabled: boolean) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'list', search],
    queryFn: ({ signal }) =>
      api.get<Page<HostGroup>>('/host-groups', { ...search, page_size: GROUPS_PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** Groups to choose from, by a part of their name. */
export function useGroupChoice(search: string, enabled: boolean) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'choice', search],
    queryFn: ({ signal }) =>
      api.get<Page<HostGroup>>('/host-groups', { search, page_size: 200 }, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useGroup(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'one', id],
    queryFn: ({ signal }) => api.get<HostGroup>(`/host-groups/${segment(id)}`, undefined, signal),
    enabled,
  });
}

export function useMembers(id: string, search: GroupSearch, enabled: boolean) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'members', id, search],
    queryFn: ({ signal }) =>
      api.get<Page<HostRow>>(
        `/host-groups/${segment(id)}/members`,
        { ...search, page_size: MEMBERS_PAGE_SIZE },
        signal,
      ),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useReferences(id: string | undefined) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'references', id],
    queryFn: ({ signal }) =>
      api.get<ListOf<HostGroupReference>>(
        `/host-groups/${segment(id ?? '')}/references`,
        undefined,
        signal,
      ),
    enabled: id !== undefined,
    staleTime: 0,
  });
}

/** Hosts to add, by a part of their name or address. */
export function useHostChoice(search: string, page: number) {
  return useQuery({
    queryKey: ['hosts', 'choice', search, page],
    queryFn: ({ signal }) =>
      api.get<Page<HostRow>>('/hosts', { search, page, page_size: CHOICE_PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
  });
}

export function useGroupsOfHost(hostId: string, enabled: boolean) {
  return useQuery({
    queryKey: [GROUPS_KEY, 'of-host', hostId],
    queryFn: ({ signal }) =>
      api.get<ListOf<HostGroup>>(`/hosts/${segment(hostId)}/groups`, undefined, signal),
    enabled,
  });
}

/** What somebody does to a group. */
export type GroupAction =
  | { kind: 'create'; name: string; description: string }
  | { kind: 'change'; id: string; change: HostGroupChangeRequest }
  | { kind: 'delete'; id: string }
  | { kind: 'restore'; id: string };

async function perform(action: GroupAction): Promise<HostGroup | undefined> {
  switch (action.kind) {
    case 'create':
      return api.post('/host-groups', { name: action.name, description: action.description });
    case 'change':
      return api.patch(`/host-groups/${segment(action.id)}`, action.change);
    case 'delete':
      await api.delete(`/host-groups/${segment(action.id)}`);
      return undefined;
    case 'restore':
      return api.post(`/host-groups/${segment(action.id)}/restore`, {});
  }
}

export function useGroupAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: perform,
    onSuccess: (_, action) => {
      if (action.kind === 'delete') {
        // Asking for it again would only answer that it is gone.
        client.removeQueries({ queryKey: [GROUPS_KEY, 'one', action.id] });
      }
      return client.invalidateQueries({ queryKey: [GROUPS_KEY] });
    },
  });
}

export interface MemberChange {
  groupId: string;
  hostIds: readonly string[];
  adds: boolean;
}

/** How many were changed, and how many were so already. */
export interface MemberResult {
  changed: number;
  unchanged: number;
}

async function changeMembers({ groupId, hostIds, adds }: MemberChange): Promise<MemberResult> {
  const path = `/host-groups/${segment(groupId)}/members`;
  const body = { host_ids: hostIds };
  if (adds) {
    const done = await api.post<{ added: number; already_member: number }>(path, body);
    return { changed: done.added, unchanged: done.already_member };
  }
  const done = await api.deleteSome<{ removed: number; not_member: number }>(path, body);
  return { changed: done.removed, unchanged: done.not_member };
}

export function useMemberChange() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: changeMembers,
    onSuccess: () => client.invalidateQueries({ queryKey: [GROUPS_KEY] }),
  });
}
