import { Anchor, Button, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { useForgotPassword } from './api';

/** Asks for a link by mail. What it says does not depend on whether the account exists. */
export function ForgotPasswordPage() {
  const request = useForgotPassword();
  return (
    <CentredPage
      title="Forgotten password"
      description="For accounts with a password of CT-Ops. Those of a directory or an identity provider change it there."
    >
      {request.isSuccess ? (
        <Banner tone="info">
          If there is an account with this address, a link to choose a new password is on its way to
          it. The link works once, within one hour.
        </Banner>
      ) : (
        <RequestForm
          pending={request.isPending}
          error={request.error}
          onSubmit={(email) => request.mutate(email)}
        />
      )}
      <Anchor component={Link} to="/login" size="sm">
        Back to sign-in
      </Anchor>
    </CentredPage>
  );
}

interface RequestFormProps {
  pending: boolean;
  error: unknown;
  onSubmit: (email: string) => void;
}

function RequestForm({ pending, error, onSubmit }: RequestFormProps) {
  const form = useForm({
    initialValues: { email: '' },
    validate: { email: (value) => (value.includes('@') ? null : 'Enter your email address.') },
  });
  const refused = isProblem(error) ? error.fieldMessages().email : undefined;
  const field = form.getInputProps('email');
  return (
    <form noValidate onSubmit={form.onSubmit(({ email }) => onSubmit(email.trim()))}>
      <Stack gap="sm">
        {Boolean(error) && !refused && <Banner tone="bad">{errorText(error)}</Banner>}
        <TextInput
          label="Email"
          type="email"
          autoComplete="username"
          autoFocus
          {...field}
          error={field.error ?? refused}
        />
        <Button type="submit" loading={pending} mt="xs">
          Send a link
        </Button>
      </Stack>
    </form>
  );
}
