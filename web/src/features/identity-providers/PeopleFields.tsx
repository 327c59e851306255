import { Checkbox, Fieldset, NativeSelect, Stack, Textarea } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { type ProviderForm, ROLES } from './form';

/** Who may come in, and as what. */
export function PeopleFields({ form }: { form: UseFormReturnType<ProviderForm> }) {
  return (
    <Fieldset legend="Who comes in, and as what">
      <Stack gap="sm">
        <Textarea
          label="Allowed email domains"
          description="One per line. Empty lets everybody of the provider in."
          rows={2}
          {...form.getInputProps('domains')}
        />
        <Textarea
          label="Groups to roles"
          description={`group = role, one per line. Roles: ${ROLES.join(', ')}.`}
          rows={2}
          {...form.getInputProps('roles')}
        />
        <NativeSelect
          label="People in none of these groups"
          data={[
            { value: 'pending', label: 'wait for an administrator' },
            ...ROLES.map((role) => ({ value: role, label: `get ${role}` })),
          ]}
          {...form.getInputProps('defaultRole')}
        />
        <Checkbox
          label="Take its email addresses for verified"
          description="Only for providers on which people cannot change their address themselves."
          {...form.getInputProps('trustEmail', { type: 'checkbox' })}
        />
      </Stack>
    </Fieldset>
  );
}
