import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useRouteContext, useRouter, useRouterState } from '@tanstack/react-router';
import { LogOut } from 'lucide-react';
import { useId } from 'react';
import { api } from '@/api/client';
import { leaveTo } from '@/api/leave';
import { forgetSignIn, useMe } from '@/api/session';
import { OrganisationSwitch } from '@/features/organisation/OrganisationSwitch';
import { errorText } from '@/ui/Notice';
import { ACCOUNT, areaOf, SETTINGS, useAreaGroups } from './areas';
import classes from './Navigation.module.css';
import type { NavEntry } from './registry';
import { ThemeChoice } from './ThemeChoice';
import { TierBadge } from './TierBadge';

/** Where to go on after signing out here. */
interface ProviderLogout {
  url: string | null;
}

interface NavigationProps {
  onNavigate?: () => void;
}

export function Navigation({ onNavigate }: NavigationProps) {
  const { navigation } = useRouteContext({ from: '__root__' });
  const me = useMe();
  const areas = useAreaEntries();
  const entries = (section: NavEntry['section']): Entry[] => [
    ...navigation.filter(
      (entry) =>
        entry.section === section &&
        !areaOf(entry.to) &&
        (entry.permission === undefined || me?.permissions.includes(entry.permission)),
    ),
    ...areas.filter((entry) => entry.section === section),
  ];
  return (
    <nav className={classes.nav} aria-label="Main">
      <Section entries={entries('main')} onNavigate={onNavigate} />
      <Section title="Administration" entries={entries('administration')} onNavigate={onNavigate} />
      <div className={classes.account}>
        {me && (
          <div className={classes.person}>
            <bdi className={classes.name}>{me.user.name}</bdi>
            <OrganisationSwitch className={classes.dim} />
          </div>
        )}
        <Section entries={entries('account')} onNavigate={onNavigate} label="Account" />
        <SignOut />
        <ThemeChoice />
      </div>
    </nav>
  );
}

interface Entry extends NavEntry {
  /** Said for entries that stand for many pages; others know it from their address. */
  active?: boolean;
}

/** One entry per area, which leads to the first of its pages that this person may open. */
function useAreaEntries(): Entry[] {
  const here = useRouterState({ select: (state) => areaOf(state.location.pathname) });
  const groups = [useAreaGroups(SETTINGS), useAreaGroups(ACCOUNT)];
  return [SETTINGS, ACCOUNT].flatMap((area, at) => {
    const first = groups[at]?.[0]?.entries[0];
    const { label, icon, section } = area;
    return first ? [{ label, icon, section, to: first.to, active: here === area }] : [];
  });
}

interface SectionProps {
  title?: string;
  label?: string;
  entries: readonly Entry[];
  onNavigate?: () => void;
}

function Section({ title, label, entries, onNavigate }: SectionProps) {
  const id = useId();
  if (entries.length === 0) {
    return null;
  }
  return (
    <div>
      {title && (
        <p id={id} className={classes.section}>
          {title}
        </p>
      )}
      <ul className={classes.list} aria-labelledby={title ? id : undefined} aria-label={label}>
        {entries.map(({ to, label: text, icon: Icon, feature, active }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes.entry}
              data-active={active || undefined}
              activeProps={{ 'data-active': active ?? true }}
              onClick={onNavigate}
            >
              <Icon size={16} aria-hidden="true" />
              {text}
              <TierBadge feature={feature} />
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

function SignOut() {
  const client = useQueryClient();
  const router = useRouter();
  const signOut = useMutation({
    mutationFn: async () => {
      // Asked first, because nobody is known any more after signing out. It must not keep anybody from leaving.
      const provider = await api
        .get<ProviderLogout>('/auth/provider-logout')
        .catch(() => undefined);
      await api.post<void>('/auth/logout');
      return provider?.url;
    },
    onSuccess: (place) => {
      forgetSignIn(client, 'signed-out');
      if (place) {
        return leaveTo(place);
      }
      return router.navigate({ to: '/login', search: {} });
    },
  });
  return (
    <>
      <button
        type="button"
        className={classes.entry}
        onClick={() => signOut.mutate()}
        disabled={signOut.isPending}
      >
        <LogOut size={16} aria-hidden="true" />
        Sign out
      </button>
      {signOut.isError && (
        <p role="alert" className={classes.problem}>
          {errorText(signOut.error)}
        </p>
      )}
    </>
  );
}
