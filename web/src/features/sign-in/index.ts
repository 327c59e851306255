import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { requireSignedOut, rootRoute } from '@/app/registry';

export interface SignInSearch {
  /** The session that was here has ended. */
  session?: 'expired';
  /** Path to return to after sign-in. */
  redirect?: string;
}

export const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: (raw: Record<string, unknown>): SignInSearch => ({
    session: raw.session === 'expired' ? 'expired' : undefined,
    redirect: typeof raw.redirect === 'string' ? raw.redirect : undefined,
  }),
  beforeLoad: ({ context, search }) => requireSignedOut(context.queryClient, search),
  component: lazyRouteComponent(() => import('./SignInPage'), 'SignInPage'),
});
