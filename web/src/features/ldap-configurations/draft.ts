import type { LdapConfiguration, LdapInput, LdapSettings } from '@/api/directory';

/** The form: lists are text, one item per line. */
export interface Draft {
  name: string;
  enabled: boolean;
  login_allowed: boolean;
  settings: LdapSettings;
  servers: string;
  group_roles: string;
  allowed_groups: string;
  hidden_attributes: string;
  bind_dn: string;
  bind_password: string;
  ca_pem: string;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** `host`, `host:port` or `[address]:port`; the port of the transport when none is given. */
export function parseServer(text: string, transport: LdapSettings['transport']) {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text);
  const usual = transport === 'ldaps' ? 636 : 389;
  return { host: match?.[1] ?? text, port: match?.[2] ? Number(match[2]) : usual };
}

/** `role: name of the group`. */
function parseRule(line: string) {
  const at = line.indexOf(':');
  return { role: line.slice(0, at).trim(), group: line.slice(at + 1).trim() };
}

export function toDraft(settings: LdapSettings, saved?: LdapConfiguration): Draft {
  return {
    name: saved?.name ?? '',
    enabled: saved?.enabled ?? true,
    login_allowed: saved?.login_allowed ?? false,
    settings,
    servers: settings.servers.map((one) => `${one.host}:${one.port}`).join('\n'),
    group_roles: settings.group_roles.map((rule) => `${rule.role}: ${rule.group}`).join('\n'),
    allowed_groups: settings.allowed_groups.join('\n'),
    hidden_attributes: settings.hidden_attributes.join('\n'),
    bind_dn: saved?.bind_dn ?? '',
    bind_password: '',
    ca_pem: saved?.ca_pem ?? '',
  };
}

/** What is sent. An empty password keeps the stored one. */
export function toInput(draft: Draft, version?: number): LdapInput {
  const settings: LdapSettings = {
    ...draft.settings,
    servers: lines(draft.servers).map((line) => parseServer(line, draft.settings.transport)),
    group_roles: lines(draft.group_roles).map(parseRule),
    allowed_groups: lines(draft.allowed_groups),
    hidden_attributes: lines(draft.hidden_attributes),
  };
  return {
    name: draft.name.trim(),
    enabled: draft.enabled,
    login_allowed: draft.login_allowed,
    settings,
    bind_dn: draft.bind_dn.trim(),
    bind_password: draft.bind_password === '' ? undefined : draft.bind_password,
    ca_pem: draft.ca_pem,
    version,
  };
}
