import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { BookUser } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';

export interface DirectorySearch {
  /** The directory that is looked in. */
  in?: string;
  /** Name of the entry that is open. */
  dn?: string;
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

export const directoryRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/directory',
  validateSearch: (raw: Record<string, unknown>): DirectorySearch => ({
    in: text(raw.in),
    dn: text(raw.dn),
  }),
  component: lazyRouteComponent(() => import('./DirectoryPage'), 'DirectoryPage'),
});

export const directory = {
  id: 'directory',
  navigation: [
    {
      label: 'Directory',
      to: '/directory',
      icon: BookUser,
      section: 'main',
      permission: 'directory.lookup',
    },
  ],
  routes: [directoryRoute],
} as const satisfies Feature;
