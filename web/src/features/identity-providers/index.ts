import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { IdCard } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const identityProvidersRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/identity-providers',
  component: lazyRouteComponent(() => import('./IdentityProvidersPage'), 'IdentityProvidersPage'),
});

export const identityProviders = {
  id: 'identity-providers',
  navigation: [
    {
      label: 'Identity providers',
      to: '/settings/identity-providers',
      icon: IdCard,
      section: 'administration',
      permission: 'identity_providers.read',
    },
  ],
  routes: [identityProvidersRoute],
} as const satisfies Feature;
