import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { requireSignedOut, rootRoute } from '@/app/registry';

export interface SignInSearch {
  /** The session that was here has ended. */
  session?: 'expired';
  /** Said above the form: what has just happened to the account. */
  notice?: 'password_reset';
  /** The first factor was right, elsewhere: a second one is waited for. */
  step?: 'second_factor';
  /** A round trip through an identity provider failed, with this code. */
  sso_error?: string;
  /** Path to return to after sign-in. */
  redirect?: string;
}

export const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: (raw: Record<string, unknown>): SignInSearch => ({
    session: raw.session === 'expired' ? 'expired' : undefined,
    notice: raw.notice === 'password_reset' ? 'password_reset' : undefined,
    step: raw.step === 'second_factor' ? 'second_factor' : undefined,
    sso_error: typeof raw.sso_error === 'string' ? raw.sso_error : undefined,
    redirect: typeof raw.redirect === 'string' ? raw.redirect : undefined,
  }),
  beforeLoad: ({ context, search }) => requireSignedOut(context.queryClient, search),
  component: lazyRouteComponent(() => import('./SignInPage'), 'SignInPage'),
});
