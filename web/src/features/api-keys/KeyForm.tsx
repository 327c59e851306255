import {
  Button,
  Checkbox,
  Group,
  NativeSelect,
  ScrollArea,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useEffect } from 'react';
import { isProblem } from '@/api/problem';
import type { NewApiKeyRequest, NewServiceKeyRequest } from '@/api/schema';
import { useCan, useMe } from '@/api/session';
import { GroupPicker } from '@/features/host-groups';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import type { KeyKind } from './api';
import { checkKey, formMessages, KEY_DEFAULTS, type KeyValues, keyRequest } from './keyRequest';
import { KEY_ROLES } from './words';

interface KeyFormProps {
  kind: KeyKind;
  pending: boolean;
  error: unknown;
  onSubmit: (request: NewApiKeyRequest | NewServiceKeyRequest) => void;
  onCancel: () => void;
}

/** What a new key may do, from where and how long. */
export function KeyForm({ kind, pending, error, onSubmit, onCancel }: KeyFormProps) {
  const permissions = useMe()?.permissions ?? [];
  const choosesGroups = useCan('host_groups.read');
  const form = useForm<KeyValues>({ initialValues: KEY_DEFAULTS, validate: checkKey });
  const { setErrors } = form;
  useEffect(() => {
    if (isProblem(error)) {
      setErrors(formMessages(error.fieldMessages()));
    }
  }, [error, setErrors]);
  const named = isProblem(error) && Object.keys(formMessages(error.fieldMessages())).length > 0;
  return (
    <form noValidate onSubmit={form.onSubmit((values) => onSubmit(keyRequest(kind, values)))}>
      <Stack gap="md">
        {Boolean(error) && !named && <Banner tone="bad">{errorText(error)}</Banner>}
        <TextInput
          label="Name"
          description="What uses the key."
          data-autofocus
          {...form.getInputProps('name')}
        />
        {kind === 'service' && (
          <NativeSelect label="Role" data={KEY_ROLES} {...form.getInputProps('role')} />
        )}
        <Checkbox.Group
          label="Permissions"
          description="No key has more than whom it speaks for."
          {...form.getInputProps('scopes')}
        >
          <ScrollArea.Autosize mah={220} mt="xs" type="auto">
            <Stack gap="xs">
              {permissions.map((name) => (
                <Checkbox key={name} value={name} label={name} />
              ))}
            </Stack>
          </ScrollArea.Autosize>
        </Checkbox.Group>
        <TextInput
          label="Ends after (days)"
          inputMode="numeric"
          {...form.getInputProps('expiryDays')}
        />
        <Textarea
          label="Allowed networks"
          description="Addresses or networks such as 192.0.2.0/24, one per line. Empty allows all."
          rows={2}
          resize="vertical"
          {...form.getInputProps('networks')}
        />
        {choosesGroups && (
          <GroupPicker
            label="Host groups"
            description="The key reaches the hosts of these groups only. None means no limit of its own."
            value={form.values.hostGroups}
            onChange={(groups) => form.setFieldValue('hostGroups', groups)}
            error={form.errors.hostGroups}
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={pending}>
            Create key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
