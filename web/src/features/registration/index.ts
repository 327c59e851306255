import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { requireRegistration, rootRoute } from '@/app/registry';

export const registerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/register',
  beforeLoad: ({ context }) => requireRegistration(context.queryClient),
  component: lazyRouteComponent(() => import('./RegisterPage'), 'RegisterPage'),
});
