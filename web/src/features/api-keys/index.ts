import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Bot, KeyRound } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const ownKeysRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/api-keys',
  component: lazyRouteComponent(() => import('./KeysPages'), 'OwnKeysPage'),
});

const serviceKeysRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/service-keys',
  component: lazyRouteComponent(() => import('./KeysPages'), 'ServiceKeysPage'),
});

export const apiKeys = {
  id: 'api-keys',
  navigation: [
    {
      label: 'API keys',
      to: '/account/api-keys',
      icon: KeyRound,
      section: 'account',
      permission: 'api_keys.own',
    },
    {
      label: 'Service keys',
      to: '/settings/service-keys',
      icon: Bot,
      section: 'administration',
      permission: 'service_keys.manage',
    },
  ],
  routes: [ownKeysRoute, serviceKeysRoute],
} as const satisfies Feature;
