/** What the address of a settings page says beside its name. */
export interface PageSearch {
  /** Key to mark. */
  key?: string;
}

export function parsePageSearch(search: Record<string, unknown>): PageSearch {
  const key = search.key;
  return typeof key === 'string' && /^[a-z0-9_]{1,60}$/.test(key) ? { key } : {};
}
