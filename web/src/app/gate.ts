import type { QueryClient } from '@tanstack/react-query';
import { redirect } from '@tanstack/react-router';
import { api } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { AuthMethods, Me } from '@/api/schema';
import { hadSession, localPath, meQuery, methodsQuery, rememberSignIn } from '@/api/session';

/** Two guards can run in one navigation; the second uses the answer of the first. */
const METHODS_FRESH_MS = 2_000;

/** The page of people whom an administrator has not let in yet. */
export const WAITING_PAGE = '/waiting';

/** The page of people whose provider knows no email address of theirs. */
export const ADDRESS_PAGE = '/account/address';

/** Where people are held, by standing; the first page is the one they are sent to. */
const HELD: Record<string, readonly [string, ...string[]]> = {
  must_enrol: ['/account/security'],
  must_give_address: [ADDRESS_PAGE],
  pending: [WAITING_PAGE, '/account/profile'],
};

function readMethods(client: QueryClient): Promise<AuthMethods> {
  return client.fetchQuery({ ...methodsQuery, staleTime: METHODS_FRESH_MS });
}

/** Asks without the query cache, so that a refusal here is not reported as an ended session. */
async function readMe(client: QueryClient): Promise<Me | undefined> {
  const known = client.getQueryData(meQuery.queryKey);
  if (known) {
    return known;
  }
  try {
    const me = await api.get<Me>('/me');
    rememberSignIn(client, me);
    return me;
  } catch (error) {
    if (isProblem(error) && error.status === 401) {
      return undefined;
    }
    throw error;
  }
}

/** Guard of every page behind sign-in. */
export async function requireSignedIn(client: QueryClient, href: string): Promise<void> {
  const me = await readMe(client);
  if (me) {
    const pages = HELD[me.standing];
    if (pages && !pages.some((page) => href.startsWith(page))) {
      throw redirect({ href: pages[0] });
    }
    return;
  }
  const methods = await readMethods(client);
  if (methods.setup_required) {
    throw redirect({ href: '/setup' });
  }
  throw redirect({ href: loginHref(href) });
}

function loginHref(returnTo: string): string {
  const parameters = new URLSearchParams();
  if (hadSession()) {
    parameters.set('session', 'expired');
  }
  if (returnTo !== '/' && localPath(returnTo) === returnTo) {
    parameters.set('redirect', returnTo);
  }
  const text = parameters.toString();
  return text ? `/login?${text}` : '/login';
}

/** Guard of the sign-in page: set-up comes first, and who is signed in already goes on. */
export async function requireSignedOut(
  client: QueryClient,
  search: { session?: 'expired'; redirect?: string; sso_error?: string },
): Promise<void> {
  if ((await readMethods(client)).setup_required) {
    throw redirect({ href: '/setup' });
  }
  // Somebody whose confirmation failed at their provider is signed in still, and is told so here.
  if (search.sso_error !== undefined) {
    return;
  }
  // The notice "expired" means that the session was just refused: asking again could only loop.
  if (search.session !== 'expired' && hadSession() && (await readMe(client))) {
    throw redirect({ href: localPath(search.redirect) });
  }
}

/** Guard of the set-up page, which exists only until the first account does. */
export async function requireNoUsers(client: QueryClient): Promise<void> {
  if (!(await readMethods(client)).setup_required) {
    throw redirect({ href: '/login' });
  }
}

/** Guard of the page to register: it exists only where people may. */
export async function requireRegistration(client: QueryClient): Promise<void> {
  const methods = await readMethods(client);
  if (methods.setup_required) {
    throw redirect({ href: '/setup' });
  }
  if (!methods.registration_open) {
    throw redirect({ href: '/login' });
  }
}
