import { Button, Group, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { type ChangePasswordRequest, useChangePassword } from './api';
import { NewPasswordFields } from './NewPasswordFields';
import { newPasswordRules } from './newPassword';

const EMPTY: ChangePasswordRequest = {
  current_password: '',
  password: '',
  password_confirmation: '',
};

/** What the server refused, by the field to show it at; nothing when it is about no field. */
function refusedFields(error: unknown): Record<string, string> {
  if (isProblem(error, 'invalid_credentials')) {
    return { current_password: 'This is not your current password.' };
  }
  return isProblem(error) ? error.fieldMessages() : {};
}

/** A new password for the one in use, for accounts whose password is kept here. */
export function ChangePasswordForm({ email }: { email: string }) {
  const change = useChangePassword();
  const form = useForm<ChangePasswordRequest>({
    initialValues: EMPTY,
    validate: {
      current_password: (value) => (value === '' ? 'Enter your current password.' : null),
      ...newPasswordRules,
    },
  });
  if (isProblem(change.error, 'wrong_state')) {
    return (
      <Banner tone="info">
        Your password is kept in a directory or by an identity provider. Change it there.
      </Banner>
    );
  }
  const submit = (values: ChangePasswordRequest) =>
    change.mutate(values, {
      onSuccess: () => form.reset(),
      onError: (error) => {
        if (isProblem(error, 'invalid_credentials')) {
          form.setFieldValue('current_password', '');
        }
        form.setErrors(refusedFields(error));
      },
    });
  const atFields = Object.keys(refusedFields(change.error)).length > 0;
  return (
    <form noValidate onSubmit={form.onSubmit(submit)}>
      <Stack gap="sm" maw={420}>
        {change.isSuccess && (
          <Banner tone="info">Your password is changed. Your other sessions have ended.</Banner>
        )}
        {change.isError && !atFields && <Banner tone="bad">{errorText(change.error)}</Banner>}
        {/* Password managers look for the account that a password belongs to. */}
        <input type="hidden" name="username" autoComplete="username" value={email} />
        <PasswordInput
          label="Current password"
          autoComplete="current-password"
          {...form.getInputProps('current_password')}
        />
        <NewPasswordFields
          password={form.getInputProps('password')}
          confirmation={form.getInputProps('password_confirmation')}
        />
        <Group>
          <Button type="submit" loading={change.isPending}>
            Change password
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
