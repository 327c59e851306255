import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { UserRound } from 'lucide-react';
import {
  ADDRESS_PAGE,
  type Feature,
  requireSignedIn,
  rootRoute,
  signedInRoute,
  WAITING_PAGE,
} from '@/app/registry';

const profileRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/profile',
  component: lazyRouteComponent(() => import('./ProfilePage'), 'ProfilePage'),
});

/** The page of people whom an administrator has not let in yet (auth 5). */
export const waitingRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: WAITING_PAGE,
  beforeLoad: ({ context, location }) => requireSignedIn(context.queryClient, location.href),
  component: lazyRouteComponent(() => import('./WaitingPage'), 'WaitingPage'),
});

/** The page of people whose provider knows no address of theirs (auth 32). */
export const addressRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: ADDRESS_PAGE,
  beforeLoad: ({ context, location }) => requireSignedIn(context.queryClient, location.href),
  component: lazyRouteComponent(() => import('./AddressPage'), 'AddressPage'),
});

export const profile = {
  id: 'profile',
  navigation: [{ label: 'Profile', to: '/account/profile', icon: UserRound, section: 'account' }],
  routes: [profileRoute],
} as const satisfies Feature;
