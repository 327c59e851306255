import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type {
  NewTeamRequest,
  Page,
  Team,
  TeamDetail,
  TeamMemberPreview,
  TeamPatchRequest,
  User,
} from '@/api/schema';

const TEAMS_KEY = 'teams';

export function useTeams(enabled: boolean) {
  return useQuery({
    queryKey: [TEAMS_KEY, 'list'],
    queryFn: ({ signal }) => api.get<Page<Team>>('/teams', { page_size: 200 }, signal),
    enabled,
  });
}

export function useTeam(id: string) {
  return useQuery({
    queryKey: [TEAMS_KEY, id],
    queryFn: ({ signal }) => api.get<TeamDetail>(`/teams/${segment(id)}`, undefined, signal),
  });
}

/** People to choose a member from, by a part of their name. */
export function useCandidates(search: string) {
  return useQuery({
    queryKey: ['users', 'candidates', search],
    queryFn: ({ signal }) => api.get<Page<User>>('/users', { search, page_size: 25 }, signal),
  });
}

export function useCreateTeam() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: NewTeamRequest) => api.post<TeamDetail>('/teams', request),
    onSuccess: () => client.invalidateQueries({ queryKey: [TEAMS_KEY] }),
  });
}

/** What an administrator does to a team; `confirmed` when somebody may see more afterwards. */
export type TeamAction = { id: string; confirmed: boolean } & (
  | { kind: 'change'; patch: TeamPatchRequest }
  | { kind: 'delete' }
  | { kind: 'join'; userId: string }
  | { kind: 'leave'; userId: string }
  | { kind: 'groups'; groupIds: string[] }
);

function perform(action: TeamAction): Promise<unknown> {
  const path = `/teams/${segment(action.id)}`;
  const confirm_widening = action.confirmed;
  const query = confirm_widening ? '?confirm_widening=true' : '';
  switch (action.kind) {
    case 'change':
      return api.patch(path, { ...action.patch, confirm_widening });
    case 'delete':
      return api.delete(`${path}${query}`);
    case 'join':
      return api.post(`${path}/members`, { user_ids: [action.userId], confirm_widening });
    case 'leave':
      return api.delete(`${path}/members/${segment(action.userId)}${query}`);
    case 'groups':
      return api.put(`${path}/host-groups`, { group_ids: action.groupIds, confirm_widening });
  }
}

export function useTeamAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: perform,
    onSuccess: () => client.invalidateQueries({ queryKey: [TEAMS_KEY] }),
  });
}

/** What joining or leaving would do to what one person sees. */
export function usePreview(teamId: string, userId: string | undefined, joins: boolean) {
  return useQuery({
    queryKey: [TEAMS_KEY, teamId, 'preview', userId, joins],
    queryFn: () =>
      api.post<TeamMemberPreview>(`/teams/${segment(teamId)}/members/preview`, {
        user_id: userId,
        joins,
      }),
    enabled: userId !== undefined,
    staleTime: 0,
  });
}
