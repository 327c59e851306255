import { useRouteContext } from '@tanstack/react-router';
import { CircleUserRound, type LucideIcon, Settings } from 'lucide-react';
import { useMe } from '@/api/session';
import type { NavEntry } from './registry';

/** Pages that share one entry of the main navigation and have a navigation of their own. */
export interface Area {
  /** Every page of the area lies below this path. */
  root: string;
  label: string;
  icon: LucideIcon;
  section: NavEntry['section'];
  /** Order of the pages; those that stand nowhere are put at the end of the last group. */
  groups: readonly AreaGroup[];
}

interface AreaGroup {
  title?: string;
  paths: readonly string[];
}

export interface EntryGroup {
  title?: string;
  entries: NavEntry[];
}

export const SETTINGS: Area = {
  root: '/settings',
  label: 'Settings',
  icon: Settings,
  section: 'administration',
  groups: [
    { paths: ['/settings'] },
    {
      title: 'Organisation',
      paths: ['/settings/organisations', '/settings/organisation', '/settings/licence'],
    },
    {
      title: 'People and access',
      paths: [
        '/settings/people',
        '/settings/teams',
        '/settings/roles',
        '/settings/access',
        '/settings/host-groups',
        '/settings/service-keys',
      ],
    },
    {
      title: 'Sign-in',
      paths: [
        '/settings/authentication',
        '/settings/directories',
        '/settings/identity-providers',
        '/settings/directory-lookup',
      ],
    },
    {
      title: 'Mail and network',
      paths: ['/settings/smtp-relay', '/settings/pending-mail', '/settings/internal-targets'],
    },
    {
      title: 'Operation',
      paths: [
        '/settings/audit',
        '/settings/deleted-hosts',
        '/settings/feature-flags',
        '/settings/system',
      ],
    },
  ],
};

export const ACCOUNT: Area = {
  root: '/account',
  label: 'Account',
  icon: CircleUserRound,
  section: 'account',
  groups: [
    {
      paths: [
        '/account/profile',
        '/account/security',
        '/account/password',
        '/account/api-keys',
        '/account/sessions',
        '/account/sign-ins',
      ],
    },
  ],
};

function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

export function areaOf(path: string): Area | undefined {
  return [SETTINGS, ACCOUNT].find(({ root }) => isBelow(root, path));
}

/** The pages of an area that this person may open, in its groups; empty groups are left out. */
export function useAreaGroups(area: Area): EntryGroup[] {
  const { navigation } = useRouteContext({ from: '__root__' });
  const me = useMe();
  return grouped(
    area,
    navigation
      .filter((entry) => isBelow(area.root, entry.to))
      .filter((entry) => !entry.permission || me?.permissions.includes(entry.permission)),
  );
}

export function grouped(area: Area, entries: readonly NavEntry[]): EntryGroup[] {
  const named = new Set(area.groups.flatMap(({ paths }) => paths));
  const rest = entries.filter(({ to }) => !named.has(to));
  return area.groups
    .map(({ title, paths }, at) => ({
      title,
      entries: [
        ...paths.flatMap((path) => entries.filter(({ to }) => to === path)),
        ...(at === area.groups.length - 1 ? rest : []),
      ],
    }))
    .filter((group) => group.entries.length > 0);
}
