import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Organisation } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useDeleteOrganisation } from './api';

/** Deletes the organisation, once its name is typed. */
export function DeleteOrganisation({ organisation }: { organisation: Organisation }) {
  const remove = useDeleteOrganisation(organisation.id);
  const [typed, setTyped] = useState('');
  return (
    <Stack gap="md" maw={480}>
      <div>
        Everybody is signed out of it at once. It must have no approved hosts, and can be restored
        for 30 days.
      </div>
      {remove.isError && <Banner tone="bad">{errorText(remove.error)}</Banner>}
      <TextInput
        label={`Type "${organisation.name}" to confirm`}
        autoComplete="off"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Group>
        <Button
          color="danger"
          disabled={typed !== organisation.name}
          loading={remove.isPending}
          onClick={() => remove.mutate(typed)}
        >
          Delete organisation
        </Button>
      </Group>
    </Stack>
  );
}
