import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Network } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const internalTargetsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/internal-targets',
  component: lazyRouteComponent(() => import('./InternalTargetsPage'), 'InternalTargetsPage'),
});

export const internalTargets = {
  id: 'internal-targets',
  navigation: [
    {
      label: 'Internal targets',
      to: '/settings/internal-targets',
      icon: Network,
      section: 'administration',
      permission: 'egress.read',
    },
  ],
  routes: [internalTargetsRoute],
} as const satisfies Feature;

export { TargetOffer } from './TargetOffer';
