import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { ShieldCheck } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

export { HeldRoles } from './HeldRoles';
export { WhyHostPanel, WhyPersonPanel } from './WhyPanels';

export const rolesRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/roles',
  component: lazyRouteComponent(() => import('./RolesPage'), 'RolesPage'),
});

export const newRoleRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/roles/new',
  component: lazyRouteComponent(() => import('./RolePage'), 'NewRolePage'),
});

export const roleRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/roles/$roleId',
  component: lazyRouteComponent(() => import('./RolePage'), 'RolePage'),
});

export const roles = {
  id: 'roles',
  navigation: [
    {
      label: 'Roles',
      to: '/settings/roles',
      icon: ShieldCheck,
      section: 'administration',
      permission: 'rbac.manage',
      feature: 'advancedRbac',
    },
  ],
  routes: [rolesRoute, newRoleRoute, roleRoute],
} as const satisfies Feature;
