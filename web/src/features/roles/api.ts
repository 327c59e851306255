import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type {
  CustomRole,
  CustomRoleRequest,
  NewRoleAssignmentRequest,
  PermissionExplanation,
  PermissionInfo,
  RoleAssignment,
  RolePreview,
  RoleTerm,
} from '@/api/access';
import { api, segment } from '@/api/client';
import type { HostRow, ListOf, Page, Team, User } from '@/api/schema';

const ROLES_KEY = 'roles';
const ASSIGNMENTS_KEY = 'role-assignments';

export function useRoles(enabled: boolean) {
  return useQuery({
    queryKey: [ROLES_KEY, 'list'],
    queryFn: ({ signal }) => api.get<ListOf<CustomRole>>('/roles', undefined, signal),
    enabled,
  });
}

export function useRole(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [ROLES_KEY, 'one', id],
    queryFn: ({ signal }) => api.get<CustomRole>(`/roles/${segment(id)}`, undefined, signal),
    enabled,
    // What is being edited must not change under the hands; saving notices a newer version.
    refetchOnWindowFocus: false,
  });
}

/** Every permission there is. */
export function useCatalogue(enabled = true) {
  return useQuery({
    queryKey: ['permissions'],
    queryFn: ({ signal }) => api.get<ListOf<PermissionInfo>>('/permissions', undefined, signal),
    staleTime: Number.POSITIVE_INFINITY,
    enabled,
  });
}

/** How many hosts a selector selects. */
export function useSelected(selector: readonly RoleTerm[], enabled: boolean) {
  return useQuery({
    queryKey: [ROLES_KEY, 'preview', selector],
    queryFn: () => api.post<RolePreview>('/roles/preview', { selector }),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    enabled,
  });
}

interface Save {
  /** The role to change; a new one is made without it. */
  existing?: Pick<CustomRole, 'id' | 'version'>;
  role: CustomRoleRequest;
}

export function useSaveRole() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ existing, role }: Save) =>
      existing
        ? api.put<CustomRole>(`/roles/${segment(existing.id)}`, role, existing.version)
        : api.post<CustomRole>('/roles', role),
    onSuccess: (saved) => {
      client.setQueryData([ROLES_KEY, 'one', saved.id], saved);
      return client.invalidateQueries({ queryKey: [ROLES_KEY, 'list'] });
    },
  });
}

export function useDeleteRole() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/roles/${segment(id)}`),
    onSuccess: () => client.invalidateQueries({ queryKey: [ROLES_KEY, 'list'] }),
  });
}

/** Who holds a role, or all roles of everybody. */
export function useAssignments(roleId: string | undefined, enabled: boolean) {
  return useQuery({
    queryKey: [ASSIGNMENTS_KEY, roleId ?? 'all'],
    queryFn: ({ signal }) =>
      api.get<ListOf<RoleAssignment>>('/role-assignments', { role_id: roleId }, signal),
    enabled,
  });
}

export type AssignmentAction =
  | { kind: 'give'; request: NewRoleAssignmentRequest }
  | { kind: 'take'; id: string };

export function useAssignmentAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (action: AssignmentAction) => {
      if (action.kind === 'give') {
        await api.post<RoleAssignment>('/role-assignments', action.request);
      } else {
        await api.delete(`/role-assignments/${segment(action.id)}`);
      }
    },
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [ASSIGNMENTS_KEY] }),
        client.invalidateQueries({ queryKey: [ROLES_KEY, 'list'] }),
      ]),
  });
}

export interface Question {
  user: string;
  permission: string;
  /** A host; without one, whether they hold the permission at all. */
  resource?: string;
}

/** Why somebody may or may not do something. */
export function useExplanation(question: Question | undefined) {
  return useQuery({
    queryKey: ['permissions', 'explain', question],
    queryFn: ({ signal }) =>
      api.get<PermissionExplanation>('/permissions/explain', { ...question }, signal),
    enabled: question !== undefined,
    staleTime: 0,
  });
}

/** One line of a choice: a person, a team or a host. */
export interface Choice {
  id: string;
  label: string;
}

export type ChoiceKind = 'person' | 'team' | 'host';

async function choices(kind: ChoiceKind, search: string, signal: AbortSignal): Promise<Choice[]> {
  switch (kind) {
    case 'person': {
      const found = await api.get<Page<User>>('/users', { search, page_size: 25 }, signal);
      return found.items.map(({ id, name, email }) => ({ id, label: `${name} (${email})` }));
    }
    case 'team': {
      const found = await api.get<Page<Team>>('/teams', { search, page_size: 200 }, signal);
      return found.items.map(({ id, name }) => ({ id, label: name }));
    }
    case 'host': {
      const found = await api.get<Page<HostRow>>('/hosts', { search, page_size: 25 }, signal);
      return found.items.map((host) => ({
        id: host.id,
        label: host.display_name || host.hostname,
      }));
    }
  }
}

export function useChoices(kind: ChoiceKind, search: string) {
  return useQuery({
    queryKey: [kind, 'choices', search],
    queryFn: ({ signal }) => choices(kind, search, signal),
    placeholderData: keepPreviousData,
  });
}
