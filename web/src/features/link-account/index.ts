import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '@/app/registry';

export { LinkedIdentitiesPanel } from './LinkedIdentitiesPanel';

/** Where a sign-in through a provider leads whose address an account has already; its token stands behind the hash sign. */
export const linkAccountRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/link-account',
  component: lazyRouteComponent(() => import('./LinkAccountPage'), 'LinkAccountPage'),
});
