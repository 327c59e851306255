import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { UsersRound } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

export const teamsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/teams',
  component: lazyRouteComponent(() => import('./TeamsPage'), 'TeamsPage'),
});

export const teams = {
  id: 'teams',
  navigation: [
    {
      label: 'Teams',
      to: '/settings/teams',
      icon: UsersRound,
      section: 'administration',
      permission: 'teams.read',
    },
  ],
  routes: [teamsRoute],
} as const satisfies Feature;
