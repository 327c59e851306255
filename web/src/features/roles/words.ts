import type { BaseRole, PermissionReason, RoleTerm } from '@/api/access';
import { formatCount } from '@/ui/format';

export const BASES: readonly BaseRole[] = ['read_only', 'engineer', 'org_admin'];

const ROLE_LABEL: Record<string, string> = {
  super_admin: 'Super admin',
  org_admin: 'Organisation admin',
  engineer: 'Engineer',
  read_only: 'Read only',
};

/** Built-in roles have names of their own, custom ones the one people gave them. */
export function roleLabel(role: string): string {
  return ROLE_LABEL[role] ?? role;
}

export function hosts(count: number): string {
  return count === 1 ? '1 host' : `${formatCount(count)} hosts`;
}

export function selectorText(selector: readonly RoleTerm[]): string {
  if (selector.length === 0) {
    return 'All hosts';
  }
  return selector.length === 1 ? '1 condition' : `${selector.length} conditions`;
}

/** Why a role lets somebody do something, or does not, as a sentence. */
export function reasonText(reason: PermissionReason, onHost: boolean): string {
  const role = `The ${reason.kind === 'custom' ? 'custom role' : 'role'} ${roleLabel(reason.role)}`;
  if (!onHost) {
    return reason.whole_organisation
      ? `${role} allows it on every host.`
      : `${role} allows it on some hosts.`;
  }
  if (reason.whole_organisation) {
    return `${role} allows it on every host.`;
  }
  if (!reason.reaches) {
    return `${role} allows it, but not on this host: it is in none of the groups that count.`;
  }
  return reason.matching_groups.length === 0
    ? `${role} allows it: its conditions select this host.`
    : `${role} allows it, because the host is in ${reason.matching_groups.join(', ')}.`;
}
