/** Roles a service key can have, weakest first. */
export const KEY_ROLES = [
  { value: 'read_only', label: 'Read only' },
  { value: 'engineer', label: 'Engineer' },
  { value: 'org_admin', label: 'Organisation admin' },
];

export function roleName(role: string): string {
  return KEY_ROLES.find(({ value }) => value === role)?.label ?? role;
}
