import type { QueryClient } from '@tanstack/react-query';
import { createRoute, createRouter, type RouterHistory, redirect } from '@tanstack/react-router';
import { invitationRoute } from '@/features/invitation';
import { linkAccountRoute } from '@/features/link-account';
import { addressRoute, waitingRoute } from '@/features/profile';
import { forgotPasswordRoute, resetPasswordRoute } from '@/features/recovery';
import { registerRoute } from '@/features/registration';
import { setupRoute } from '@/features/setup';
import { signInRoute } from '@/features/sign-in';
import { resendVerificationRoute, verifyEmailRoute } from '@/features/verification';
import { CrashPage } from './CrashPage';
import { features } from './features';
import { NotFoundPage } from './NotFoundPage';
import { rootRoute, signedInRoute } from './registry';

const startRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ href: '/hosts' });
  },
});

type FeatureRoute = (typeof features)[number]['routes'][number];

const routeTree = rootRoute.addChildren([
  startRoute,
  setupRoute,
  signInRoute,
  invitationRoute,
  linkAccountRoute,
  forgotPasswordRoute,
  resetPasswordRoute,
  registerRoute,
  verifyEmailRoute,
  resendVerificationRoute,
  waitingRoute,
  addressRoute,
  signedInRoute.addChildren(features.flatMap((feature): FeatureRoute[] => [...feature.routes])),
]);

/** Address-bar parameters are plain text (`?page=2&search=web`), not JSON. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null) {
      parameters.set(name, String(value));
    }
  }
  const text = parameters.toString();
  return text ? `?${text}` : '';
}

export function createAppRouter(queryClient: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree,
    history,
    context: { queryClient, navigation: features.flatMap((feature) => [...feature.navigation]) },
    parseSearch,
    stringifySearch,
    defaultPreload: 'intent',
    defaultErrorComponent: CrashPage,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });
}

export type AppRouter = ReturnType<typeof createAppRouter>;

declare module '@tanstack/react-router' {
  interface Register {
    router: AppRouter;
  }
}
