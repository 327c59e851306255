import { type QueryClient, queryOptions, useQuery } from '@tanstack/react-query';
import { api } from './client';
import type { AuthMethods, Me, Permission } from './schema';

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => api.get<Me>('/me', undefined, signal),
  staleTime: 5 * 60_000,
});

export const methodsQuery = queryOptions({
  queryKey: ['auth', 'methods'],
  queryFn: ({ signal }) => api.get<AuthMethods>('/auth/methods', undefined, signal),
  staleTime: 0,
});

/** The signed-in person; pages below the sign-in gate always have one. */
export function useMe(): Me | undefined {
  return useQuery(meQuery).data;
}

export function useCan(permission: Permission): boolean {
  return useMe()?.permissions.includes(permission) ?? false;
}

const SIGNED_IN = 'ctops-signed-in';

/**
 * Whether this browser signed in and did not sign out. The session cookie cannot be read here, so
 * this note tells an ended session ("expired") from a first visit.
 */
export function hadSession(): boolean {
  try {
    return localStorage.getItem(SIGNED_IN) === '1';
  } catch {
    return false;
  }
}

function noteSession(present: boolean): void {
  try {
    if (present) {
      localStorage.setItem(SIGNED_IN, '1');
    } else {
      localStorage.removeItem(SIGNED_IN);
    }
  } catch {
    // Storage can be blocked; only the "expired" notice is lost then.
  }
}

export function rememberSignIn(client: QueryClient, me: Me): void {
  noteSession(true);
  client.setQueryData(meQuery.queryKey, me);
}

/** Forgets everything that was read under the ended session. */
export function forgetSignIn(client: QueryClient, ended: 'signed-out' | 'expired'): void {
  if (ended === 'signed-out') {
    noteSession(false);
  }
  client.clear();
}

const LONGEST_RETURN_PATH = 256;

/** A path to return to after sign-in: local only, else the start page (auth.md 7 for links). */
export function localPath(path: string | undefined): string {
  const local =
    path !== undefined &&
    path.length <= LONGEST_RETURN_PATH &&
    /^\/(?![/\\])[^\r\n]*$/.test(path) &&
    !/^\/(login|setup)\b/.test(path);
  return local ? path : '/hosts';
}
