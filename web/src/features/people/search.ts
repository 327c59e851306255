import type { MemberState, Role } from '@/api/schema';
import { ROLES, STATES } from './words';

/** State of the people page in the address bar; what equals the default is left out. */
export interface PeopleSearch {
  search?: string;
  state?: MemberState;
  role?: Role;
  page?: number;
}

export function parsePeopleSearch(raw: Record<string, unknown>): PeopleSearch {
  const page = Number(raw.page);
  const search = typeof raw.search === 'string' ? raw.search.slice(0, 200) : '';
  return {
    search: search || undefined,
    state: STATES.find((state) => state === raw.state),
    role: ROLES.find((role) => role === raw.role),
    page: Number.isInteger(page) && page > 1 ? page : undefined,
  };
}
