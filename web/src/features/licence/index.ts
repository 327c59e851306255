import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { BadgeCheck } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

export { Licensed, UpgradeRequired } from './UpgradeRequired';

const licenceRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/licence',
  component: lazyRouteComponent(() => import('./LicencePage'), 'LicencePage'),
});

export const licence = {
  id: 'licence',
  navigation: [
    {
      label: 'Licence',
      to: '/settings/licence',
      icon: BadgeCheck,
      section: 'administration',
      permission: 'licence.read',
    },
  ],
  routes: [licenceRoute],
} as const satisfies Feature;
