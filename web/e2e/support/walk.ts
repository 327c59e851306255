import { randomUUID } from 'node:crypto';
import type { Page } from '@playwright/test';
import { send } from './api';
import { license } from './licence';

/** A page of the walk: its name in pictures, its address, and its title. */
export interface Stop {
  name: string;
  path: string;
  title: string;
}

const stop = (name: string, path: string, title: string): Stop => ({ name, path, title });

/** Everything that people who are signed in can open. */
export function stopsInside(
  hostPath: string,
  hostname: string,
  group: { path: string; name: string },
): Stop[] {
  return [
    stop('hosts', '/hosts', 'Hosts'),
    stop('host', hostPath, hostname),
    stop('host-storage', `${hostPath}?tab=storage`, hostname),
    stop('host-network', `${hostPath}?tab=network`, hostname),
    stop('host-access', `${hostPath}?tab=access`, hostname),
    stop('host-activity', `${hostPath}?tab=activity`, hostname),
    stop('host-groups', '/host-groups', 'Host groups'),
    stop('host-group', group.path, group.name),
    stop('directory', '/directory', 'Directory'),
    stop('enrolment', '/enrolment', 'Enrolment'),
    stop('agents', '/agents', 'Agents'),
    stop('profile', '/account/profile', 'Profile'),
    stop('security', '/account/security', 'Security'),
    stop('password', '/account/password', 'Password'),
    stop('api-keys', '/account/api-keys', 'API keys'),
    stop('sessions', '/account/sessions', 'Sessions'),
    stop('sign-ins', '/account/sign-ins', 'Sign-ins'),
    stop('settings', '/settings', 'Settings'),
    stop('organisations', '/settings/organisations', 'Organisations'),
    stop('organisation', '/settings/organisation', 'Organisation'),
    stop('licence', '/settings/licence', 'Licence'),
    stop('people', '/settings/people', 'People'),
    stop('teams', '/settings/teams', 'Teams'),
    stop('roles', '/settings/roles', 'Roles'),
    stop('new-role', '/settings/roles/new', 'New role'),
    stop('service-keys', '/settings/service-keys', 'Service keys'),
    stop('authentication', '/settings/authentication', 'Authentication'),
    stop('directories', '/settings/directories', 'Directories'),
    stop('identity-providers', '/settings/identity-providers', 'Identity providers'),
    stop('directory-lookup', '/settings/directory-lookup', 'Directory lookup'),
    stop('mail-relay', '/settings/smtp-relay', 'Mail relay'),
    stop('pending-mail', '/settings/pending-mail', 'Pending mail'),
    stop('internal-targets', '/settings/internal-targets', 'Internal targets'),
    stop('deleted-hosts', '/settings/deleted-hosts', 'Deleted hosts'),
    stop('audit', '/settings/audit', 'Audit log'),
    stop('audit-settings', '/settings/audit/configuration', 'Retention and forwarding'),
    stop('feature-flags', '/settings/feature-flags', 'Feature flags'),
    stop('system', '/settings/system', 'System'),
    stop('missing', '/nowhere', 'This page does not exist'),
  ];
}

/** Pages before sign-in. The links have tokens that are worth nothing. */
export const STOPS_OUTSIDE: Stop[] = [
  stop('login', '/login', 'Sign in'),
  stop('forgot-password', '/forgot-password', 'Forgotten password'),
  stop('reset-password', '/reset-password#prt_nothing', 'New password'),
  stop('invitation', '/invitation#inv_nothing', 'Invitation'),
  stop('link-account', '/link-account#nothing', 'Link your account'),
  stop('resend-verification', '/resend-verification', 'Verify your email address'),
];

const LDAP_SERVERS = [
  { host: 'ldap-1.northwind.example', port: 636 },
  { host: 'ldap-2.northwind.example', port: 636 },
];

/**
 * Puts something on every page that would be empty: names as long as they get, states other than the good one.
 * Returns a host group with its path. Names are new ones each time. The page is that of an administrator who has just signed in.
 */
export async function furnish(page: Page): Promise<{ path: string; name: string }> {
  await license(page, 'enterprise');
  const mark = randomUUID().slice(0, 8);
  const name = (what: string) => `Walk ${what} ${mark}`;
  await send(page, 'POST', '/teams', {
    name: name('team of the night shift in the halls of Rotterdam'),
    scoping: true,
  });
  const answer = await send(page, 'POST', '/host-groups', { name: name('group') });
  const group = (await answer.json()) as { id: string; name: string };
  await send(page, 'POST', '/roles', { name: name('role'), permissions: ['hosts.read'] });
  await send(page, 'POST', '/invitations', {
    email: `margarethe.vanderbergen-aldenhoven.${mark}@infrastructure.example.net`,
    roles: ['engineer'],
  });
  const key = { name: name('key'), scopes: ['hosts.read', 'agents.read'] };
  await send(page, 'POST', '/me/api-keys', { ...key, allowed_networks: ['2001:db8:1234::/48'] });
  await send(page, 'POST', '/api-keys', { ...key, role: 'read_only' });
  await send(page, 'POST', '/ldap-configurations', {
    name: name('directory'),
    enabled: true,
    settings: {
      servers: LDAP_SERVERS,
      base_dn: 'dc=northwind,dc=example',
      user_base: 'ou=people,dc=northwind,dc=example',
    },
  });
  await send(page, 'POST', '/audit/forwarders', {
    name: name('forwarder'),
    kind: 'syslog_tls',
    endpoint: 'siem.northwind.example:6514',
    enabled: true,
  });
  await send(page, 'POST', '/enrolment-tokens', {
    label: name('token'),
    max_uses: null,
    expires_in_days: null,
    skip_verify: true,
    tags: [{ key: 'site', value: 'rtm-3' }],
  });
  return { path: `/host-groups/${group.id}`, name: group.name };
}
