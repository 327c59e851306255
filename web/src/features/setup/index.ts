import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { requireNoUsers, rootRoute } from '@/app/registry';

export const setupRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/setup',
  beforeLoad: ({ context }) => requireNoUsers(context.queryClient),
  component: lazyRouteComponent(() => import('./SetupPage'), 'SetupPage'),
});
