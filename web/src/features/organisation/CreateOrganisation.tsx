import { Button, Group, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useCreateOrganisation } from './api';

/** Makes another organisation, with the viewer as its super admin. */
export function CreateOrganisation() {
  const create = useCreateOrganisation();
  const [name, setName] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') {
      create.mutate({ name: name.trim() }, { onSuccess: () => setName('') });
    }
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md" maw={480}>
        {create.isError && <Banner tone="bad">{errorText(create.error)}</Banner>}
        {create.isSuccess && (
          <Banner tone="info">Created. Choose it in the navigation to go there.</Banner>
        )}
        <TextInput
          label="Name of the new organisation"
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Group>
          <Button type="submit" variant="default" loading={create.isPending}>
            Create organisation
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
