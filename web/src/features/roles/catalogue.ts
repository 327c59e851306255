import type { BaseRole, PermissionInfo } from '@/api/access';

/** Permissions of one part of the product. */
export interface PermissionGroup {
  /** Part of the name before the dot, such as `host_groups`. */
  id: string;
  /** The same for people: "Host groups". */
  label: string;
  permissions: PermissionInfo[];
}

const LABELS: Record<string, string> = {
  api_keys: 'API keys',
  ldap_configurations: 'LDAP configurations',
  mfa: 'Second factors',
  rbac: 'Roles and access',
};

function labelOf(id: string): string {
  const words = id.replaceAll('_', ' ');
  return LABELS[id] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a custom role may hold, by part of the product, narrowed to what matches the search. */
export function groupsOf(
  permissions: readonly PermissionInfo[],
  search: string,
): PermissionGroup[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, PermissionInfo[]>();
  for (const permission of permissions) {
    const [id = ''] = permission.name.split('.');
    const text = `${permission.name} ${permission.about} ${labelOf(id)}`.toLowerCase();
    if (permission.assignable && words.every((word) => text.includes(word))) {
      groups.set(id, [...(groups.get(id) ?? []), permission]);
    }
  }
  return [...groups]
    .map(([id, found]) => ({ id, label: labelOf(id), permissions: found }))
    .toSorted((a, b) => a.label.localeCompare(b.label));
}

/** What a built-in role holds of what a custom one may. */
export function permissionsOf(permissions: readonly PermissionInfo[], base: BaseRole): string[] {
  return permissions
    .filter((permission) => permission.assignable && permission.roles.includes(base))
    .map((permission) => permission.name);
}

/** What is new and what is gone. */
export interface Difference {
  added: string[];
  removed: string[];
}

export function difference(before: readonly string[], after: readonly string[]): Difference {
  return {
    added: after.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !after.includes(name)),
  };
}
