import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { MonitorSmartphone } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const sessionsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/sessions',
  component: lazyRouteComponent(() => import('./SessionsPage'), 'SessionsPage'),
});

export const sessions = {
  id: 'sessions',
  navigation: [
    {
      label: 'Sessions',
      to: '/account/sessions',
      icon: MonitorSmartphone,
      section: 'account',
      permission: 'sessions.own',
    },
  ],
  routes: [sessionsRoute],
} as const satisfies Feature;

export { deviceName } from './device';
