import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { LockKeyhole } from 'lucide-react';
import { type Feature, rootRoute, signedInRoute } from '@/app/registry';

export const forgotPasswordRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/forgot-password',
  component: lazyRouteComponent(() => import('./ForgotPasswordPage'), 'ForgotPasswordPage'),
});

/** Where the link of a letter leads; its token stands behind the hash sign. */
export const resetPasswordRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/reset-password',
  component: lazyRouteComponent(() => import('./ResetPasswordPage'), 'ResetPasswordPage'),
});

const passwordRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account/password',
  component: lazyRouteComponent(() => import('./PasswordPage'), 'PasswordPage'),
});

export const recovery = {
  id: 'recovery',
  navigation: [
    { label: 'Password', to: '/account/password', icon: LockKeyhole, section: 'account' },
  ],
  routes: [passwordRoute],
} as const satisfies Feature;
