import { Link, useRouteContext } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useMe } from '@/api/session';
import type { NavEntry } from './registry';
import classes from './SettingsFrame.module.css';
import { TierBadge } from './TierBadge';

/** Pages below this path are pages of settings; the main navigation has one entry for all of them. */
export const SETTINGS_ROOT = '/settings';

export function isSettings(path: string): boolean {
  return path === SETTINGS_ROOT || path.startsWith(`${SETTINGS_ROOT}/`);
}

/** Order of the settings navigation; others come after these. */
const ORDER = [
  'Overview',
  'Organisation',
  'Organisations',
  'Licence',
  'People',
  'Teams',
  'Roles',
  'Authentication',
  'Directories',
  'Identity providers',
  'Mail relay',
  'Security',
  'Audit log',
  'Feature flags',
  'Pending mail',
  'System',
];

function place(entry: NavEntry): number {
  const at = ORDER.indexOf(entry.label);
  return at === -1 ? ORDER.length - 2.5 : at;
}

/** The entries of settings that this person may open, in order. */
export function useSettingsEntries(): NavEntry[] {
  const { navigation } = useRouteContext({ from: '__root__' });
  const me = useMe();
  return navigation
    .filter((entry) => isSettings(entry.to))
    .filter((entry) => !entry.permission || me?.permissions.includes(entry.permission))
    .toSorted((a, b) => place(a) - place(b));
}

/** Frame of the settings area: its own navigation beside the page, above it on a phone. */
export function SettingsFrame({ children }: { children: ReactNode }) {
  const entries = useSettingsEntries();
  return (
    <div className={classes.frame}>
      <nav className={classes.nav} aria-label="Settings">
        <ul className={classes.list}>
          {entries.map(({ to, label, icon: Icon, feature }) => (
            <li key={to}>
              <Link
                to={to}
                className={classes.entry}
                activeOptions={{ exact: to === SETTINGS_ROOT }}
                activeProps={{ 'data-active': true }}
              >
                <Icon size={15} aria-hidden="true" />
                {label}
                <TierBadge feature={feature} />
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className={classes.page}>{children}</div>
    </div>
  );
}
