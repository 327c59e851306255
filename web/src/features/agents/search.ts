import type { AgentStatus } from '@/api/schema';

/** State of the agents page in the address bar; what equals the default is left out. */
export interface AgentSearch {
  status?: AgentStatus;
  page?: number;
}

export const AGENT_STATUSES: readonly AgentStatus[] = ['pending', 'active', 'offline', 'revoked'];

export function parseAgentSearch(raw: Record<string, unknown>): AgentSearch {
  const page = Number(raw.page);
  return {
    status: AGENT_STATUSES.find((status) => status === raw.status),
    page: Number.isInteger(page) && page > 1 ? page : undefined,
  };
}
