/** State of the audit page in the address bar; every part may be combined with the others. */
export interface AuditSearch {
  from?: string;
  to?: string;
  actor_id?: string;
  actor_type?: string;
  action?: string;
  target_type?: string;
  target_id?: string;
  outcome?: string;
  ip?: string;
  request_id?: string;
  q?: string;
  /** The event that is open. */
  event?: string;
}

const FILTERS = [
  'from',
  'to',
  'actor_id',
  'actor_type',
  'action',
  'target_type',
  'target_id',
  'outcome',
  'ip',
  'request_id',
  'q',
] as const;

const LONGEST = 200;

function text(value: unknown): string | undefined {
  // The router reads digits as numbers.
  const written = typeof value === 'number' ? String(value) : value;
  return typeof written === 'string' && written !== '' ? written.slice(0, LONGEST) : undefined;
}

export function parseAuditSearch(raw: Record<string, unknown>): AuditSearch {
  const search: AuditSearch = { event: text(raw.event) };
  for (const name of FILTERS) {
    search[name] = text(raw[name]);
  }
  return search;
}

/** What is asked of the server: days become moments, the last day included. */
export function filterOf(search: AuditSearch): Record<string, string> {
  const filter: Record<string, string> = {};
  for (const name of FILTERS) {
    const value = search[name];
    if (value !== undefined) {
      filter[name] = value;
    }
  }
  if (filter.from !== undefined) {
    filter.from = dayStart(filter.from, 0);
  }
  if (filter.to !== undefined) {
    filter.to = dayStart(filter.to, 1);
  }
  return filter;
}

/** Midnight in the viewer's zone of a day written as 2026-06-03, or what was written. */
function dayStart(day: string, later: number): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!parts) {
    return day;
  }
  return new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + later).toISOString();
}

export function hasFilter(search: AuditSearch): boolean {
  return FILTERS.some((name) => search[name] !== undefined);
}
