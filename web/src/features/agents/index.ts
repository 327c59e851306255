import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { Cpu } from 'lucide-react';
import { type Feature, signedInRoute } from '@/app/registry';
import { parseAgentSearch } from './search';

export { AGENTS_KEY, usePendingAgents } from './api';
export { PendingPanel } from './PendingPanel';

export const agentsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/agents',
  validateSearch: parseAgentSearch,
  component: lazyRouteComponent(() => import('./AgentsPage'), 'AgentsPage'),
});

export const agents = {
  id: 'agents',
  navigation: [
    {
      label: 'Agents',
      to: '/agents',
      icon: Cpu,
      section: 'administration',
      permission: 'agents.read',
    },
  ],
  routes: [agentsRoute],
} as const satisfies Feature;
