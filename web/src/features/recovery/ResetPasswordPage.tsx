import { Anchor, Button, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useLocation, useRouter } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import { forgetSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { type NewPassword, useResetPassword } from './api';
import { NewPasswordFields } from './NewPasswordFields';
import { newPasswordRules } from './newPassword';

/** Where the link of the letter leads: a new password in exchange for its token (auth 10). */
export function ResetPasswordPage() {
  const token = useLocation({ select: (location) => location.hash });
  const client = useQueryClient();
  const router = useRouter();
  const reset = useResetPassword();
  const spent =
    isProblem(reset.error) && reset.error.fields.some((field) => field.code === 'invalid_token');
  if (token === '' || spent) {
    return (
      <CentredPage title="New password">
        <Banner tone="bad">
          {spent
            ? 'This link is unknown, used or too old.'
            : 'This link is not complete. Copy the whole of it.'}
        </Banner>
        <Anchor component={Link} to="/forgot-password" size="sm">
          Ask for a new link
        </Anchor>
      </CentredPage>
    );
  }
  const submit = (password: NewPassword, onRefused: (error: unknown) => void) =>
    reset.mutate(
      { token, ...password },
      {
        onError: onRefused,
        onSuccess: () => {
          // All sessions of the account are over, one in this browser too.
          forgetSignIn(client, 'signed-out');
          return router.navigate({
            to: '/login',
            search: { notice: 'password_reset' },
            replace: true,
          });
        },
      },
    );
  return (
    <CentredPage title="New password" description="It ends all sessions of your account.">
      <ResetForm pending={reset.isPending} error={reset.error} onSubmit={submit} />
    </CentredPage>
  );
}

interface ResetFormProps {
  pending: boolean;
  error: unknown;
  onSubmit: (password: NewPassword, onRefused: (error: unknown) => void) => void;
}

function ResetForm({ pending, error, onSubmit }: ResetFormProps) {
  const form = useForm<NewPassword>({
    initialValues: { password: '', password_confirmation: '' },
    validate: newPasswordRules,
  });
  const atFields = isProblem(error) && error.fields.length > 0;
  const refuse = (refusal: unknown) =>
    isProblem(refusal) && form.setErrors(refusal.fieldMessages());
  return (
    <form noValidate onSubmit={form.onSubmit((values) => onSubmit(values, refuse))}>
      <Stack gap="sm">
        {Boolean(error) && !atFields && <Banner tone="bad">{errorText(error)}</Banner>}
        <NewPasswordFields
          password={form.getInputProps('password')}
          confirmation={form.getInputProps('password_confirmation')}
        />
        <Button type="submit" loading={pending} mt="xs">
          Set the password
        </Button>
      </Stack>
    </form>
  );
}
