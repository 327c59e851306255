import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useRename } from './api';

function check(value: string): string | null {
  const length = value.trim().length;
  return length < 2 || length > 100 ? 'Use 2 to 100 characters.' : null;
}

export function NameForm({ name }: { name: string }) {
  const rename = useRename();
  const form = useForm({ initialValues: { name }, validate: { name: check } });
  const refused = isProblem(rename.error) ? rename.error.fieldMessages().name : undefined;
  const field = form.getInputProps('name');
  const changed = form.values.name.trim() !== name;
  return (
    <form noValidate onSubmit={form.onSubmit((values) => rename.mutate(values.name.trim()))}>
      <Stack gap="sm" maw={420}>
        {rename.isSuccess && !changed && <Banner tone="info">Your name is changed.</Banner>}
        {rename.isError && !refused && <Banner tone="bad">{errorText(rename.error)}</Banner>}
        <TextInput
          label="Full name"
          autoComplete="name"
          {...field}
          error={field.error ?? refused}
        />
        <Group>
          <Button type="submit" loading={rename.isPending} disabled={!changed}>
            Change name
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
