import { Checkbox, Stack } from '@mantine/core';
import type { Role } from '@/api/schema';
import { useMe } from '@/api/session';
import { grantableRoles, ROLE_ABOUT, ROLE_LABEL } from './words';

interface RoleChoiceProps {
  value: readonly Role[];
  onChange: (roles: Role[]) => void;
  error?: string;
}

/** Roles somebody may hold; those the viewer cannot grant are not offered. */
export function RoleChoice({ value, onChange, error }: RoleChoiceProps) {
  const offered = grantableRoles(useMe()?.roles ?? []);
  return (
    <Checkbox.Group
      label="Roles"
      value={[...value]}
      onChange={(chosen) => onChange(offered.filter((role) => chosen.includes(role)))}
      error={error}
    >
      <Stack gap="xs" mt="xs" mb={4}>
        {offered.map((role) => (
          <Checkbox
            key={role}
            value={role}
            label={ROLE_LABEL[role]}
            description={ROLE_ABOUT[role]}
          />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
