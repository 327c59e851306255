import type { TokenStatus } from '@/api/schema';

/** State of the enrolment page in the address bar; what equals the default is left out. */
export interface EnrolmentSearch {
  status?: TokenStatus;
  page?: number;
}

export const TOKEN_STATUSES: readonly TokenStatus[] = ['active', 'expired', 'exhausted', 'revoked'];

export function parseEnrolmentSearch(raw: Record<string, unknown>): EnrolmentSearch {
  const page = Number(raw.page);
  return {
    status: TOKEN_STATUSES.find((status) => status === raw.status),
    page: Number.isInteger(page) && page > 1 ? page : undefined,
  };
}
