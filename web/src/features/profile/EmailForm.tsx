import { Button, Group, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { isProblem } from '@/api/problem';
import type { Profile } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useChangeEmail } from './api';

interface EmailFormProps {
  profile: Profile;
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** What the server refused, by the field to show it at; nothing when it is about no field. */
function refusedFields(error: unknown): Record<string, string> {
  if (isProblem(error, 'invalid_credentials')) {
    return { current_password: 'This is not your current password.' };
  }
  return isProblem(error) ? error.fieldMessages() : {};
}

/** Asks for another address. Accounts with a password here show it; others confirm where they signed in. */
export function EmailForm({ profile, guarded }: EmailFormProps) {
  const change = useChangeEmail(guarded);
  const needsPassword = profile.has_password;
  const form = useForm({
    initialValues: { email: '', current_password: '' },
    validate: {
      email: (value) => (/^\S+@\S+$/.test(value.trim()) ? null : 'Enter an email address.'),
      current_password: (value) =>
        needsPassword && value === '' ? 'Enter your current password.' : null,
    },
  });
  const submit = (values: typeof form.values) =>
    change.mutate(
      {
        email: values.email.trim(),
        current_password: needsPassword ? values.current_password : undefined,
      },
      {
        onSuccess: () => form.reset(),
        onError: (error) => {
          form.setFieldValue('current_password', '');
          form.setErrors(refusedFields(error));
        },
      },
    );
  const atFields = Object.keys(refusedFields(change.error)).length > 0;
  return (
    <form noValidate onSubmit={form.onSubmit(submit)}>
      <Stack gap="sm">
        {change.isError && !atFields && <Banner tone="bad">{errorText(change.error)}</Banner>}
        <TextInput
          label={profile.email === null ? 'Email' : 'New email'}
          type="email"
          autoComplete="email"
          {...form.getInputProps('email')}
        />
        {needsPassword && (
          <PasswordInput
            label="Current password"
            autoComplete="current-password"
            {...form.getInputProps('current_password')}
          />
        )}
        <Group>
          <Button type="submit" loading={change.isPending}>
            Send a link
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
