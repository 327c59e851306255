/** State of the list of groups in the address bar; what equals the default is left out. */
export interface GroupsSearch {
  search?: string;
  page?: number;
  /** Deleted groups that can be restored, instead of the others. */
  deleted?: true;
}

/** State of the page of one group. */
export interface GroupSearch {
  search?: string;
  /** Column, with a leading `-` for descending. */
  sort?: string;
  page?: number;
}

const LONGEST_SEARCH = 200;
const SORT = /^-?(hostname|os|cpu|memory|disk|last_seen|status)$/;

function text(raw: unknown): string | undefined {
  return (typeof raw === 'string' && raw.trim().slice(0, LONGEST_SEARCH)) || undefined;
}

function page(raw: unknown): number | undefined {
  const number = Number(raw);
  return Number.isInteger(number) && number > 1 ? number : undefined;
}

/** Reads the address bar; what is not understood is dropped, so that no link leads to an error. */
export function parseGroupsSearch(raw: Record<string, unknown>): GroupsSearch {
  const deleted = raw.deleted === true || raw.deleted === 'true' ? true : undefined;
  return { search: text(raw.search), page: page(raw.page), deleted };
}

export function parseGroupSearch(raw: Record<string, unknown>): GroupSearch {
  const sort = typeof raw.sort === 'string' && SORT.test(raw.sort) ? raw.sort : undefined;
  return {
    search: text(raw.search),
    sort: sort === 'hostname' ? undefined : sort,
    page: page(raw.page),
  };
}
