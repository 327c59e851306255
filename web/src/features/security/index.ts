import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { ShieldCheck } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const securityRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/security',
  component: lazyRouteComponent(() => import('./SecurityPage'), 'SecurityPage'),
});

export const security = {
  id: 'security',
  navigation: [
    { label: 'Security', to: '/account/security', icon: ShieldCheck, section: 'account' },
  ],
  routes: [securityRoute],
} as const satisfies Feature;
