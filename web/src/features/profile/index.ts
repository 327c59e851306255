import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { UserRound } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const profileRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/profile',
  component: lazyRouteComponent(() => import('./ProfilePage'), 'ProfilePage'),
});

export const profile = {
  id: 'profile',
  navigation: [{ label: 'Profile', to: '/account/profile', icon: UserRound, section: 'account' }],
  routes: [profileRoute],
} as const satisfies Feature;
