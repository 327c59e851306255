import type { QueryClient } from '@tanstack/react-query';
import {
  type AnyRoute,
  createRootRouteWithContext,
  createRoute,
  lazyRouteComponent,
} from '@tanstack/react-router';
import type { LucideIcon } from 'lucide-react';
import type { FeatureKey } from '@/api/features';
import type { Permission } from '@/api/schema';
import { requireSignedIn } from './gate';

/** One entry of the navigation; shown to those who hold the permission. */
export interface NavEntry {
  label: string;
  to: string;
  icon: LucideIcon;
  section: 'main' | 'administration' | 'account';
  permission?: Permission;
  /** Closed features show the tier that opens them. */
  feature?: FeatureKey;
}

/** What a feature gives the shell: its pages and its places in the navigation. */
export interface Feature {
  id: string;
  navigation: readonly NavEntry[];
  /** Pages for signed-in people. */
  routes: readonly AnyRoute[];
}

export interface AppContext {
  queryClient: QueryClient;
  navigation: readonly NavEntry[];
}

export const rootRoute = createRootRouteWithContext<AppContext>()();

/** Parent of every page behind sign-in: it asks who is there and draws the frame with the navigation. */
export const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'signed-in',
  beforeLoad: ({ context, location }) => requireSignedIn(context.queryClient, location.href),
  component: lazyRouteComponent(() => import('./Shell'), 'Shell'),
});

export {
  ADDRESS_PAGE,
  requireNoUsers,
  requireRegistration,
  requireSignedIn,
  requireSignedOut,
  WAITING_PAGE,
} from './gate';
