import { Autocomplete, Button, Group, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { Organisation } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useSaveOrganisation } from './api';

/** Names of the IANA database that this browser knows. */
const TIME_ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone')];

export function OrganisationForm({ organisation }: { organisation: Organisation }) {
  const save = useSaveOrganisation(organisation.id);
  const [name, setName] = useState(organisation.name);
  const [slug, setSlug] = useState(organisation.slug);
  const [timeZone, setTimeZone] = useState(organisation.time_zone);
  const fields = isProblem(save.error) ? save.error.fieldMessages() : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name: name.trim(), slug: slug.trim(), time_zone: timeZone });
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md" maw={480}>
        {save.isError && Object.keys(fields).length === 0 && (
          <Banner tone="bad">{errorText(save.error)}</Banner>
        )}
        {save.isSuccess && <Banner tone="info">Saved.</Banner>}
        <TextInput
          label="Name"
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={fields.name}
        />
        <TextInput
          label="Address name"
          description="Lower-case letters, digits and dashes."
          maxLength={63}
          value={slug}
          onChange={(event) => setSlug(event.currentTarget.value)}
          error={fields.slug}
        />
        <Autocomplete
          label="Time zone"
          limit={50}
          data={TIME_ZONES}
          value={timeZone}
          onChange={setTimeZone}
          error={fields.time_zone}
        />
        <Group>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
