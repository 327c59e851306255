import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '@/app/registry';

export { ResendAction } from './ResendAction';

export interface VerifySearch {
  /** Where to go on afterwards. */
  redirect?: string;
}

/** Where the link of a letter leads; its token stands behind the hash sign. */
export const verifyEmailRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/verify-email',
  validateSearch: (raw: Record<string, unknown>): VerifySearch => ({
    redirect: typeof raw.redirect === 'string' ? raw.redirect : undefined,
  }),
  component: lazyRouteComponent(() => import('./VerifyEmailPage'), 'VerifyEmailPage'),
});

export const resendVerificationRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/resend-verification',
  component: lazyRouteComponent(() => import('./ResendPage'), 'ResendPage'),
});
