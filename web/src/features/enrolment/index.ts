import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { KeyRound } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parseEnrolmentSearch } from './search';

export const enrolmentRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/enrolment',
  validateSearch: parseEnrolmentSearch,
  component: lazyRouteComponent(() => import('./EnrolmentPage'), 'EnrolmentPage'),
});

export const enrolment = {
  id: 'enrolment',
  navigation: [
    {
      label: 'Enrolment',
      to: '/enrolment',
      icon: KeyRound,
      section: 'administration',
      permission: 'enrolment.manage',
    },
  ],
  routes: [enrolmentRoute],
} as const satisfies Feature;
