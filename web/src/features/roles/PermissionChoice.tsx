import { Button, Checkbox, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { PermissionInfo } from '@/api/access';
import { Notice } from '@/ui/Notice';
import { groupsOf, type PermissionGroup } from './catalogue';

interface PermissionChoiceProps {
  catalogue: readonly PermissionInfo[];
  value: readonly string[];
  onChange: (names: string[]) => void;
  disabled: boolean;
  error?: string;
}

/** The catalogue by parts of the product, with a search over names and explanations. */
export function PermissionChoice(props: PermissionChoiceProps) {
  const { catalogue, value, onChange, disabled, error } = props;
  const [search, setSearch] = useState('');
  const groups = groupsOf(catalogue, search);
  return (
    <Stack gap="md">
      <TextInput
        type="search"
        aria-label="Search permissions"
        placeholder="Name or what it allows"
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
        error={error}
      />
      {groups.length === 0 && <Notice title="No permission matches" />}
      {groups.map((group) => (
        <PermissionPart
          key={group.id}
          group={group}
          value={value}
          onChange={onChange}
          disabled={disabled}
        />
      ))}
    </Stack>
  );
}

interface PermissionPartProps extends Omit<PermissionChoiceProps, 'catalogue' | 'error'> {
  group: PermissionGroup;
}

function PermissionPart({ group, value, onChange, disabled }: PermissionPartProps) {
  const names = group.permissions.map((permission) => permission.name);
  const all = names.every((name) => value.includes(name));
  const others = value.filter((name) => !names.includes(name));
  return (
    <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
      <Group justify="space-between">
        <legend>
          <strong>{group.label}</strong>
        </legend>
        {!disabled && (
          <Button
            size="compact-xs"
            variant="subtle"
            aria-label={`${all ? 'None' : 'All'} of ${group.label}`}
            onClick={() => onChange(all ? others : [...others, ...names])}
          >
            {all ? 'None' : 'All'}
          </Button>
        )}
      </Group>
      <Stack gap="xs" mt="xs">
        {group.permissions.map((permission) => (
          <Checkbox
            key={permission.name}
            label={permission.name}
            description={permission.about}
            disabled={disabled}
            checked={value.includes(permission.name)}
            onChange={(event) =>
              onChange(
                event.currentTarget.checked
                  ? [...value, permission.name]
                  : value.filter((name) => name !== permission.name),
              )
            }
          />
        ))}
      </Stack>
    </fieldset>
  );
}
