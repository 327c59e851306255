import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import {
  Activity,
  Building2,
  Flag,
  KeySquare,
  MailQuestion,
  Send,
  SlidersHorizontal,
  Trash2,
} from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parsePageSearch } from './search';

const startRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings',
  component: lazyRouteComponent(() => import('./StartPage'), 'StartPage'),
});

/** Every page that is a form over keys; `?key=` marks one of them. */
export const settingsPageRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/$page',
  validateSearch: parsePageSearch,
  component: lazyRouteComponent(() => import('./KeysPage'), 'KeysPage'),
});

const flagsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/feature-flags',
  component: lazyRouteComponent(() => import('./FlagsPage'), 'FlagsPage'),
});

const pendingMailRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/pending-mail',
  component: lazyRouteComponent(() => import('./PendingMailPage'), 'PendingMailPage'),
});

const systemRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/settings/system',
  component: lazyRouteComponent(() => import('./SystemPage'), 'SystemPage'),
});

const entry = { section: 'administration', permission: 'settings.read' } as const;

export const settings = {
  id: 'settings',
  navigation: [
    { ...entry, label: 'Overview', to: '/settings', icon: SlidersHorizontal },
    { ...entry, label: 'Organisation', to: '/settings/organisation', icon: Building2 },
    { ...entry, label: 'Authentication', to: '/settings/authentication', icon: KeySquare },
    { ...entry, label: 'Mail relay', to: '/settings/smtp-relay', icon: Send },
    { ...entry, label: 'Deleted hosts', to: '/settings/deleted-hosts', icon: Trash2 },
    { ...entry, label: 'Feature flags', to: '/settings/feature-flags', icon: Flag },
    {
      ...entry,
      label: 'Pending mail',
      to: '/settings/pending-mail',
      icon: MailQuestion,
      permission: 'mail.pending',
    },
    {
      ...entry,
      label: 'System',
      to: '/settings/system',
      icon: Activity,
      permission: 'system.read',
    },
  ],
  routes: [startRoute, settingsPageRoute, flagsRoute, pendingMailRoute, systemRoute],
} as const satisfies Feature;
