import type { InvitationState, MemberState, Role } from '@/api/schema';
import type { Tone } from '@/ui/tone';

/** Strongest first, as people look for them. */
export const ROLES: readonly Role[] = ['super_admin', 'org_admin', 'engineer', 'read_only'];

export const ROLE_LABEL: Record<Role, string> = {
  super_admin: 'Super admin',
  org_admin: 'Organisation admin',
  engineer: 'Engineer',
  read_only: 'Read only',
};

export const ROLE_ABOUT: Record<Role, string> = {
  super_admin: 'Everything, including the licence and other administrators.',
  org_admin: 'Administers this organisation.',
  engineer: 'Operates hosts.',
  read_only: 'Looks, changes nothing.',
};

export const STATES: readonly MemberState[] = ['pending', 'active', 'deactivated', 'removed'];

export const STATE_LABEL: Record<MemberState, string> = {
  pending: 'Waits for approval',
  active: 'Active',
  deactivated: 'Deactivated',
  removed: 'Removed',
};

export const STATE_TONE: Record<MemberState, Tone> = {
  pending: 'warn',
  active: 'ok',
  deactivated: 'quiet',
  removed: 'bad',
};

export const INVITATION_LABEL: Record<InvitationState, string> = {
  live: 'Invited',
  expired: 'Expired',
  accepted: 'Accepted',
  cancelled: 'Cancelled',
};

const CHANGE_LABEL: Record<string, string> = {
  role_changed: 'Roles changed',
  approved: 'Approved',
  deactivated: 'Deactivated',
  reactivated: 'Activated again',
  removed: 'Removed',
  restored: 'Restored',
};

export function changeLabel(change: string): string {
  return CHANGE_LABEL[change] ?? change;
}

export function roleList(roles: readonly Role[]): string {
  return ROLES.filter((role) => roles.includes(role))
    .map((role) => ROLE_LABEL[role])
    .join(', ');
}

/** A super_admin is made by super_admins only. */
export function grantableRoles(own: readonly string[]): Role[] {
  return ROLES.filter((role) => role !== 'super_admin' || own.includes('super_admin'));
}
