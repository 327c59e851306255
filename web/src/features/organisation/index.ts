import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Building2 } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

export { OrganisationSwitch } from './OrganisationSwitch';

export const organisationRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/organisations',
  component: lazyRouteComponent(() => import('./OrganisationPage'), 'OrganisationPage'),
});

export const organisation = {
  id: 'organisation',
  navigation: [
    {
      label: 'Organisations',
      to: '/settings/organisations',
      icon: Building2,
      section: 'administration',
      permission: 'organisation.write',
    },
  ],
  routes: [organisationRoute],
} as const satisfies Feature;
