import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useRouteContext, useRouter } from '@tanstack/react-router';
import { LogOut, Settings } from 'lucide-react';
import { useId } from 'react';
import { api } from '@/api/client';
import { forgetSignIn, useMe } from '@/api/session';
import { OrganisationSwitch } from '@/features/organisation/OrganisationSwitch';
import { errorText } from '@/ui/Notice';
import classes from './Navigation.module.css';
import type { NavEntry } from './registry';
import { isSettings, SETTINGS_ROOT, useSettingsEntries } from './SettingsFrame';
import { ThemeChoice } from './ThemeChoice';
import { TierBadge } from './TierBadge';

interface NavigationProps {
  onNavigate?: () => void;
}

export function Navigation({ onNavigate }: NavigationProps) {
  const { navigation } = useRouteContext({ from: '__root__' });
  const me = useMe();
  const entries = (section: NavEntry['section']) =>
    navigation.filter(
      (entry) =>
        entry.section === section &&
        !isSettings(entry.to) &&
        (entry.permission === undefined || me?.permissions.includes(entry.permission)),
    );
  const [firstSetting] = useSettingsEntries();
  const settings: NavEntry[] = firstSetting
    ? [{ label: 'Settings', to: SETTINGS_ROOT, icon: Settings, section: 'administration' }]
    : [];
  return (
    <nav className={classes.nav} aria-label="Main">
      <Section entries={entries('main')} onNavigate={onNavigate} />
      <Section
        title="Administration"
        entries={[...entries('administration'), ...settings]}
        onNavigate={onNavigate}
      />
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

interface SectionProps {
  title?: string;
  label?: string;
  entries: readonly NavEntry[];
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
        {entries.map(({ to, label: text, icon: Icon, feature }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes.entry}
              activeProps={{ 'data-active': true }}
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
    mutationFn: () => api.post<void>('/auth/logout'),
    onSuccess: () => {
      forgetSignIn(client, 'signed-out');
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
