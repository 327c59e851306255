import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type { Agent, AgentHistoryEntry, AgentStatus, CursorPage, Page } from '@/api/schema';

/** First part of the key of everything read about agents. */
export const AGENTS_KEY = 'agents';

/** First part of the key of everything read about hosts, which a decision on an agent changes. */
const HOSTS_KEY = 'hosts';

export const AGENTS_PAGE_SIZE = 50;
const PENDING_SHOWN = 25;
const HISTORY_STEP = 25;

interface AgentsFilter {
  status?: AgentStatus;
  page: number;
}

type Poll = number | false;

export function useAgents(filter: AgentsFilter, enabled: boolean, poll: Poll) {
  return useQuery({
    queryKey: [AGENTS_KEY, 'list', filter],
    queryFn: ({ signal }) =>
      api.get<Page<Agent>>('/agents', { ...filter, page_size: AGENTS_PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: poll,
    enabled,
  });
}

/** Agents that wait for a decision, at most 25 of them; the answer has the true total. */
export function usePendingAgents(enabled: boolean, poll: Poll) {
  return useQuery({
    queryKey: [AGENTS_KEY, 'pending'],
    queryFn: ({ signal }) =>
      api.get<Page<Agent>>('/agents', { status: 'pending', page_size: PENDING_SHOWN }, signal),
    refetchInterval: poll,
    enabled,
  });
}

export function useAgentHistory(id: string) {
  return useInfiniteQuery({
    queryKey: [AGENTS_KEY, 'history', id],
    queryFn: ({ signal, pageParam }) =>
      api.get<CursorPage<AgentHistoryEntry>>(
        `/agents/${segment(id)}/history`,
        { limit: HISTORY_STEP, cursor: pageParam },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export type Decision = 'approve' | 'reject' | 'revoke';

export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, decision }: { id: string; decision: Decision }) =>
      api.post<Agent>(`/agents/${segment(id)}/${decision}`),
    // Also after a refusal: its reason may be that the agent has changed meanwhile.
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [AGENTS_KEY] }),
        client.invalidateQueries({ queryKey: [HOSTS_KEY] }),
      ]),
  });
}
