import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { FolderTree } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

const ldapRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/directories',
  component: lazyRouteComponent(() => import('./LdapConfigurationsPage'), 'LdapConfigurationsPage'),
});

export const ldapConfigurations = {
  id: 'ldap-configurations',
  navigation: [
    {
      label: 'Directories',
      to: '/settings/directories',
      icon: FolderTree,
      section: 'administration',
      permission: 'ldap_configurations.read',
    },
  ],
  routes: [ldapRoute],
} as const satisfies Feature;
