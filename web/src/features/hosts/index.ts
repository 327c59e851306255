import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Server } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parseHostPageSearch, parseHostSearch } from './search';

export { HOST_COLUMNS } from './HostTable';
export { hostName } from './words';

export const hostsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/hosts',
  validateSearch: parseHostSearch,
  component: lazyRouteComponent(() => import('./HostsPage'), 'HostsPage'),
});

export const hostRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/hosts/$hostId',
  validateSearch: parseHostPageSearch,
  component: lazyRouteComponent(() => import('./HostPage'), 'HostPage'),
});

export const hosts = {
  id: 'hosts',
  navigation: [
    { label: 'Hosts', to: '/hosts', icon: Server, section: 'main', permission: 'hosts.read' },
  ],
  routes: [hostsRoute, hostRoute],
} as const satisfies Feature;
