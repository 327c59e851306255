import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Boxes } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parseGroupSearch, parseGroupsSearch } from './search';

export { GroupPicker } from './GroupPicker';
export { HostGroupsPanel } from './HostGroupsPanel';

export const groupsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/host-groups',
  validateSearch: parseGroupsSearch,
  component: lazyRouteComponent(() => import('./GroupsPage'), 'GroupsPage'),
});

export const groupRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/host-groups/$groupId',
  validateSearch: parseGroupSearch,
  component: lazyRouteComponent(() => import('./GroupPage'), 'GroupPage'),
});

export const hostGroups = {
  id: 'host-groups',
  navigation: [
    {
      label: 'Host groups',
      to: '/host-groups',
      icon: Boxes,
      section: 'main',
      permission: 'host_groups.read',
    },
  ],
  routes: [groupsRoute, groupRoute],
} as const satisfies Feature;
