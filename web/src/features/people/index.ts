import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Users } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parsePeopleSearch } from './search';

export const peopleRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/people',
  validateSearch: parsePeopleSearch,
  component: lazyRouteComponent(() => import('./PeoplePage'), 'PeoplePage'),
});

export const personRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/people/$userId',
  component: lazyRouteComponent(() => import('./PersonPage'), 'PersonPage'),
});

export const people = {
  id: 'people',
  navigation: [
    {
      label: 'People',
      to: '/settings/people',
      icon: Users,
      section: 'administration',
      permission: 'users.read',
    },
  ],
  routes: [peopleRoute, personRoute],
} as const satisfies Feature;
