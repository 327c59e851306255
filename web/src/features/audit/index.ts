import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { LogIn, ScrollText } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parseAuditSearch } from './search';

export { ActivityPanel } from './ActivityPanel';

export const auditRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/audit',
  validateSearch: parseAuditSearch,
  component: lazyRouteComponent(() => import('./AuditPage'), 'AuditPage'),
});

const auditSettingsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/audit/configuration',
  component: lazyRouteComponent(() => import('./AuditSettingsPage'), 'AuditSettingsPage'),
});

const signInsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/sign-ins',
  component: lazyRouteComponent(() => import('./SignInsPage'), 'SignInsPage'),
});

export const audit = {
  id: 'audit',
  navigation: [
    {
      label: 'Audit log',
      to: '/settings/audit',
      icon: ScrollText,
      section: 'administration',
      permission: 'audit.read',
      feature: 'auditLog',
    },
    { label: 'Sign-ins', to: '/account/sign-ins', icon: LogIn, section: 'account' },
  ],
  routes: [auditRoute, auditSettingsRoute, signInsRoute],
} as const satisfies Feature;
