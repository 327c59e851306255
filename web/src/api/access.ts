/** Shapes of host groups, host scope and custom roles. */
import type { Role, Written } from './schema';
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type HostGroup = Written<Schemas['HostGroup']> & { deleted_at: string | null };
export type NewHostGroupRequest = Schemas['NewHostGroup'];
export type HostGroupChangeRequest = Schemas['HostGroupChange'];
export type HostGroupReference = Omit<Schemas['HostGroupReference'], 'kind'> & {
  kind: 'user' | 'team' | 'role';
};

/** What somebody is limited to: groups of their own, and those of scoping teams on top. */
export interface HostScope {
  groups: Named[];
  team_groups: (Named & { team: Named })[];
  /** An administrator, or nobody limited them: the whole organisation. */
  sees_all: boolean;
  /** Hosts that built-in roles reach; custom roles come on top. */
  host_count: number;
}

interface Named {
  id: string;
  name: string;
}

/** Whether an account is locked and has a second factor. */
export interface UserSecurity {
  /** End of the lock that failed sign-ins caused. */
  locked_until: string | null;
  authenticator_app: boolean;
  passkeys: number;
}

export type PermissionInfo = Omit<Schemas['Permission'], 'roles'> & { roles: Role[] };

/** Built-in roles that a custom one can be made from. */
export type BaseRole = Exclude<Role, 'super_admin'>;
export type RoleTerm = Required<Schemas['RoleTerm']>;
export type CustomRole = Omit<Written<Schemas['CustomRole']>, 'base' | 'selector'> & {
  base: BaseRole | null;
  selector: RoleTerm[];
};
export type CustomRoleRequest = Pick<
  CustomRole,
  'name' | 'description' | 'base' | 'permissions' | 'selector'
>;
export interface RolePreview {
  hosts: number;
  /** `matches_nothing` when there is no such host. */
  warnings: string[];
}
export type RoleAssignment = Written<Schemas['RoleAssignment']>;
export type NewRoleAssignmentRequest = Schemas['NewRoleAssignment'];
export type PermissionReason = Omit<Schemas['PermissionReason'], 'kind'> & {
  kind: 'built_in' | 'custom';
};
export type PermissionExplanation = Omit<Schemas['PermissionExplanation'], 'reasons'> & {
  reasons: PermissionReason[];
};
